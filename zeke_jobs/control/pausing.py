"""Pauses and resumes a task, a queue, a shared limit or a schedule; a pause survives restarts and new files."""

from psycopg2.extensions import connection as Connection

from zeke_jobs.errors import UnknownTask
from zeke_jobs.postgres.queries import SQL, Row
from zeke_jobs.revisions import store
from zeke_jobs.scheduler import dispatch

_ALL = 2**31 - 1
KINDS = ("task", "queue", "limit", "schedule")


def pause(conn: Connection, target: str, *, by: str, reason: str = "") -> bool:
    """Stop starting jobs of the target until ``resume``; active jobs go on. False when it was already paused.

    It is ``task/ID`` (or an alias), ``queue/NAME``, ``limit/NAME``, or ``schedule/ID``, which stops sending ticks.
    Raises UnknownTask if no target has this name.
    """
    return bool(SQL.value(conn, "pause/write", target=_find(conn, target), by=by, reason=reason))


def resume(conn: Connection, target: str, *, by: str = "") -> bool:
    """Start jobs of the target again, at once. False when it was not paused.

    Raises:
        UnknownTask: no target has this name.
        Contended: another session holds the schedule.
    """
    standing = {one.target for one in paused(conn)}
    # A target that left jobs.yaml may still be paused; without this it would be paused again when it returns.
    found = target if target in standing else _find(conn, target)
    kind, _, name = found.partition("/")
    # A pause under a name that is now an alias does not belong to the schedule in force.
    schedule = dispatch.in_force(conn, name, now=dispatch.clock(conn)) if kind == "schedule" else None
    if schedule is None:
        return bool(SQL.value(conn, "pause/end", target=found, by=by))
    with dispatch.locked(conn, schedule) as held:
        is_ended = bool(SQL.value(conn, "pause/end", target=found, by=by))
        if is_ended:  # ticks of the pause are not sent later
            dispatch.advance(conn, held, max(held.decided_to, dispatch.clock(conn)))
        return is_ended


def paused(conn: Connection) -> list[Row]:
    """All pauses, by people and by jobs.yaml: the columns of ``pause/list``, and ``ends_on`` and ``set_key`` of ``pauses``."""
    return store.pauses(conn, "pause/list", most=_ALL)


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
    raise UnknownTask(f"expected {', '.join(f'{kind}/NAME' for kind in KINDS)}, got {quote(target)}; {shown}")
