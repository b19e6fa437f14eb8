"""Jobs sent before their task had a per-key limit, and committed after."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.zeke_jobs.worker.conftest import NOON, Jobs
from zeke_jobs.revisions import rows
from zeke_jobs.testing import set_clock

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

WITHOUT = "  a: {handler: 'H:echo'}"
KEYED = "  a: {handler: 'H:echo', concurrency: {per_key: 1}}"


@pytest.fixture
def late(jobs: Jobs, other_conn: Connection) -> UUID:
    """A job whose sender was slow: at noon its task got a per-key limit while the send was under way."""
    set_clock(jobs.conn, NOON)
    jobs.use(WITHOUT)
    sender = Jobs(other_conn)
    sender.rows("BEGIN")
    (job,) = sender.add("a")
    jobs.use(KEYED)
    sender.rows("COMMIT")
    return job


def look(jobs: Jobs, after: float) -> int:
    """A heartbeat, so many seconds after noon; answers how many jobs a claim finds then."""
    set_clock(jobs.conn, NOON + timedelta(seconds=after))
    if "gather" in jobs.rows("SELECT zeke_jobs.chores() AS chores")[0]["chores"]:
        rows.gather(jobs.conn)
    return len(jobs.claim(jobs.worker(), 9))


def test_a_job_sent_while_its_task_got_a_per_key_limit_gets_a_key_at_a_heartbeat(jobs: Jobs, late: UUID) -> None:
    assert look(jobs, 4) == 0
    assert look(jobs, 5) == 1
    assert jobs.row(late)["key"] == str(late)


def test_the_looks_become_rarer_and_end_after_a_day(jobs: Jobs, late: UUID) -> None:
    due = []
    moment = 0.0
    while (row := jobs.rows("SELECT keyed_on, keys_due FROM zeke_jobs.task")[0])["keys_due"] is not None:
        moment = (row["keys_due"] - row["keyed_on"]).total_seconds()
        due.append(moment)
        look(jobs, moment)
    assert due[:4] == [5, 10, 20, 40]
    assert (len(due), due[-1] > 86_400) == (16, True)
    assert look(jobs, moment * 3) == 0


def test_a_limit_that_is_taken_away_and_given_again_is_a_new_one(jobs: Jobs, late: UUID) -> None:
    look(jobs, 5)
    jobs.use(WITHOUT + "  # without")
    set_clock(jobs.conn, NOON + timedelta(hours=1))
    jobs.use(KEYED + "  # again")
    assert jobs.rows("SELECT keyed_on FROM zeke_jobs.task") == [{"keyed_on": NOON + timedelta(hours=1)}]
