"""Handles overrides: values set by hand that replace values of jobs.yaml. Lists of overrides begin with the oldest.

An override replaces earlier ones at its path and below. When it ends, those of them that outlast it apply again.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from zeke_jobs.config import check, load_text
from zeke_jobs.config.document import parse
from zeke_jobs.config.models import Config
from zeke_jobs.core.quoting import Diagnostic, suggest
from zeke_jobs.core.wording import when
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.revisions.store import Override, edits, visible

NAME = "jobs.yaml with values set by hand"


def carried(
    file: Config, overrides: Sequence[Override], set_before: Sequence[Override] | None = None
) -> tuple[list[Override], list[str]]:
    """Return the overrides that still affect this jobs.yaml, and a note on each of ``set_before`` that no longer does.

    ``set_before`` is by default ``overrides``. An override ends if the file no longer has its task, limit or service,
    or if the file has the same value, unless the path of another override equals, contains or is within its path.
    Raises ConfigurationError if a remaining override does not fit the file.
    """
    if not overrides:
        return [], []
    lapsed = [(one, reason) for one in overrides if (reason := _lapse(file, one))]
    kept = [one for one in overrides if not _lapse(file, one)]
    whole = load_text(file.text, NAME, handlers=False, edits=edits(kept))
    for override in reversed(kept.copy()):
        others = [one for one in kept if one is not override]
        is_alone = not any(one.covers(override) or override.covers(one) for one in others)
        if is_alone and check(file.text, NAME, handlers=False, edits=edits(others))[0] == whole:
            kept = others
            lapsed.append((override, "the file has the same value"))
    before = overrides if set_before is None else set_before
    notes = {
        f"{one.label} is no longer set by hand: {reason}": None
        for one, reason in lapsed
        if any(one.covers(other) for other in before)
    }
    return kept, list(notes)


def refuse_stuck(file: Config, overrides: Sequence[Override]) -> None:
    """Raise ConfigurationError if jobs.yaml would no longer be valid after the end of a timed override."""
    for moment in sorted({one.until for one in overrides if one.until is not None}):
        ended = ", ".join(one.label for one in overrides if one.until == moment)
        if found := check(file.text, NAME, edits=edits(after(overrides, moment)))[1]:
            raise ConfigurationError(
                f"{found[0].message}, when {ended} ends at {when(moment)}\n"
                f"  help: let the values that need it end by then, too, or set {ended} without an end"
            )


def with_overrides(overrides: Sequence[Override], new: Iterable[Override]) -> list[Override]:
    """Add new overrides. Each replaces the earlier ones at its path and below, except overrides that outlast it."""
    result = list(overrides)
    for one in new:
        left = [] if one.until is None else [old for old in result if old.until is None or old.until > one.until]
        result = [old for old in result if not one.covers(old) or old in left] + [one]
    return result


def hidden_by(override: Override, overrides: Sequence[Override]) -> list[Override]:
    """Return the overrides that apply again when ``override`` ends."""
    before = next(at for at, one in enumerate(overrides) if one is override)
    return [one for one in visible(overrides[:before]) if override.covers(one)]


def listed(overrides: Sequence[Override], of: Override) -> str:
    """Return the values of overrides as text. A value is shown with its path if ``of`` has another path."""
    return ", ".join(
        (f"{one.label} = " if one.path != of.path else "")
        + (one.value if isinstance(one.value, str) else json.dumps(one.value, ensure_ascii=False))
        for one in overrides
    )


def after(overrides: Sequence[Override], moment: datetime) -> list[Override]:
    """Return the overrides that are still in effect after ``moment``."""
    return [one for one in overrides if one.until is None or one.until > moment]


def lasting(overrides: Sequence[Override]) -> list[Override]:
    """Return the permanent overrides, except overrides that keep a removed task until its jobs have ended."""
    return [one for one in overrides if one.until is None and one.drains is None]


def cleared(overrides: Sequence[Override], path: tuple[str, ...]) -> list[Override]:
    """Remove overrides that are in effect at or below a path. Earlier values that timed ones replaced apply again."""
    gone = [one for one in visible(overrides) if one.path[: len(path)] == path]
    return [one for one in overrides if not any(one is other for other in gone)]


def faults(file: Config, overrides: Sequence[Override], new: Mapping[str, Override]) -> list[str]:
    """Return the faults that new overrides would cause in jobs.yaml. Each begins with the names of its overrides."""

    def found(some: Iterable[Override]) -> list[Diagnostic]:
        return check(file.text, NAME, edits=edits(with_overrides(overrides, some)))[1]

    together = found(new.values())
    if not together:
        return []
    alone = [f"{name}: {_words(one)}" for name, override in new.items() for one in found([override])]
    return alone or [f"{', '.join(new)}: {_words(one)}" for one in together]


def _words(found: Diagnostic) -> str:
    """Return the text of a fault without line and column, because the faulty value is in no file."""
    return found.message + _help(found.help)


def _help(text: str) -> str:
    return f"\n  help: {text}" if text else ""


def read_path(text: str, config: Config) -> tuple[str, ...]:
    """Split ``analyze-story.retry.limit`` or ``limits.ai.concurrency`` into keys. Raises ConfigurationError for unknown paths."""
    first, _, rest = text.partition(".")
    if text == "timezone":
        return (text,)
    # A task's id may contain dots, so take the longest id with which the path begins.
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
    hint = f"name one of its keys, such as {name}.concurrency" if body in names else suggest(name, names, what="tasks")
    raise ConfigurationError(
        f"expected TASK.KEY=VALUE, limits.NAME.KEY=VALUE or services.NAME.KEY=VALUE, got {text!r}{_help(hint)}"
    )


def read_value(text: str) -> Any:
    """Read YAML such as ``5m``, ``[a, b]`` or ``@daily``. Raises ConfigurationError for ambiguous or invalid text."""
    if text.startswith(("*", "@")):
        return text
    document = parse(f"value: {text}\n")
    if found := document.diagnostics("value"):
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
    if section not in ("tasks", "limits", "services"):
        return ""
    known: Any = getattr(file, section)
    if override.drains is not None:
        return "the file has the task again" if rest[0] in known else ""
    return "" if rest[0] in known else f"{rest[0]} left the file"
