"""Log lines of attempts are kept with their job, and visible while it runs."""

from __future__ import annotations

import io
import logging
from contextvars import copy_context
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import pytest

import zeke_jobs
from tests.waiting import eventually
from zeke_jobs.core import logs
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.claim.claims import Claim
from zeke_jobs.worker.finish.completed_lines import CompletedLines
from zeke_jobs.worker.finish.outcome import Completed
from zeke_jobs.worker.run.job_log import JobLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.postgres.pool import Pool
    from zeke_jobs.worker.broker import JobBroker

    Running = Callable[..., AbstractContextManager[JobBroker]]

TASK = "  talk: {{handler: 'H:talk', retry: {{limit: 1, delay: 1ms}}, log_lines: {most}}}"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The log of a command line, in its readable form."""
    before = logging.getLogger().handlers[:], logging.getLogger().level
    written = io.StringIO()
    logs.configure(written, json=False)
    yield written
    logging.getLogger().handlers[:] = before[0]
    logging.getLogger().setLevel(before[1])
    logging.captureWarnings(capture=False)


def kept(conn: Connection, job: Any) -> list[dict[str, Any]]:
    return SQL.all(conn, "job/log", id=job)


def test_each_attempts_last_lines_are_kept_with_its_job(running: Running, conn: Connection, log: io.StringIO) -> None:
    with running(TASK.format(most=3)):
        job = zeke_jobs.send("talk").id
        zeke_jobs.wait(job, timeout=20)
        eventually(lambda: len(kept(conn, job)) == 2)
    first, second = kept(conn, job)
    assert [line.partition("] ")[2] for line in first["lines"].split("\n")] == [
        "step number=9",
        "step number=10",
        "half done",
    ]
    assert (first["attempt"], second["attempt"], first["dropped"]) == (1, 2, 9)
    assert "Traceback" in log.getvalue()
    assert "in talk" in log.getvalue()


def test_none_are_kept_where_the_task_wants_none(running: Running, conn: Connection, log: io.StringIO) -> None:
    with running(TASK.format(most=0)):
        job = zeke_jobs.send("talk").id
        zeke_jobs.wait(job, timeout=20)
    assert kept(conn, job) == []
    assert "half done" in log.getvalue()


def test_a_sensitive_value_is_masked_in_what_is_kept(running: Running, conn: Connection, log: io.StringIO) -> None:
    del log
    with running("  whisper: {handler: 'H:whisper', sensitive: [word]}"):
        job = zeke_jobs.send("whisper", {"word": "sesame-123"}).id
        zeke_jobs.wait(job, timeout=20)
        eventually(lambda: bool(kept(conn, job)))
    (found,) = kept(conn, job)
    assert "[info] ***" in found["lines"]
    assert "sesame-123" not in found["lines"]


def test_a_thread_that_logs_after_its_handler_leaves_nothing_behind(log: io.StringIO) -> None:
    del log
    job_log = JobLog(cast("Pool", None))
    with job_log.keeping(a_claim(), 5):
        context = copy_context()
    context.run(logging.getLogger("late").info, "too late")
    assert not job_log._open
    with job_log.keeping(a_claim(), 5):
        logging.getLogger("in time").info("now")
        assert len(job_log._open) == 1
    assert not job_log._open
    assert len(job_log._ended) == 1


def test_the_lines_go_with_their_job(running: Running, conn: Connection, log: io.StringIO) -> None:
    del log
    with running(TASK.format(most=3)):
        job = zeke_jobs.send("talk").id
        zeke_jobs.wait(job, timeout=20)
        eventually(lambda: len(kept(conn, job)) == 2)
    with conn.cursor() as cursor:
        cursor.execute("DELETE FROM zeke_jobs.queue")
        cursor.execute("SELECT count(*) FROM zeke_jobs.job_log")
        assert cursor.fetchall() == [(0,)]


def test_lines_that_came_while_their_job_was_removed_are_removed_next_time(conn: Connection) -> None:
    gone = a_claim()
    with conn.cursor() as cursor:
        cursor.execute(
            "INSERT INTO zeke_jobs.job_log (job, claim, attempt, lines, dropped) VALUES (%s, 1, 1, 'late', 0)",
            (str(gone.id),),
        )
    nothing: list[Any] = []
    SQL.run(
        conn,
        "job/keep_log",
        before=[gone.id],
        jobs=nothing,
        claims=nothing,
        attempts=nothing,
        lines=nothing,
        dropped=nothing,
    )
    assert kept(conn, gone.id) == []


def a_claim(**values: Any) -> Claim:
    job = UUID("01a21ebc-c810-7bd9-9f0b-58022d06086d")
    return Claim(
        job, 1, "greet", 0, 0, 0, 1, None, None, datetime.now(UTC), received=10.0, started=10.5, done=12.5, **values
    )


def test_a_completed_job_is_a_line_with_its_task_its_short_id_how_long_it_took_and_its_output(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "console")
    assert CompletedLines().log(a_claim(), Completed('"Hello, Ada"'))
    assert 'greet 2d06086d completed in 2s: "Hello, Ada"' in log.getvalue()


def test_an_output_that_may_quote_a_sensitive_field_is_not_shown(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "console")
    CompletedLines().log(a_claim(sensitive=("word",)), Completed('"sesame"'))
    assert "sesame" not in log.getvalue()


def test_above_ten_a_second_they_are_counted_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "console")
    now = 5.0
    lines = CompletedLines(lambda: now)
    assert [lines.log(a_claim(), Completed()) for _ in range(12)].count(True) == 10
    now = 6.1
    assert lines.log(a_claim(), Completed())


def test_machines_get_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "json")
    assert not CompletedLines().log(a_claim(), Completed())
