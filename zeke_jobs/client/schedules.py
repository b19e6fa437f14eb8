"""Schedules that programs store, beside the ones in jobs.yaml: for example each team's digest in its own zone."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from zeke_jobs.client import drivers
from zeke_jobs.client.options import as_id
from zeke_jobs.client.task_cache import with_task
from zeke_jobs.core import bounds
from zeke_jobs.cron.calendar import CronError, parse
from zeke_jobs.payload.json_text import encode

if TYPE_CHECKING:
    import builtins
    from collections.abc import Hashable, Iterator, Mapping
    from datetime import datetime
    from uuid import UUID

    from pydantic import BaseModel

    from zeke_jobs.client.drivers import Plan
    from zeke_jobs.client.task_cache import KnownTask

_CONTROL = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]")


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule in force.

    Attributes:
        name: Its name; for a schedule in jobs.yaml, its task.
        last_tick: The last decided tick; ``last_outcome`` is sent or skipped.
        last_job: The job that was sent, or the job that prevented it.
    """

    name: str
    task: str
    at: str
    timezone: str
    payload: dict[str, Any]
    key: str | None
    last_tick: datetime | None
    last_outcome: str | None
    last_job: UUID | None
    paused: bool


def put(
    name: str,
    *,
    task: str,
    at: str,
    timezone: str = "UTC",
    payload: Mapping[str, Any] | BaseModel | None = None,
    key: str | None = None,
    missed: Literal["latest", "skip", "all"] = "latest",
    window: timedelta = timedelta(days=1),
    overlap: Literal["skip", "allow"] = "skip",
    jitter: timedelta = timedelta(0),
    by: str | None = None,
    connection: Any = None,
) -> None:
    """Store or change a schedule with its own name; it is in force from the scheduler's next beat on.

    A changed schedule sends no ticks of the time before the change. Storing the same schedule again has no effect.

    Args:
        name: At least two parts, such as ``digest/team-7``.
        task: Id or alias of a task.
        at: The cron line.
        timezone: Its time zone.
        payload: Payload of the jobs.
        key: Key of the jobs.
        missed: As in jobs.yaml, like ``window``, ``overlap`` and ``jitter``.
        window: How far back the scheduler looks for missed ticks.
        overlap: Whether a tick is skipped while the job of an earlier one is unfinished.
        jitter: Jobs may start up to this much later.
        by: Name of the caller; ``zeke-jobs audit`` shows it.
        connection: As for ``send``.

    Raises:
        UnknownTask, InvalidPayload: as ``send``.
        ValueError: an argument is not valid, or Postgres does not know the zone.
    """
    _check_name(name)
    if faults := [*_faults(name, at, timezone)]:
        raise ValueError("; ".join(faults))
    if key is not None and not (isinstance(key, str) and key):
        raise ValueError(f"expected key as text, got {key!r:.60}")
    if missed not in ("latest", "skip", "all") or overlap not in ("skip", "allow"):
        raise ValueError(f"expected missed latest, skip or all, overlap skip or allow, got {missed!r} and {overlap!r}")
    for what, length in (("window", window), ("jitter", jitter)):
        if not isinstance(length, timedelta) or not timedelta(0) <= length <= bounds.LONGEST:
            raise ValueError(f"expected {what} as a timedelta of 0 to 100 years, got {length!r}")
    options = {"missed": missed, "overlap": overlap, "window": window.total_seconds(), "jitter": jitter.total_seconds()}

    def store(_database: Hashable, known: KnownTask) -> Plan[bool]:
        params = {"name": name, "task": known.id, "at": at, "timezone": timezone, "payload": known.accept(payload)}
        yield "schedule/put", {**params, "key": key, "options": encode(options), "by": by}
        return True

    drivers.perform(with_task(task, store), connection)


def _faults(name: str, at: str, timezone: str) -> Iterator[str]:
    try:
        parse(at)
    except (CronError, AttributeError, TypeError) as error:  # the last two if it is not a text
        yield f"the cron line of {name}: {error}"
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError, AttributeError):
        yield f"expected the name of a time zone, got {timezone!r}"


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not all(name.partition("/")) or len(name.encode()) > 200:
        raise ValueError(f"expected a name of two parts, such as digest/team-7, of at most 200 bytes, got {name!r}")
    if _CONTROL.search(name):
        raise ValueError(f"expected a name without line ends and control characters, got {name!r}")


def delete(name: str, *, by: str | None = None, connection: Any = None) -> bool:
    """Delete a stored schedule; its jobs stay. False if there is none of this name."""
    params = {"name": name, "by": by}
    ((deleted,),) = drivers.perform(drivers.ask("schedule/delete", params), connection)
    return bool(deleted)


def list(*, task: str | None = None, connection: Any = None) -> builtins.list[Schedule]:  # noqa: A001 (read as schedules.list)
    """The schedules in force, from jobs.yaml and stored ones, by name; with ``task``, only those of the task with this id."""
    rows = drivers.perform(drivers.ask("schedule/shown", {"task": task}), connection)
    return [
        Schedule(name, of, at, zone, json.loads(payload or "{}"), key, tick, outcome, job and as_id("id", job), paused)
        for name, of, at, zone, payload, key, tick, outcome, job, paused in rows
    ]
