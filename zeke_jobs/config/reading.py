"""Plain values to stanzas: what is wrong is reported and left out, so that the rest is still checked."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from zeke_jobs.config import stanzas
from zeke_jobs.config.document import EXAMPLE
from zeke_jobs.config.validation import Subject, note
from zeke_jobs.core.quoting import describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from zeke_jobs.config.diagnostics import Report
    from zeke_jobs.config.places import Document, Path

NAMES: dict[type[BaseModel], str] = {
    stanzas.FileStanza: "the file",
    stanzas.TaskStanza: "a task",
    stanzas.DefaultsStanza: "defaults",
    stanzas.LimitStanza: "a limit",
    stanzas.ServiceStanza: "a service",
    stanzas.RetryStanza: "retry",
    stanzas.KeepStanza: "keep",
    stanzas.CronStanza: "cron",
    stanzas.UniqueStanza: "unique",
    stanzas.ConcurrencyStanza: "concurrency",
}
"""How people call the mapping that each stanza reads."""


def read(document: Document, report: Report) -> stanzas.FileStanza:
    """The stanzas of the file, without what is wrong in them."""
    if not isinstance(document.value, dict):
        report.add(
            document.root.span,
            f"expected a mapping with version and tasks, got {describe(document.value)}",
            EXAMPLE,
        )
        return stanzas.FileStanza()
    try:
        return stanzas.FileStanza.model_validate(document.value)
    except ValidationError as error:
        note(error, Subject(stanzas.FileStanza, (), "the file", NAMES), document, report)
        return _rest(document.value, error)


def _rest(value: dict[str, Any], error: ValidationError) -> stanzas.FileStanza:
    kept = deepcopy(value)
    while True:
        paths = {_existing(kept, one["loc"]) for one in error.errors(include_url=False)}
        _remove(kept, paths)
        try:
            return stanzas.FileStanza.model_validate(kept)
        except ValidationError as further:  # each round removes something, and nothing is required
            error = further


def _existing(value: Any, loc: Sequence[str | int]) -> Path:
    path: Path = ()
    for step in loc:
        is_key = isinstance(value, dict) and step in value
        is_item = isinstance(value, list) and isinstance(step, int) and step < len(value)
        if is_key or is_item:
            path, value = (*path, step), value[step]
    return path


def _remove(value: Any, paths: Iterable[Path]) -> None:
    for path in sorted(paths, key=_order, reverse=True):  # the later items of a list first
        owner = value
        for step in path[:-1]:
            owner = owner[step]
        if path:
            del owner[path[-1]]
        else:
            owner.clear()


def _order(path: Path) -> list[tuple[int, str]]:
    return [(step, "") if isinstance(step, int) else (-1, step) for step in path]
