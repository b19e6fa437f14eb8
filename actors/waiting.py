"""Pauses requests to a site, an Engine or an AI provider after an error, for a time that grows with each error."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from psycopg2.extensions import connection as Connection

from actors.retry_after import LONGEST_WAIT
from actors.store import SQL
from zeke_jobs import Context, Defer
from zeke_jobs.core.wording import when

LONGEST = timedelta(seconds=LONGEST_WAIT)
ENGINE = "engine"


def host(name: str) -> str:
    """Return the name under which a pause in the requests to a host is stored."""
    return f"host/{name}"


def model(name: str) -> str:
    """Return the name under which a pause in the calls to a model is stored."""
    return f"model/{name}"


def grown(
    failures: int, first: timedelta, longest: timedelta, asked: float | None = None, most_asked: timedelta = LONGEST
) -> timedelta:
    """Return the delay after consecutive failures. It is ``first``, doubled with each further one up to ``longest``.

    If the server ``asked`` for a longer time (in seconds), the delay is that time, up to ``most_asked``.
    """
    own: timedelta = min(first * 2 ** min(max(failures, 1) - 1, 20), longest)
    return max(own, min(timedelta(seconds=asked or 0.0), most_asked))


def note(conn: Connection, who: str, wait: timedelta, why: str = "") -> None:
    """Pause the requests of all jobs to ``who`` (such as ``host/example.org``) for ``wait``, unless a longer pause exists."""
    SQL.run(conn, "rest_note", who=who, wait=wait, why=why[:500])


def now(conn: Connection, of: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Return the pauses (``who``, ``until``, ``why``), the longest first; if ``of`` is given, only of these names."""
    return SQL.all(conn, "rests", of=None if of is None else list(of))


def rest(ctx: Context[Any], who: str, seconds: float, why: str) -> None:
    """Pause the requests of all jobs to ``who`` for this number of seconds, at most a day."""
    with ctx.transaction() as tx:
        note(tx, who, min(timedelta(seconds=seconds), LONGEST), why)


def keep(ctx: Context[Any], *who: str) -> None:
    """Raise Defer if requests to one of the names ``who`` are paused."""
    for row in now(ctx.db, who):
        raise resting(row["who"], row["until"], row["why"])


def resting(who: str, until: datetime, why: str) -> Defer:
    """Return the exception that defers a job until the pause of requests to ``who`` ends."""
    return Defer(until, f"{who} is left alone until {when(until)}: {why}")
