"""A schedule's job is like any other: it runs even if late, and is retried by its policy."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import zeke_jobs
from tests.zeke_jobs.working import working
from zeke_jobs import config
from zeke_jobs.scheduler import dispatch

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

YEARLY = """
version: 1
tasks:
  yearly:
    handler: tests.zeke_jobs.worker.handlers:fail_once
    cron: "@yearly"
    retry: {limit: 1, delay: 10ms, jitter: 0}
"""


def test_a_failing_scheduled_job_that_is_minutes_late_is_run_and_retried(conn: Connection, database: str) -> None:
    with working(config.load_text(YEARLY, "jobs.yaml"), database, threads=1):
        now = dispatch.clock(conn)
        tick = datetime(now.year + 1, 1, 1, tzinfo=now.tzinfo)
        [sent] = dispatch.beat(conn, now=tick + timedelta(minutes=7))
        assert sent.job is not None
        assert zeke_jobs.wait(sent.job, timeout=20) == 2, "the attempt that got through"
        job = zeke_jobs.status(sent.job)
    assert (job.status, job.retry_count, job.scheduled_for) == ("completed", 1, tick)
