"""The one way to wait: a refusal of a site, an Engine or a provider becomes a rest that all jobs keep, or a delay that grows."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg2.extensions import connection as Connection

from actors.retry_after import LONGEST_WAIT
from actors.store.statements import SQL
from zeke_jobs import Context, Defer

LONGEST = timedelta(seconds=LONGEST_WAIT)
ENGINE = "engine"


def host(name: str) -> str:
    """The name of a host among those that rest."""
    return f"host/{name}"


def model(name: str) -> str:
    """The name of a model among those that rest."""
    return f"model/{name}"


def grown(
    failures: int, first: timedelta, longest: timedelta, asked: float | None = None, most_asked: timedelta = LONGEST
) -> timedelta:
    """The delay after consecutive failures: ``first``, doubled with each further one up to ``longest``.

    Or the seconds that were ``asked`` for, up to ``most_asked``, if they are more.
    """
    own: timedelta = min(first * 2 ** min(max(failures, 1) - 1, 20), longest)
    return max(own, min(timedelta(seconds=asked or 0.0), most_asked))


def note(conn: Connection, who: str, wait: timedelta, why: str = "") -> None:
    """Let ``who`` (such as ``host/example.org``) rest for ``wait``; a longer rest from before stays."""
    SQL.run(conn, "rest_note", who=who, wait=wait, why=why[:500])


def now(conn: Connection, of: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """``who`` rests now, ``until`` when and ``why``, the longest first: all, or ``of`` some."""
    return SQL.all(conn, "rests", of=None if of is None else list(of))


def rest(ctx: Context[Any], who: str, seconds: float, why: str) -> None:
    """Let nobody ask ``who`` for some seconds, a day at most."""
    with ctx.transaction() as tx:
        note(tx, who, min(timedelta(seconds=seconds), LONGEST), why)


def keep(ctx: Context[Any], *who: str) -> None:
    """Put the job off until none of them rests any more. Raises Defer if one of them rests."""
    for row in now(ctx.db, who):
        raise resting(row["who"], row["until"], row["why"])


def resting(who: str, until: datetime, why: str) -> Defer:
    """The exception for a job that met one that rests."""
    return Defer(until, f"{who} is left alone until {until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC: {why}")
