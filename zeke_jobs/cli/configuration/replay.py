"""The backtest of a change in ``zeke-jobs plan``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zeke_jobs.backtest.comparing import Backtest, of_newest
from zeke_jobs.cli.configuration import backtest_report
from zeke_jobs.cli.output import escape, tell, when
from zeke_jobs.revisions import store

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from zeke_jobs.revisions.proposal import Proposal


def show(conn: Connection, proposal: Proposal) -> None:
    """Print the headline; nothing when the change has no effect on jobs."""
    answer = _answer(conn, proposal)
    if isinstance(answer, str):
        tell(f"backtest: {escape(answer)}")
    elif answer is not None:
        tell(
            f"backtest of {answer.jobs:,} jobs since {when(answer.begin)}, confidence {answer.confidence.level}"
            " (zeke-jobs backtest shows all)"
        )
        for line in backtest_report.headline(answer):
            tell(f"    {line}")


def as_data(conn: Connection, proposal: Proposal) -> dict[str, Any] | None:
    """The whole backtest as JSON for scripts, or the reason why there is none."""
    answer = _answer(conn, proposal)
    if answer is None:
        return None
    return {"none": answer} if isinstance(answer, str) else backtest_report.as_data(answer)


def _answer(conn: Connection, proposal: Proposal) -> Backtest | str | None:
    if proposal.latest is None or not proposal.plan.changes:
        return None
    if proposal.before is None:
        return "this code can no longer read the revision in force"
    if not store.sees_all(conn):
        return "it reads the keys of jobs, so it needs a login with the role zeke_jobs_operator"
    return of_newest(conn, proposal.before, proposal.config)
