"""Sends the jobs of due ticks (cron times): reads the schedules in force, and stores each tick's outcome with its job."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg2
from psycopg2.extensions import connection as Connection

from zeke_jobs.client.options import new_id, refused
from zeke_jobs.core import bounds
from zeke_jobs.core.logs import get_logger
from zeke_jobs.cron.calendar import Cron, parse
from zeke_jobs.errors import Contended, ZekeJobsError
from zeke_jobs.payload.json_text import encode
from zeke_jobs.postgres import lock_waits
from zeke_jobs.postgres.pool import transaction
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.scheduler.rules import Tick, Timetable, decide, due, start_of

SILENT_AFTER = timedelta(seconds=150)  # without any scheduler, a warning appears after two and a half beats
_WAIT = 1.0  # seconds that a beat waits for the first lock that another session holds
_NO_WAIT = 0.01  # seconds for each later lock, because many locks must not make the other schedules late
_CLOCK_PUT_BACK = timedelta(minutes=1)
_NOT_SENT = {
    "full": "full: max_queued jobs of the task are waiting",
    "duplicate": "unique: an equal job exists already",
    "replaced": "unique: an earlier job that is queued has this payload now",
    "unknown": "unknown: the task left jobs.yaml at this moment",
}


class Unreadable(ZekeJobsError, ValueError):
    """This machine cannot read the cron line, time zone, window or jitter of a schedule that is in force."""


def beat(conn: Connection, *, now: datetime | None = None) -> list[Tick]:
    """Send the jobs of all due ticks. Several scheduler processes may do this at the same time.

    ``now`` is by default the database's time. A schedule that fails is logged, and the others go on. Raises
    psycopg2.Error if the database is unreachable, and RuntimeError at the end if the database refused a schedule's statements.
    """
    now = now or clock(conn)
    decided: list[Tick] = []
    refusal: psycopg2.Error | None = None
    wait = _WAIT
    for row in SQL.all(conn, "schedule/in_force", schedule=None):
        try:
            schedule, ticks = _read(row, now), list[Tick]()
            is_ahead = schedule.decided_to - now > _CLOCK_PUT_BACK
            if not schedule.is_known or is_ahead or due(schedule, schedule.decided_to, now):
                with locked(conn, schedule, wait=wait) as held:
                    ticks = _decide(conn, held, now)
        except Exception as error:  # a fault of one schedule must not stop the others
            if conn.closed:
                raise
            refusal = error if isinstance(error, psycopg2.Error) else refusal
            wait = _NO_WAIT if isinstance(error, Contended) else wait
            told = {"what": f"schedule of {row['schedule']}", "error": str(error)}
            trace = None if isinstance(error, Unreadable | Contended) else error
            get_logger(__name__).error("failed; the others are done", exc_info=trace, **told)
        else:
            _log(ticks, now)
            decided += ticks
    SQL.run(conn, "schedule/tidy")
    if refusal is not None:
        raise RuntimeError("the database refused the statements of a schedule") from refusal
    return decided


def clock(conn: Connection) -> datetime:
    """Return the database's time."""
    now: datetime = SQL.value(conn, "schedule/clock")
    return now


def in_force(conn: Connection, schedule: str, *, now: datetime) -> Timetable | None:
    """Return the schedule in force with this name, or None. An unnamed schedule has its task's id as its name."""
    row = SQL.one(conn, "schedule/in_force", schedule=schedule)
    return None if row is None else _read(row, now)


def silence(conn: Connection) -> timedelta | None:
    """Return the time since a scheduler handled all schedules; None if it is up to 150 s, or there are no schedules."""
    passed: timedelta | None = SQL.value(conn, "schedule/silence")
    return None if passed is None or passed <= SILENT_AFTER else passed


def record(conn: Connection, tick: Tick, *, origin: str = "schedule") -> None:
    """Record in the database whether a tick's job was sent or skipped."""
    SQL.run(conn, "schedule/record", origin=origin, **vars(tick))


def send(
    conn: Connection, timetable: Timetable, tick: datetime | None, start: datetime | None = None
) -> dict[str, Any]:
    """Send one job of a schedule. The result has ``outcome`` and ``job_id`` from the SQL function ``zeke_jobs.enqueue``."""
    options = {"scheduled_for": tick and tick.isoformat(), "run_at": start and start.isoformat()}
    options |= {"schedule": timetable.name, "key": timetable.key}
    job_id, payload = str(new_id()), encode(timetable.payload or {})
    # The revision is that against which a payload was checked. None skips the comparison, because the payload was
    # checked when the schedule was put in force.
    job = {"id": job_id, "task": timetable.task, "revision": None, "payload": payload}
    sent = SQL.value(conn, "send/one", options=encode({name: one for name, one in options.items() if one}), **job)
    answer: dict[str, Any] = json.loads(sent) if sent else {"outcome": "created", "job_id": job_id}
    if answer["outcome"] == "refused":
        raise refused(answer, options)
    return answer


