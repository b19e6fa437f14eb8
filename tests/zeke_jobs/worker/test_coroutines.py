"""Async handlers run concurrently on one event loop, use no thread, and have the same context as other handlers."""

import io
import threading
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

import zeke_jobs
from tests.waiting import eventually
from tests.zeke_jobs.sql import change
from tests.zeke_jobs.worker import handlers
from tests.zeke_jobs.worker.conftest import Jobs, Patch, Running, ended, failure, one_worker, outcome, run_of
from zeke_jobs.diagnosis import doctor
from zeke_jobs.postgres.pool import Pool
from zeke_jobs.worker.broker import JobBroker
from zeke_jobs.worker.life.heartbeat import Heartbeat
from zeke_jobs.worker.life.proof import ProofOfLife
from zeke_jobs.worker.run.interrupts import Lost

NO = "retry: {limit: 0}"
TASKS = f"""
  echo: {{handler: 'H:echo'}}
  gated: {{handler: 'H:gated_async', {NO}}}
  marked: {{handler: 'H:marked', {NO}, log: always}}
  at-desk: {{handler: 'H:at_desk', {NO}}}
  chain: {{handler: 'H:chain_async', {NO}}}
  everything: {{handler: 'H:everything', retry: {{limit: 1, delay: 0s}}}}
  blocks: {{handler: 'H:blocks', {NO}}}
  sleeps: {{handler: 'H:sleeps', {NO}}}
  exits: {{handler: 'H:exits', {NO}}}
  few: {{handler: 'H:gated_async', concurrency: 2}}
  short: {{handler: 'H:gated_async', timeout: 300ms, {NO}}}
"""


worker = one_worker(TASKS)


@pytest.fixture(autouse=True)
def places(monkeypatch: Patch) -> None:
    monkeypatch.setenv("ZEKE_JOBS_ASYNC", "12")


def test_they_run_side_by_side_beside_the_threads_and_log_and_doctor_name_one_that_blocks_the_loop(
    running: Running, log: io.StringIO
) -> None:
    with running(f"{TASKS}  wide: {{handler: 'H:gated_async', concurrency: 20}}\n", threads=1) as broker:
        held = broker.process.held
        found = {one.id: one.sentence for one in doctor.examine(broker.process.url or "").findings}
        assert found["too-few-threads"] == "task/wide may have 20 active jobs, but its workers run 12 at once"
        sent = [zeke_jobs.send("gated", {"n": n}).id for n in range(15)]
        eventually(lambda: len(handlers.CALLS) == 12)
        assert (held.free(is_async=True), held.free()) == (0, 1)
        assert outcome("echo", {"n": 1})["n"] == 1
        assert len(handlers.CALLS) == 12
        handlers.GATE.set()
        assert {zeke_jobs.wait(job, timeout=20) for job in sent} == {"event loop"}
        eventually(lambda: (held.free(is_async=True), len(held)) == (12, 0))
        job = zeke_jobs.send("sleeps", {"n": 2}).id
        eventually(lambda: "blocks the event loop" in log.getvalue(), 2.0)
        assert held.want(is_async=True) > 0
        zeke_jobs.wait(job, timeout=10)
        eventually(lambda: "the event loop goes on" in log.getvalue())
        _, line = log.getvalue().split("blocks the event loop")
        assert (str(job) in line, "time.sleep(payload.n)" in line) == (True, True)
        [blocked] = [one for one in doctor.examine(broker.process.url or "").findings if one.id == "blocked-loop"]
        assert (str(job) in blocked.sentence, "time.sleep(payload.n)" in blocked.help) == (True, True)


LATE, GONE = "it ran longer than its timeout of 0.3 s", "the job runs elsewhere"


@pytest.mark.parametrize(("task", "reason"), [("gated", "not wanted"), ("short", LATE), ("gated", GONE)])
def test_one_interrupt_reaches_its_await_with_a_reason(worker: JobBroker, table: Jobs, task: str, reason: str) -> None:
    beside = zeke_jobs.send("gated", {"n": 0}).id
    eventually(lambda: handlers.CALLS)
    job = zeke_jobs.send(task, {"n": 1}).id
    eventually(lambda: 1 in handlers.CALLS)
    if reason == "not wanted":
        zeke_jobs.cancel(job, reason)
    elif reason == GONE:
        change(table.conn, job, "state = 'rejected', worker = NULL, claim = claim + 1")
        run_of(worker, job).stop(Lost(reason))
    eventually(lambda: handlers.CALLS[2:] == [reason])
    if reason != GONE:
        assert ended(job).status == ("failed" if reason == LATE else "cancelled")
    handlers.GATE.set()
    assert zeke_jobs.wait(beside, timeout=10) == "event loop"
    assert len(handlers.CALLS) == 3


