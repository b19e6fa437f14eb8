"""Pauses and resumes tasks, queues, limits and schedules. Lists schedules, and runs them now or for past ticks.

The functions raise UnknownTask or NoSchedule for an unknown name, and Contended if another session holds a lock.
"""

from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from psycopg2.extensions import connection as Connection

from zeke_jobs.client.task_cache import unknown_task
from zeke_jobs.core.quoting import quote, suggest
from zeke_jobs.errors import QueueFull, UnknownTask, ZekeJobsError
from zeke_jobs.postgres.pool import transaction
from zeke_jobs.postgres.queries import SQL, Row
from zeke_jobs.revisions import store
from zeke_jobs.scheduler import dispatch
from zeke_jobs.scheduler.rules import Tick, Timetable

MOST = 10_000  # maximum number of ticks in one backfill; a larger request is probably a typing error


class NoSchedule(ZekeJobsError):
    """The task exists, but has no cron in jobs.yaml."""


def listed(conn: Connection) -> list[dict[str, Any]]:
    """Return the rows of ``zeke_jobs.schedule``, each with its next tick, or the fault of an unreadable one."""
    now = dispatch.clock(conn)
    rows = SQL.all(conn, "schedule/list")
    for row in rows:
        row["fault"] = row["next_tick"] = None
        cron = {"at": row["cron"], "timezone": row["timezone"], **row["options"]}
        try:
            line, zone, *_ = dispatch.read_line(row["schedule"], cron)
        except dispatch.Unreadable as error:
            row["fault"] = str(error)
        else:
            row["next_tick"] = line.next_after(now, zone)
    return rows


def find(conn: Connection, name: str) -> Timetable:
    """Find the schedule of a task by the task's id or alias, or a stored schedule by its name."""
    stored = dispatch.in_force(conn, name, now=dispatch.clock(conn))
    if stored is not None:
        return stored
    row = SQL.one(conn, "send/task", task=name)
    if row is None:
        raise unknown_task(name, [row["name"] for row in SQL.all(conn, "send/task_names")])
    found = dispatch.in_force(conn, row["id"], now=dispatch.clock(conn))
    if found is not None:
        return found
    if several := [one["schedule"] for one in SQL.all(conn, "schedule/list") if one["task"] == row["id"]]:
        raise NoSchedule(f"expected one schedule of {row['id']}, got the task, which has {', '.join(several)}")
    raise NoSchedule(
        f"expected a task with a schedule, got {row['id']}, which has no cron in jobs.yaml\n"
        "  help: zeke-jobs schedule lists the tasks that have one"
    )


def next_ticks(conn: Connection, name: str, count: int) -> list[datetime]:
    """Return the next ``count`` ticks from now, in UTC. There are fewer if the year 10000 comes first."""
    timetable = find(conn, name)
    return list(islice(timetable.cron.after(dispatch.clock(conn), timetable.zone), count))


def run_now(conn: Connection, name: str, *, by: str = "") -> UUID:
    """Send one job of the schedule now, even if the schedule is paused. Raises QueueFull, like ``send``."""
    timetable = find(conn, name)
    with transaction(conn):
        if (sent := dispatch.send(conn, timetable, None))["outcome"] != "full":
            SQL.run(conn, "audit/sent", action="run", task=timetable.id, by=by, reason="", jobs=[sent["job_id"]])
    if sent["outcome"] == "full":
        raise QueueFull(f"expected room in the queue of {timetable.task}, got as many jobs as its max_queued lets wait")
    return UUID(sent["job_id"])


