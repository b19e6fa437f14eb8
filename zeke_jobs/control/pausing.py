"""Pause a task, a queue, a shared limit or a schedule, and resume it; a pause outlives restarts and new files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zeke_jobs.control import schedules
from zeke_jobs.errors import ZekeJobsError
from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg2.extensions import connection as Connection

KINDS = ("task", "queue", "limit", "schedule")


class UnknownTarget(ZekeJobsError):
    """There is nothing of this name to pause. The message names the nearest."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A paused target, and why it is paused.

    Attributes:
        target: ``task/ID``, ``queue/NAME``, ``limit/NAME`` or ``schedule/ID``.
        paused_by: Who did it; ``jobs.yaml`` where the file says ``paused: true``.
        waiting: Queued jobs that it holds back.
    """

    target: str
    paused_by: str
    paused_on: datetime | None
    reason: str
    waiting: int


def pause(conn: Connection, target: str, *, by: str, reason: str = "") -> bool:
    """Start no more jobs of the target until ``resume``; active jobs go on. False when it was paused already.

    Args:
        conn: An autocommit connection.
        target: ``task/ID`` (or an alias), ``queue/NAME``, ``limit/NAME``, or ``schedule/ID``, which sends no more ticks.
        by: Who pauses, for people.
        reason: Why, for people.

    Raises:
        UnknownTarget: there is none of this name.
    """
    found = _find(conn, target)
    kind, _, name = found.partition("/")
    if kind == "schedule":
        return schedules.pause(conn, name, by=by, reason=reason)
    return schedules.changed(conn, "pause/write", target=found, by=by, reason=reason)


def resume(conn: Connection, target: str, *, by: str = "") -> bool:
    """Start jobs of the target again, at once. False when nobody had paused it.

    Args:
        conn: An autocommit connection.
        target: As for ``pause``.
        by: Who resumes, for people.

    Raises:
        UnknownTarget: there is none of this name.
    """
    standing = {one.target for one in paused(conn)}
    # A target that has left jobs.yaml may still be paused, and would come back paused.
    found = target if target in standing else _find(conn, target)
    kind, _, name = found.partition("/")
    # A pause that stands under a name which is an alias by now is not that of the schedule in force.
    if kind == "schedule" and schedules.resume(conn, name, by=by):
        return True
    return schedules.changed(conn, "pause/end", target=found, by=by)


def paused(conn: Connection) -> list[Pause]:
    """All that is paused, by people and by jobs.yaml."""
    return [Pause(**row) for row in SQL.all(conn, "pause/list")]


def _find(conn: Connection, target: str) -> str:
    from zeke_jobs.core.quoting import quote, suggest

    known: dict[str, str] = {}
    for row in SQL.all(conn, "pause/targets"):
        kind = row["target"].partition("/")[0]
        known.update({f"{kind}/{name}": row["target"] for name in row["aliases"]})
        known[row["target"]] = row["target"]
    if target in known:
        return known[target]
    whole = [name for name in known if name.partition("/")[2] == target]
    help_ = f"did you mean {quote(whole[0])}?" if whole else suggest(target, known, what="targets")
    shown = help_ or "the catalogue is empty until a worker has started"
    raise UnknownTarget(f"expected {', '.join(f'{kind}/NAME' for kind in KINDS)}, got {quote(target)}; {shown}")
