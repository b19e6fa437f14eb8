"""Values set by hand beside jobs.yaml: how their names are read, which of them a new file keeps, which are over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zeke_jobs.config import check, load_text
from zeke_jobs.config.diagnostics import Report, split_lines, suggest
from zeke_jobs.config.document import parse
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.queries import SQL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.config.diagnostics import Diagnostic
    from zeke_jobs.config.models import Config
    from zeke_jobs.revisions import Override

_SECTIONS = ("tasks", "limits", "services", "defaults")
_TOP = ("timezone",)


@dataclass(frozen=True)
class Carried:
    """The overrides that hold beside a file, and what becomes of the others, in words."""

    kept: tuple[Override, ...]
    notes: tuple[str, ...]


def carried(file: Config, overrides: Sequence[Override], set_before: Sequence[Override] | None = None) -> Carried:
    """Which overrides still say something beside this file; that one of ``set_before`` (by default the same) ends is noted.

    One ends where its task, limit or service left the file, and where the file says the same by itself.

    Raises:
        ConfigurationError: one does not fit the file.
    """
    kept: list[Override] = []
    notes = []
    before = overrides if set_before is None else set_before
    effect = _effect(file, kept)
    for override in overrides:
        reason = _lapse(file, override)
        if not reason:
            with_it = _effect(file, [*kept, override])
            if with_it == effect:
                reason = "the file says so itself"
            else:
                kept.append(override)
                effect = with_it
        if reason and len(without(before, override.path)) < len(before):
            notes.append(f"{override.label} is no longer set by hand: {reason}")
    return Carried(tuple(kept), tuple(notes))


def with_overrides(overrides: Sequence[Override], new: Iterable[Override]) -> list[Override]:
    """The overrides with more of them, each of which takes the place of those at its path and below."""
    result = list(overrides)
    for one in new:
        result = [*without(result, one.path), one]
    return result


def faults(file: Config, overrides: Sequence[Override], new: Mapping[str, Override]) -> list[str]:
    """What is wrong with new overrides, of all at once, each fault behind the words by which its override is known."""

    def found(some: Iterable[Override]) -> list[Diagnostic]:
        edits = [one.edit for one in with_overrides(overrides, some)]
        return check(file.text, "jobs.yaml with what is set by hand", edits=edits)[1]

    together = found(new.values())
    if not together:
        return []
    alone = [f"{name}: {_words(one)}" for name, override in new.items() for one in found([override])]
    return alone or [f"{', '.join(new)}: {_words(one)}" for one in together]


def _words(found: Diagnostic) -> str:
    """A fault without a place, for what stands in no file."""
    return found.message + _help(found.help)


def _help(text: str) -> str:
    return f"\n  help: {text}" if text else ""


def without(overrides: Sequence[Override], path: tuple[str, ...]) -> list[Override]:
    """The overrides but those at a path and below."""
    return [one for one in overrides if one.path[: len(path)] != path]


def over(conn: Connection, overrides: Sequence[Override]) -> list[Override]:
    """Those in force whose time has come, or whose task's jobs have ended."""
    due = {tuple(row["path"]) for row in SQL.all(conn, "override_due")}
    return [one for one in overrides if one.path in due]


def read_path(text: str, config: Config) -> tuple[str, ...]:
    """A name such as ``analyze-story.retry.limit`` or ``limits.ai.concurrency`` as keys from the top of the file.

    Raises:
        ConfigurationError: there is no such task, limit or service; the message names the nearest.
    """
    first, _, rest = text.partition(".")
    if text in _TOP:
        return (text,)
    # A task's id may have dots in it: the longest that fits is meant.
    names = {name: task.id for task in config.tasks.values() for name in (task.id, *task.aliases)}
    body = rest if first == "tasks" else text
    fitting = max((name for name in names if body.startswith(f"{name}.")), key=len, default=None)
    if fitting is not None:
        return ("tasks", names[fitting], *_steps(body[len(fitting) + 1 :], text))
    if first == "defaults":
        return ("defaults", *_steps(rest, text))
    if first in ("limits", "services"):
        known = config.limits if first == "limits" else config.services
        name = rest.partition(".")[0]
        if name not in known:
            raise ConfigurationError(
                f"expected one of the {first} of jobs.yaml, got {name!r}{_help(suggest(name, known, what=first))}"
            )
        return (first, name, *_steps(rest[len(name) + 1 :], text))
    name = body.partition(".")[0]
    hint = f"name what of it, such as {name}.concurrency" if body in names else suggest(name, names, what="tasks")
    raise ConfigurationError(
        f"expected TASK.KEY=VALUE, limits.NAME.KEY=VALUE or services.NAME.KEY=VALUE, got {text!r}{_help(hint)}"
    )


def read_value(text: str) -> Any:
    """A value as jobs.yaml would hold it: ``3``, ``5m``, ``[a, b]``, ``{limit: 2}``.

    ``*/5 * * * *`` and ``@daily`` are text without quotes too: the shell took those that were typed, and YAML has no use for it.

    Raises:
        ConfigurationError: it is no YAML, or one of its traps.
    """
    if text.startswith(("*", "@")):
        return text
    line = f"value: {text}\n"
    report = Report("value", split_lines(line))
    document = parse(line, report)
    if found := report.diagnostics():
        raise ConfigurationError("\n".join(_words(one) for one in found))
    value = document.value["value"]
    if value is None:
        raise ConfigurationError("expected a value after the =, got nothing")
    return value


def _steps(text: str, whole: str) -> tuple[str, ...]:
    steps = tuple(text.split("."))
    if not all(steps):
        raise ConfigurationError(f"expected a key to set, such as TASK.concurrency, got {whole!r}")
    return steps


def _lapse(file: Config, override: Override) -> str:
    section, *rest = override.path
    if section not in _SECTIONS[:3]:
        return ""
    known: Any = getattr(file, section)
    if override.drains is not None:
        return "the file has the task again" if rest[0] in known else ""
    return "" if rest[0] in known else f"{rest[0]} left the file"


def _effect(file: Config, overrides: Sequence[Override]) -> dict[str, Any]:
    edits = [one.edit for one in overrides]
    return load_text(file.text, "jobs.yaml with what is set by hand", handlers=False, edits=edits).model_dump()