def send_tick(conn: Connection, timetable: Timetable, tick: Tick, start: datetime | None = None) -> Tick:
    """Send the job of a tick, to start no earlier than ``start``. The returned tick has the reason if no job was sent."""
    sent = send(conn, timetable, tick.scheduled_for, start)
    own = SQL.one(conn, "schedule/job", task=timetable.task, schedule=timetable.name, tick=tick.scheduled_for)
    if own is not None:  # this scheduler or another has already sent the job
        return replace(tick, job=own["job"])
    return replace(tick, outcome="skipped", reason=_NOT_SENT[sent["outcome"]], job=sent["job_id"])


@contextmanager
def locked(conn: Connection, timetable: Timetable, *, wait: float = 5.0) -> Iterator[Timetable]:
    """Lock a schedule for one transaction, so that only this session decides its ticks. Yields the locked schedule."""
    known = timetable.decided_to
    with lock_waits.told(conn, f"schedule {timetable.id}"), transaction(conn):
        SQL.all(conn, "schedule/bounds", lock_wait=round(1000 * wait))
        row = SQL.only(conn, "schedule/lock", task=timetable.id, decided_to=known, **timetable.line)
        is_same = row.items() >= timetable.line.items()
        yield replace(timetable, decided_to=row["decided_to"] if is_same else max(known, row["decided_to"]))


def advance(conn: Connection, timetable: Timetable, decided_to: datetime) -> None:
    """Store the time up to which all ticks of a schedule were sent or skipped."""
    progress = {"decided_to": decided_to, "next_tick": timetable.cron.next_after(decided_to, timetable.zone)}
    SQL.run(conn, "schedule/advance", task=timetable.id, **timetable.line, **progress)


def _decide(conn: Connection, timetable: Timetable, now: datetime) -> list[Tick]:
    decided_to = timetable.decided_to
    if decided_to - now > _CLOCK_PUT_BACK:
        decided_to = now  # the clock was set back; the ticks that are recorded are not decided again
    ticks = due(timetable, decided_to, now)
    done = {r["scheduled_for"] for r in SQL.all(conn, "schedule/ticks", task=timetable.id, ticks=ticks)}
    todo = [tick for tick in ticks if tick not in done]
    unfinished = next(iter(SQL.named(conn, "schedule/unfinished", names=list(timetable.names)) if todo else ()), None)
    decided = []
    for tick in decide(timetable, todo, now, unfinished):
        start = start_of(timetable, tick.scheduled_for, now)
        decided.append(send_tick(conn, timetable, tick, start) if tick.outcome == "sent" else tick)
        record(conn, decided[-1])
    advance(conn, timetable, max([decided_to, *ticks]))
    return decided


def read_line(schedule: str, cron: Mapping[str, Any]) -> tuple[Cron, ZoneInfo, timedelta, timedelta]:
    """Return a schedule's cron line, time zone, window and jitter. Raises Unreadable if one of them cannot be read."""
    try:
        lengths = [bounds.delay(name, cron[name]) for name in ("window", "jitter")]
        return parse(cron["at"]), ZoneInfo(cron["timezone"]), lengths[0], lengths[1]
    except Exception as error:
        why = f"no time zone {cron['timezone']!r} here" if isinstance(error, ZoneInfoNotFoundError) else str(error)
        raise Unreadable(f"expected a schedule that can be read, got {schedule}: {why}") from error


def _read(row: dict[str, Any], now: datetime) -> Timetable:
    cron = row["cron"]
    line, zone, window, jitter = read_line(row["schedule"], cron)
    is_known = (row["known_cron"], row["known_timezone"]) == (cron["at"], cron["timezone"])
    begun = row["applied_on"] or now  # a new or changed cron line does not apply to the time before the change
    return Timetable(
        task=row["task"],
        cron=line,
        zone=zone,
        window=window,
        jitter=jitter,
        paused=_why_paused(row),
        name="" if row["schedule"] == row["task"] else row["schedule"],
        key=row["key"],
        names=tuple(row["names"]),
        decided_to=row["decided_to"] if is_known else max(begun, row["decided_to"] or begun),
        is_known=is_known,
        **{rule: cron[rule] for rule in ("missed", "overlap", "payload")},
    )


def _why_paused(row: dict[str, Any]) -> str:
    if row["paused_by"] is not None:
        return f"paused by {row['paused_by']} since {row['paused_on']:%Y-%m-%d %H:%M} UTC"
    where = "in jobs.yaml" if row["put_by"] is None else "where it was put"
    return f"paused {where}" if row["cron"]["paused"] else ""


def _log(decided: list[Tick], now: datetime) -> None:
    log = get_logger("zeke_jobs.schedule")
    for tick in decided:
        late = round((now - tick.scheduled_for).total_seconds(), 1)
        more = {"job_id": str(tick.job), "late": late} if tick.outcome == "sent" else {"reason": tick.reason}
        log.info(tick.outcome, task=tick.task, scheduled_for=str(tick.scheduled_for), **more)
