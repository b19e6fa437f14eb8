"""The last log lines of an attempt are stored with the job when the attempt ends."""

import io
import logging
from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.waiting import eventually
from tests.zeke_jobs.sql import value
from tests.zeke_jobs.worker import conftest
from tests.zeke_jobs.worker.conftest import Patch, Running
from tests.zeke_jobs.worker.handlers import CALLS, GATE
from zeke_jobs.core import logs
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.claim.claims import Claim
from zeke_jobs.worker.finish.completer import CompletedLines
from zeke_jobs.worker.finish.outcome import Outcome
from zeke_jobs.worker.finish.writer import store_logs

TASK = "  talk: {{handler: 'F:talk', retry: {{limit: 1, delay: 1ms}}, log_lines: 3{more}}}"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Configure the readable log of a command line, and return its text."""
    before = logging.getLogger().handlers[:], logging.getLogger().level
    written = io.StringIO()
    logs.configure(written, json=False)
    yield written
    logging.getLogger().handlers[:] = before[0]
    logging.getLogger().setLevel(before[1])
    logging.captureWarnings(capture=False)


def kept(conn: Connection, job: Any) -> list[dict[str, Any]]:
    return SQL.all(conn, "job/log", id=job)


def test_an_attempt_that_fails_has_its_last_lines(running: Running, conn: Connection, log: io.StringIO) -> None:
    with running(TASK.format(more="")):
        job = zeke_jobs.send("talk").id
        eventually(lambda: zeke_jobs.status(job).retry_count == 1)
        (first,) = kept(conn, job)  # The lines are stored no later than the outcome.
        zeke_jobs.wait(job, timeout=20)
    # Only the first attempt failed, so only its lines are kept.
    assert [one["attempt"] for one in kept(conn, job)] == [1]
    lines = first["lines"].split("\n")
    assert [line.partition("] ")[2] for line in lines] == ["step number=9", "step number=10", "half done"]
    assert first["dropped"] == 9
    assert "Traceback" in log.getvalue()
    assert "in talk" in log.getvalue()


@pytest.mark.usefixtures("log")
def test_all_attempts_have_theirs_or_none_where_the_task_wants_that(running: Running, conn: Connection) -> None:
    tasks = TASK.format(more=", log: always") + "\n  complete: {handler: 'F:talk_and_complete', log: always}"
    tasks += "\n  chunk: {handler: 'tests.zeke_jobs.worker.test_chunks:each', chunk: {size: 2, wait: 5s}, log: always}"
    tasks += "\n  whisper: {handler: 'F:whisper', sensitive: [word], log: always}"
    with running(f"{tasks}\n  never: {{handler: 'F:talk', retry: {{limit: 0}}, log: never}}"):
        talk, complete, never = (zeke_jobs.send(task).id for task in ("talk", "complete", "never"))
        zeke_jobs.wait(talk, timeout=20)
        eventually(lambda: zeke_jobs.status(never).has_ended)
        eventually(lambda: len(kept(conn, talk)) == 2 and len(kept(conn, complete)) == 1)
        whispered = zeke_jobs.send("whisper", {"word": "sesame-123"}).id
        (found,) = eventually(lambda: kept(conn, whispered))
        for sent in zeke_jobs.send_many("chunk", [{"n": 1}, {"n": 2}]):
            eventually(partial(kept, conn, sent.id))
    assert [one["attempt"] for one in kept(conn, talk)] == [1, 2]
    assert kept(conn, never) == []
    assert found["lines"].count("[info] ***") == 2
    assert "sesame-123" not in found["lines"]


@pytest.mark.usefixtures("log")
def test_a_handler_that_ends_after_its_job_leaves_the_lines_of_the_end(running: Running, conn: Connection) -> None:
    """A stopping worker ends a job whose handler continues."""
    with running("  wait: {handler: 'F:log_and_wait'}") as broker:
        job = zeke_jobs.send("wait").id
        eventually(lambda: CALLS == ["began"])
        (claim,) = broker.process.held.all()
        broker.process.settle(claim, Outcome("returned"), gives_up=True)
        eventually(lambda: len(kept(conn, job)) == 1)
        GATE.set()
    assert "before the gate" in kept(conn, job)[0]["lines"]


@pytest.mark.usefixtures("log")
def test_a_line_says_what_its_values_were_when_it_was_logged() -> None:
    changing, long = ["one"], "x" * 3_000
    with logs.capturing(10) as captured:
        logs.get_logger().info("given", values=changing, none=None, text="a b", number=1.5)
        logging.getLogger("library").warning("given %s \0", changing, extra={"more": changing})
        logs.get_logger().info(long)
        logs.get_logger().error("broke", exc_info=ValueError("no \0 luck"))
        changing.append("two")
    text, dropped = captured.read()
    first, second, third, fourth, error = (line.partition("] ")[2] or line for line in text.split("\n"))
    assert first == "given values=['one'] none=None text='a b' number=1.5"
    assert second == r"given ['one'] \x00 more=['one']"
    assert (len(text.split("\n")[2]), third[-1]) == (2_001, "…")
    assert (fourth, error, dropped) == ("broke", r"    ValueError: no \x00 luck", 0)


def test_no_lines_come_for_a_job_that_is_gone(conn: Connection) -> None:
    gone = a_claim()
    with logs.capturing(1) as gone.log:
        logging.getLogger("late").info("too late")
    store_logs(conn, [gone])
    assert value(conn, "SELECT count(*) FROM zeke_jobs.job_log") == 0


def a_claim(**values: Any) -> Claim:
    job = UUID("01a21ebc-c810-7bd9-9f0b-58022d06086d")
    return conftest.a_claim(job, 1, "greet", received=10.0, started=10.5, done=12.5, **values)


def test_a_completed_job_is_a_line_with_its_time_and_its_output_up_to_ten_a_second(
    log: io.StringIO, monkeypatch: Patch
) -> None:
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "console")
    now = 5.0
    lines = CompletedLines(lambda: now)
    assert lines.log(a_claim(), Outcome("completed", '"Hello, Ada"'))
    assert 'greet 2d06086d completed in 2s: "Hello, Ada"' in log.getvalue()
    lines.log(a_claim(sensitive=("word",)), Outcome("completed", '"sesame"'))
    assert "sesame" not in log.getvalue()
    assert [lines.log(a_claim(), Outcome("completed")) for _ in range(12)].count(True) == 8
    now = 6.1
    assert lines.log(a_claim(), Outcome("completed"))
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "json")
    assert not CompletedLines().log(a_claim(), Outcome("completed")), "machines get sums"
