"""What ``plan`` says about a change in a few lines: a backtest of the newest jobs, where there are enough of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from zeke_jobs.backtest import history
from zeke_jobs.backtest.comparing import Proposal, backtest
from zeke_jobs.backtest.confidence import ENOUGH_JOBS
from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from zeke_jobs.backtest.comparing import Backtest
    from zeke_jobs.config.models import Config

_USUAL = timedelta(days=1)
#: A plan is waited for: of a busy day only the newest jobs are run again, in a second or two.
MOST_JOBS = 20_000


def of_newest(conn: Connection, before: Config, after: Config) -> Backtest | str:
    """A backtest of the last day's newest jobs, or why there is none, in words."""
    begin, end = history.period(conn, None, None, usual=_USUAL)
    row = SQL.one(conn, "backtest/newest", end=end, jobs=MOST_JOBS)
    if row is not None and row["created_on"] is not None:
        begin = max(begin, row["created_on"])
    recording = history.read(conn, before, begin, end)
    jobs = sum(sent >= 0 for sent in recording.workload.sent)
    if jobs < ENOUGH_JOBS:
        return (
            f"not enough history to say what it would have done: {jobs} jobs in the last day, {ENOUGH_JOBS} are needed"
        )
    return backtest(recording, before, Proposal(after))
