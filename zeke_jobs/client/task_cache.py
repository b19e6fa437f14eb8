"""Caches the tasks that a program sends jobs to, so that ``send`` needs one round trip to the database."""

import json
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar

from zeke_jobs.client.plans import Database
from zeke_jobs.core.quoting import quote, suggest
from zeke_jobs.errors import InvalidPayload, UnknownTask
from zeke_jobs.payload.json_text import UnfitForJson, encode
from zeke_jobs.payload.schema import PayloadSchema

T = TypeVar("T")
_MOST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class KnownTask:
    """Describes a task in one revision of jobs.yaml. ``send`` checks that this revision is still in force."""

    id: str
    revision: int
    payload: PayloadSchema = field(repr=False)

    def accept(self, payload: Any) -> str:
        """Return the JSON text to store for a payload."""
        text = self._encode({} if payload is None else payload)
        if self.payload.fits(text):
            return text
        data = json.loads(text)
        if not isinstance(data, dict):
            message = f"expected an object of fields, got {type(payload).__name__}"
            raise InvalidPayload(f"payload of {self.id}: {message}", [("", message)])
        checked, faults = self.payload.check(data)
        if faults:
            lines = [f"{place}: {message}" if place else message for place, message in faults]
            if len(lines) > _MOST_SHOWN:
                lines[_MOST_SHOWN:] = [f"and {len(lines) - _MOST_SHOWN} more"]
            raise InvalidPayload("\n  ".join((f"payload of {self.id} does not fit:", *lines)), faults)
        return text if checked == data else self._encode(checked)

    def _encode(self, payload: Any) -> str:
        try:
            return encode(payload)
        except UnfitForJson as error:
            raise InvalidPayload(f"payload of {self.id}: {error}", [(error.path, error.message)]) from error


#: These tasks were looked up, by database and name.
_known: dict[tuple[Hashable, str], KnownTask] = {}
_lock = Lock()


async def find(database: Database, name: str) -> KnownTask:
    """Return the task with this name or alias from the cache, or from the database if it is not cached."""
    return _known.get((database.identity, name)) or await refresh(database, name)


async def refresh(database: Database, name: str) -> KnownTask:
    """Read the task from the database and cache it."""
    if not isinstance(name, str):
        raise TypeError(f"expected the task's name as text, got {type(name).__name__}")
    rows = await database.ask("send/task", task=name)
    if not rows:
        _known.pop((database.identity, name), None)
        raise unknown_task(name, [row[0] for row in await database.ask("send/task_names")])
    task_id, revision, schema_text, sensitive = rows[0]
    schema = json.loads(schema_text) if schema_text else None
    task = KnownTask(task_id, revision, PayloadSchema(schema, frozenset(sensitive)))
    with _lock:
        # Share one KnownTask between a task's id and its aliases, so that the payload's schema is compiled once.
        known = _known.get((database.identity, task_id))
        if known is not None and (known.revision, known.payload.schema) == (task.revision, schema):
            task = known
        _known[database.identity, task_id] = _known[database.identity, name] = task
    return task


def unknown_task(name: str, names: list[str]) -> UnknownTask:
    """Return the error for a name that no task has. The message suggests the nearest name."""
    empty = "the catalogue is empty: the first worker that starts, or `zeke-jobs apply`, fills it from jobs.yaml"
    return UnknownTask(f"expected the name of a task, got {quote(name)}; {suggest(name, names, what='tasks') or empty}")


async def with_task(database: Database, task: str, attempt: Callable[[Database, KnownTask], Awaitable[T | None]]) -> T:
    """Call ``attempt`` with the cached task. If that task is stale, refresh it and call ``attempt`` again."""
    known = await find(database, task)
    refused: Exception | None = None
    try:
        done = await attempt(database, known)
    except (InvalidPayload, ValueError) as error:
        done, refused = None, error
    if done is not None:
        return done
    fresh = await refresh(database, task)
    if refused is not None and fresh is known:
        raise refused
    done = await attempt(database, fresh)
    if done is None:
        raise UnknownTask(f"expected task {task!r} to stay as it is for a moment, got two changes of it; send again")
    return done
