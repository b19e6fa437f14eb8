"""Schedules that a program puts beside those of jobs.yaml: each team's digest in its own zone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from zeke_jobs.client import drivers
from zeke_jobs.client.options import as_id
from zeke_jobs.client.task_cache import with_task
from zeke_jobs.cron.calendar import CronError, parse
from zeke_jobs.payload.json_text import encode
from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    import builtins
    from collections.abc import Hashable, Mapping
    from datetime import datetime
    from uuid import UUID

    from pydantic import BaseModel

    from zeke_jobs.client.drivers import Plan
    from zeke_jobs.client.task_cache import KnownTask


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule in force.

    Attributes:
        name: Its name; of one in jobs.yaml, its task.
        last_tick: The last tick that was decided, and ``last_outcome``: sent, or skipped.
        last_job: The job that was sent, or the one because of which none was.
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
    """Store a schedule under a name of its own, or change it; in force at the scheduler's next beat.

    A change fires nothing from before it; put again as it is, it stays as it is.

    Args:
        name: Two parts at least, such as ``digest/team-7``.
        task: Id or alias of a task.
        at: The cron line.
        timezone: The zone that it is read in.
        payload: Payload of the jobs.
        key: Key of the jobs.
        missed: As in jobs.yaml, like ``window``, ``overlap`` and ``jitter``.
        window: How far back missed ticks are looked for.
        overlap: Whether a tick is skipped while the job of an earlier one is unfinished.
        jitter: Jobs may start up to this much later.
        by: Who puts it; ``zeke-jobs audit`` shows it.
        connection: As for ``send``.

    Raises:
        UnknownTask, InvalidPayload: as ``send``.
        ValueError: the name, the line or the zone is none.
    """
    if not isinstance(name, str) or not all(name.partition("/")) or len(name.encode()) > 200:
        raise ValueError(f"expected a name of two parts, such as digest/team-7, of at most 200 bytes, got {name!r}")
    try:
        parse(at)
    except CronError as error:
        raise ValueError(f"the cron line of {name}: {error}") from error
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"expected the name of a time zone, got {timezone!r}") from error
    options = {"missed": missed, "overlap": overlap, "window": window.total_seconds(), "jitter": jitter.total_seconds()}

    def store(_database: Hashable, known: KnownTask) -> Plan[bool]:
        params = {"name": name, "task": known.id, "at": at, "timezone": timezone, "payload": known.accept(payload)}
        yield SQL.text("schedule/put"), {**params, "key": key, "options": encode(options), "by": by}
        return True

    drivers.perform(with_task(task, store), connection)


def delete(name: str, *, by: str | None = None, connection: Any = None) -> bool:
    """Forget a stored schedule; jobs that it has sent stay. False where there is none of this name."""
    params = {"name": name, "by": by}
    ((deleted,),) = drivers.run_again(lambda run: run(SQL.text("schedule/delete"), params), connection)
    return bool(deleted)


def list(*, task: str | None = None, connection: Any = None) -> builtins.list[Schedule]:  # noqa: A001 (read as schedules.list)
    """The schedules in force, of jobs.yaml and stored, by name; of one task, where that is given by its id."""
    rows = drivers.run_again(lambda run: run(SQL.text("schedule/shown"), {"task": task}), connection)
    return [
        Schedule(
            name,
            of,
            at,
            zone,
            json.loads(payload or "{}"),
            key,
            tick,
            outcome,
            as_id("id", job) if job else None,
            paused,
        )
        for name, of, at, zone, payload, key, tick, outcome, job, paused in rows
    ]