def backfill(
    conn: Connection, name: str, start: datetime, end: datetime, *, dry_run: bool = False, by: str = ""
) -> list[Tick]:
    """Send a job for each tick from ``start`` to ``end`` (inclusive) that has no job. Returns all ticks of the range.

    A tick that already has a job is skipped. The jobs may run at the same time even if ``overlap`` is ``skip``. Raises
    ValueError if the range is reversed, ends in the future, or has more than ``MOST`` ticks.
    """
    timetable = find(conn, name)
    if not start <= end <= dispatch.clock(conn):
        raise ValueError(f"expected a range that has passed, got {start} to {end}")
    ticks = list(islice(timetable.cron.between(start - timedelta(microseconds=1), end, timetable.zone), MOST + 1))
    if len(ticks) > MOST:
        raise ValueError(f"expected at most {MOST} ticks, got more; choose a shorter range")
    with dispatch.locked(conn, timetable):
        sent = {
            row["scheduled_for"]: row["job"]
            for row in SQL.all(conn, "schedule/ticks", task=timetable.id, ticks=ticks)
            if row["outcome"] == "sent"
        }
        done = []
        for at in ticks:
            tick = Tick(timetable.id, at, "sent")
            if at in sent:
                tick = Tick(timetable.id, at, "skipped", "sent before", sent[at])
            elif not dry_run:
                tick = dispatch.send_tick(conn, timetable, tick)
                dispatch.record(conn, tick, origin="backfill")
            done.append(tick)
        if not dry_run:
            new = [str(tick.job) for tick in done if tick.outcome == "sent"]
            reason = f"{start:%Y-%m-%dT%H:%M%z} to {end:%Y-%m-%dT%H:%M%z}"
            SQL.run(conn, "audit/sent", action="backfill", task=timetable.id, by=by, reason=reason, jobs=new)
        return done


KINDS = ("task", "queue", "limit", "schedule")


def pause(conn: Connection, target: str, *, by: str, reason: str = "") -> bool:
    """Start no jobs of a target until ``resume`` is called. Active jobs go on. Returns False if it was paused already.

    Targets: ``task/ID`` (id or alias), ``queue/NAME``, ``limit/NAME``, ``schedule/ID`` (a schedule then sends no jobs).
    """
    return bool(SQL.value(conn, "pause/write", target=_find(conn, target), by=by, reason=reason))


def resume(conn: Connection, target: str, *, by: str = "") -> bool:
    """Let jobs of the target start again at once. Returns False if the target was not paused."""
    standing = {one.target for one in paused(conn)}
    # A target that left jobs.yaml may still be paused. End this pause too, or it would apply if the target comes back.
    found = target if target in standing else _find(conn, target)
    kind, _, name = found.partition("/")
    # ``schedule`` is None if no schedule in force has this name any more, for example after its task was renamed.
    schedule = dispatch.in_force(conn, name, now=dispatch.clock(conn)) if kind == "schedule" else None
    if schedule is None:
        return bool(SQL.value(conn, "pause/end", target=found, by=by))
    with dispatch.locked(conn, schedule) as held:
        is_ended = bool(SQL.value(conn, "pause/end", target=found, by=by))
        if is_ended:  # ticks during the pause are not sent later
            dispatch.advance(conn, held, max(held.decided_to, dispatch.clock(conn)))
        return is_ended


def paused(conn: Connection) -> list[Row]:
    """Return the pauses by people and by jobs.yaml, with the columns of ``pause/list``, ``ends_on`` and ``set_key``."""
    return store.pauses(conn, "pause/list", most=2**31 - 1)


def _find(conn: Connection, target: str) -> str:
    known: dict[str, str] = {}
    for row in SQL.all(conn, "pause/targets"):
        kind = row["target"].partition("/")[0]
        known.update({f"{kind}/{name}": row["target"] for name in row["aliases"]})
        known[row["target"]] = row["target"]
    if target in known:
        return known[target]
    whole = [name for name in known if name.partition("/")[2] == target]
    near = f"did you mean {quote(whole[0])}?" if whole else suggest(target, known, what="targets")
    help_ = near or "the catalogue is empty until a worker has started"
    raise UnknownTask(f"expected {', '.join(f'{kind}/NAME' for kind in KINDS)}, got {quote(target)}; {help_}")
