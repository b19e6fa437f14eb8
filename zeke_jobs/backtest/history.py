"""Reads the recorded jobs of a time: rows that are still there, and history lines of purged ones."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from psycopg2.extensions import connection as Connection
from psycopg2.extras import NamedTupleCursor

from zeke_jobs.backtest.recording import Recorder
from zeke_jobs.backtest.workload import Workload
from zeke_jobs.config.models import Config
from zeke_jobs.postgres.pool import transaction
from zeke_jobs.postgres.queries import SQL, Row

_AT_ONCE = 5_000  # rows in one fetch
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Recording:
    """The recorded jobs from ``begin`` to ``end``, and the facts about that time: a row of ``backtest/facts``."""

    begin: datetime
    end: datetime
    workload: Workload
    oddities: Counter[str]
    facts: Row


def facts(conn: Connection, begin: datetime, end: datetime) -> Row:
    """Read the facts about a time."""
    return SQL.named(conn, "backtest/facts", begin=begin, end=end)[0]


def period(conn: Connection, begin: datetime | None = None, end: datetime | None = None) -> tuple[datetime, datetime]:
    """The time to read: by default the last day, but not from before the first known job."""
    known = facts(conn, _LONG_AGO, _LONG_AGO)
    end = end or known.now
    if begin is None:
        begin = end - timedelta(days=1)
        if known.first_job is not None:
            begin = max(begin, min(known.first_job, end))
    return begin, end


def read(conn: Connection, config: Config, begin: datetime, end: datetime) -> Recording:
    """Read the jobs from ``begin`` to ``end``.

    ``config`` tells a task's own priority from a sender's, and the policy's retry delay from a handler's.
    """
    recorder = Recorder(config, begin.timestamp(), end.timestamp())
    # One snapshot for all rows, so that a job purged meanwhile is neither lost nor read twice.
    with transaction(conn), conn.cursor("backtest", NamedTupleCursor, withhold=True) as cursor:
        cursor.itersize = _AT_ONCE
        cursor.execute(SQL.text("backtest/jobs"), {"begin": begin, "end": end})  # type: ignore[no-untyped-call]
        for row in cursor:
            recorder.add(row)
    return Recording(begin, end, recorder.finish(), recorder.oddities, facts(conn, begin, end))
