"""Cancels, retries, prioritises and reschedules jobs, by id or by filters, and sends events to jobs that wait."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypedDict, Unpack, overload
from uuid import UUID

from zeke_jobs.client import drivers, reading
from zeke_jobs.client.many import Change, Verb
from zeke_jobs.client.options import FILTERS, JobFilter, as_id, plain
from zeke_jobs.client.plans import Database
from zeke_jobs.core.job import Job, check_name
from zeke_jobs.payload.json_text import UnfitForJson, encode


@dataclass(frozen=True, slots=True)
class Changed:
    """Describes the result of changing one job.

    Attributes:
        id: The job's id.
        changed: Whether the call changed the job.
        status: The job's status afterwards. ``active`` after ``cancel`` means that a worker will stop the job.
        note: The change as a sentence, or the reason why nothing changed.
    """

    id: UUID
    changed: bool
    status: str
    note: str


class ChangeOptions(TypedDict, total=False):
    """Lists the options that ``cancel``, ``retry``, ``prioritise`` and ``reschedule`` have in common."""

    by: str | None
    connection: Any


class ManyOptions(JobFilter, ChangeOptions, total=False):
    """Lists the options of a call that changes all jobs that match filters."""

    limit: int | None


class TimeOptions(ChangeOptions, total=False):
    """Lists the options of ``reschedule`` for a call with an id."""

    run_at: datetime | None
    delay: timedelta | float | None


class ManyTimeOptions(ManyOptions, TimeOptions, total=False):
    """Lists the options of ``reschedule`` for a call with filters."""


@overload
def cancel(id: UUID | str, reason: str | None = None, **options: Unpack[ChangeOptions]) -> Changed: ...
@overload
def cancel(id: None = None, reason: str | None = None, **filters: Unpack[ManyOptions]) -> list[UUID]: ...
def cancel(id: UUID | str | None = None, reason: str | None = None, **options: Any) -> Changed | list[UUID]:  # noqa: A002 (the field's word)
    """Cancel a job: a queued job at once, a running job within moments. A finished job does not change.

    A claimed job whose handler has not started never starts. With filters, ``cancel`` cancels all matching unfinished
    jobs, in several transactions, and returns their ids; with ``status="failed"``, failed jobs that block others.

    Args:
        id: The job's id. With an id, the result is a ``Changed``.
        reason: The reason, kept with the job.
        limit: The maximum number of jobs to cancel, the oldest first.
        by: Name of the caller, kept with the job; ``zeke-jobs audit`` shows it with the database's user.
        connection: As for ``send``.
        options: Filters, as for the function ``jobs``.

    Raises:
        JobNotFound: no job has this id.
        UnknownTask: no job matches, and no task has this name; the message suggests the nearest name.
        ValueError: a filter's value is not valid, the call has both an id and a filter, or it has neither.
    """
    return _change("cancel", id, options, reason=reason)


@overload
def retry(id: UUID | str, **options: Unpack[ChangeOptions]) -> Changed: ...
@overload
def retry(id: None = None, **filters: Unpack[ManyOptions]) -> list[UUID]: ...
def retry(id: UUID | str | None = None, **options: Any) -> Changed | list[UUID]:  # noqa: A002 (the field's word)
    """Run a failed or cancelled job again: it keeps its id and its history, and gets a fresh retry limit.

    A job that waits for its next attempt becomes due at once. Filters match failed jobs or, with
    ``status="cancelled"``, cancelled jobs; ``newer`` and ``older`` compare the time since the job's end. The other
    arguments are those of ``cancel``, except ``reason``.
    """
    return _change("retry", id, options)


@overload
def prioritise(id: UUID | str, *, priority: int, **options: Unpack[ChangeOptions]) -> Changed: ...
@overload
def prioritise(id: None = None, *, priority: int, **filters: Unpack[ManyOptions]) -> list[UUID]: ...
def prioritise(id: UUID | str | None = None, *, priority: int, **options: Any) -> Changed | list[UUID]:  # noqa: A002 (the field's word)
    """Set the priority of a queued job, or of all that match filters. The highest runs first. See ``reschedule``."""
    return _change("prioritise", id, options, {"priority": priority})


@overload
def reschedule(id: UUID | str, **options: Unpack[TimeOptions]) -> Changed: ...
@overload
def reschedule(id: None = None, **filters: Unpack[ManyTimeOptions]) -> list[UUID]: ...
def reschedule(
    id: UUID | str | None = None,  # noqa: A002 (the field's word)
    *,
    run_at: datetime | None = None,
    delay: timedelta | float | None = None,
    **options: Any,
) -> Changed | list[UUID]:
    """Set the run time of a queued job, or of all queued jobs that match filters. ``delay=0`` means now.

    A job that is already due does not change if the new time is in the past.

    Args:
        id: The job's id.
        run_at: The earliest start, a time with a zone.
        delay: The time from now to the earliest start; a timedelta, or seconds. Give either ``run_at`` or ``delay``.
        options: The other arguments of ``cancel``, except ``reason``.
    """
    return _change("reschedule", id, options, run_time_of(run_at, delay))


def _change(
    verb: Verb,
    given: UUID | str | None,
    options: dict[str, Any],
    value: Mapping[str, Any] | None = None,
    *,
    reason: str | None = None,
) -> Changed | list[UUID]:
    limit, by, connection = (options.pop(name, None) for name in ("limit", "by", "connection"))
    is_filtered = any(one is not None for one in options.values())
    if (given is None) is not is_filtered:
        got = "neither" if given is None else "both"
        raise ValueError(f"expected an id, or a filter ({', '.join(FILTERS)}), got {got}")
    value = value or {}
    if given is None:
        return Change(verb, options, value=value, limit=limit, reason=reason, by=by, connection=connection).all()
    return drivers.perform(connection, one, verb, as_id("id", given), value, by=by, reason=reason)


async def one(
    database: Database, verb: Verb, job_id: UUID, value: Mapping[str, Any], *, by: str | None, reason: str | None = None
) -> Changed:
    """Change one job. ``cancel``, ``retry``, ``prioritise`` and ``reschedule`` run this plan (see module ``plans``)."""
    params = {"filter": encode({"id": str(job_id)}), "value": encode(value), "after": None, "most": 1}
    ((changed, *_),) = await database.ask("change/jobs", change=verb, reason=reason, by=by, **params)
    job = await reading.one(database, job_id)
    note = _done(verb, job, value) if changed else _undone(verb, job.status)
    return Changed(job_id, bool(changed), job.status, note)


def _done(verb: Verb, job: Job, value: Mapping[str, Any]) -> str:
    match verb:
        case "retry":
            return "queued again, with a fresh retry limit"
        case "prioritise":
            return f"its priority is {value['priority']} now"
        case "reschedule":
            return "it has its new time"
    if job.status != "active":
        return "cancelled; it does not run again" if job.started_on else "cancelled before it started"
    # A worker records a start a moment after the handler starts, so a job without a recorded start may already run.
    claimed = "claimed by a worker, which cancels it before it starts; if it has just started, it may still run"
    return "running, and being stopped" if job.started_on else claimed


def _undone(verb: Verb, status: str) -> str:
    match verb:
        case "cancel":
            return f"ended already as {status}; nothing was changed"
        case "retry":
            is_done = status == "completed"
            return f"{status}; {'completed jobs are not run again; send a new one' if is_done else 'nothing to retry'}"
    return "it has this value already" if status in ("created", "retry") else f"{status}; only queued jobs are changed"


def run_time_of(run_at: datetime | None, delay: timedelta | float | None) -> dict[str, Any]:
    """Return ``run_at`` or ``delay`` as JSON for the database."""
    if (run_at is None) is (delay is None):
        raise ValueError(f"expected run_at or delay, got {'neither' if delay is None else 'both'}")
    return {"delay": plain("delay", delay)} if run_at is None else {"run_at": plain("run_at", run_at)}


def emit(name: str, data: Any = None, *, connection: Any = None) -> None:
    """Send an event to the jobs that wait for its name. The waiting jobs become due at once and get the event's data.

    The event is kept for thirty days: jobs that begin to wait in this time get it too. If the event is emitted again,
    jobs that wait later get the new data.

    Args:
        name: The event's name, such as ``callback/42``; up to 1024 bytes.
        data: Any JSON value up to 1 MiB.
        connection: See ``send``; the event is emitted when the connection's transaction commits.

    Raises TypeError or ValueError if the name is not valid, or the data are not JSON.
    """
    drivers.perform(connection, emission, name, data)


async def emission(database: Database, name: str, data: Any) -> None:
    """Emit an event. ``emit`` runs this plan (see module ``plans``)."""
    try:
        text = encode(data)
    except UnfitForJson as error:
        raise ValueError(f"data of the event {name!r}: {error}") from error
    await database.ask("event/emit", name=check_name(name), data=text)
