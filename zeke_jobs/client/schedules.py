"""Stores schedules that programs make in addition to those of jobs.yaml, such as a digest in each team's time zone."""

from __future__ import annotations

import builtins
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from zeke_jobs.client import drivers
from zeke_jobs.client.options import as_id, plain
from zeke_jobs.client.plans import Database
from zeke_jobs.client.task_cache import KnownTask, with_task
from zeke_jobs.cron.calendar import CronError, parse
from zeke_jobs.payload.json_text import encode

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Schedule:
    """Describes a schedule in force.

    Attributes:
        name: The schedule's name; for a schedule in jobs.yaml, the name of its task.
        last_tick: The latest tick (due time) that was sent or skipped; ``last_outcome`` is ``sent`` or ``skipped``.
        last_job: The job that was sent for ``last_tick``, or the unfinished job that made the scheduler skip it.
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
    """Store or change a schedule. The schedule takes effect at the scheduler's next beat.

    A changed schedule sends no jobs for ticks before the change. Storing an unchanged schedule has no effect.

    Args:
        name: The schedule's name, which has at least two parts with a / between them, such as ``digest/team-7``.
        task: Id or alias of a task.
        at: The cron line.
        timezone: The time zone of the cron line.
        payload: Payload of the jobs.
        key: Key of the jobs.
        missed: What happens to missed ticks. ``missed``, ``window``, ``overlap`` and ``jitter`` mean the same as in jobs.yaml.
        window: How far back the scheduler looks for missed ticks.
        overlap: Whether a tick is skipped while the job of an earlier tick is unfinished.
        jitter: Jobs may start up to this much later.
        by: Name of the caller; ``zeke-jobs audit`` shows it.
        connection: As for ``send``.

    Raises:
        UnknownTask, InvalidPayload: see ``send``.
        ValueError: an argument is not valid, or Postgres does not know the zone.
    """
    for what, value in {"at": at, "timezone": timezone, "key": "" if key is None else key}.items():
        if not isinstance(value, str):
            raise ValueError(f"expected {what} as text, got {value!r:.60}")  # noqa: TRY004 (each such error is a ValueError)
    try:
        parse(at)  # the database checks only the form of a line
        ZoneInfo(timezone)
    except CronError as error:
        raise ValueError(f"the cron line of {name}: {error}") from error
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"expected the name of a time zone, got {timezone!r}") from None
    lengths = {"window": plain("window", window), "jitter": plain("jitter", jitter)}
    options = encode({"missed": missed, "overlap": overlap, **lengths})
    params = {"name": name, "at": at, "timezone": timezone, "key": key, "options": options, "by": by}

    async def store(database: Database, known: KnownTask) -> bool:
        await database.ask("schedule/put", task=known.id, payload=known.accept(payload), **params)
        return True

    drivers.perform(connection, with_task, task, store)


def delete(name: str, *, by: str | None = None, connection: Any = None) -> bool:
    """Delete a stored schedule, but not its jobs. Returns False if no schedule has this name."""
    ((deleted,),) = drivers.perform(connection, Database.ask, "schedule/delete", name=name, by=by)
    return bool(deleted)


def list(*, task: str | None = None, connection: Any = None) -> builtins.list[Schedule]:  # noqa: A001 (read as schedules.list)
    """Return the schedules in force, from jobs.yaml and ``put``, or only those of the task with the id ``task``."""
    rows = drivers.perform(connection, Database.ask, "schedule/shown", task=task)
    return [
        Schedule(name, of, at, zone, json.loads(payload or "{}"), key, tick, outcome, job and as_id("id", job), paused)
        for name, of, at, zone, payload, key, tick, outcome, job, paused in rows
    ]