@pytest.mark.parametrize("is_patient", [True, False])
def test_a_stop_waits_for_them_and_then_hands_them_back(running: Running, jobs: Jobs, is_patient: bool) -> None:
    with running(TASKS, stop_within=10_000 if is_patient else 100):
        job = zeke_jobs.send("gated" if is_patient else "few", {"n": 1}).id
        eventually(lambda: handlers.CALLS)
        if is_patient:
            threading.Timer(0.5, handlers.GATE.set).start()
    row = jobs.row(job)
    ended = (row["state"], row["attempt"], row["deaths"], handlers.CALLS[1:])
    returned = ("queued", 0, 0, ["the worker stopped before the job had ended"])
    assert ended == (("done", 1, 0, []) if is_patient else returned)


@pytest.mark.usefixtures("log")
def test_middleware_and_logs_are_of_one_job_and_services_open_once_on_the_loop(running: Running, jobs: Jobs) -> None:
    with running(TASKS, "middleware: ['H:Marks']\nservices:\n  desk: {use: 'H:Desk'}\n"):
        sent = [zeke_jobs.send("marked", {"n": n}).id for n in range(3)]
        assert [zeke_jobs.wait(job, timeout=20) for job in sent] == [f"of {n}" for n in range(3)]
        assert sorted(handlers.CALLS) == [(n, f"of {n}") for n in range(3)]
        for n, job in enumerate(sent):
            [row] = eventually(partial(jobs.rows, "SELECT lines FROM zeke_jobs.job_log WHERE job = %s", job))
            assert [line.split()[-1] for line in row["lines"].splitlines()] == [f"of={n}"] * 2
        sent = [zeke_jobs.send("at-desk").id for _ in range(5)]
        assert [zeke_jobs.wait(job, timeout=20) for job in sent] == ["True"] * 5
        assert handlers.CALLS.count(("opened", "event loop")) == 1
    assert handlers.CALLS[-1] == ("closed", "event loop")


def test_writes_sends_steps_and_completion_of_a_transaction_commit_together_or_not_at_all(table: Jobs) -> None:
    table.rows("CREATE TABLE written (n integer)")
    state = "SELECT (SELECT array_agg(n) FROM written) AS n, (SELECT count(*) FROM zeke_jobs.step) AS steps, (SELECT count(*) FROM zeke_jobs.queue WHERE parent IS NOT NULL) AS sent"
    assert failure("chain", {"n": -1}).attempts[-1]["error"]["type"] == "ValueError"
    lost = zeke_jobs.send("chain", {"n": 0}).id
    eventually(lambda: handlers.CALLS == ["wrote"] * 2)
    table.rows("UPDATE zeke_jobs.queue SET claim = claim + 1 WHERE message_id = %s", lost)
    handlers.GATE.set()
    open_ = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
    eventually(lambda: not table.rows(open_))
    assert table.rows(state) == [{"n": None, "steps": 0, "sent": 0}]
    assert outcome("chain", {"n": 7}) == 7
    assert table.rows(state) == [{"n": [7], "steps": 1, "sent": 3}]


@pytest.mark.usefixtures("worker")
def test_the_awaitable_forms_do_what_the_blocking_ones_do_which_are_refused(table: Jobs) -> None:
    assert outcome("blocks") == "went on"
    refused: dict[str, Any] = dict(handlers.CALLS)
    assert len(refused) == 13
    words = "expected `await ctx.asend(…)` in an async handler, got ctx.send, which blocks the event loop"
    assert refused["send"] == words
    assert "async with ctx.atransaction()" in refused["db"]
    handlers.CALLS.clear()
    job = zeke_jobs.send("everything").id
    assert zeke_jobs.wait(job, timeout=20) == {"kept": 1, "event": None}
    found = zeke_jobs.status(job)
    assert found.progress == {"done": 1, "total": 2, "note": "half"}
    assert found.cost == 2
    assert handlers.CALLS == ["once"]
    assert len(table.rows("SELECT 1 FROM zeke_jobs.queue WHERE parent = %s", job)) == 2
    assert table.rows("SELECT 1 FROM zeke_jobs.lease") == []


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("how", [0, 1], ids=["in a task of its own", "in the handler"])
def test_a_handler_that_ends_its_python_ends_only_its_job(how: int) -> None:
    assert failure("exits", {"n": how}).attempts[-1]["error"]["type"] == "SystemExit"
    assert outcome("marked", {"n": 1}) == ""


def test_a_handler_that_blocks_the_loop_is_logged_while_the_database_is_unreachable(log: io.StringIO) -> None:
    found = iter([(None, "its stack")])
    process = SimpleNamespace(
        id=None, url="postgresql://somebody@127.0.0.1:1/news", proof=ProofOfLife(5.0), tick=lambda: None, stopping=False,
        held=(), runtime=SimpleNamespace(revision=1), loop=SimpleNamespace(watch=lambda: next(found, None)),
        handler_pool=Pool(),
    )  # fmt: skip
    heartbeat = Heartbeat(SimpleNamespace(process=process, notifications_arrive=True))  # type: ignore[arg-type]
    heartbeat.thread.start()
    eventually(lambda: "its stack" in log.getvalue())
    heartbeat.close()
