"""A real worker in this process runs one job for each way in which a handler can end."""

import gc
import time
import weakref
from typing import Any

import pytest

import zeke_jobs
from tests.each import cases, each
from tests.waiting import eventually
from tests.zeke_jobs.worker import handlers
from tests.zeke_jobs.worker.conftest import Jobs, Patch, Running, ended, failure, one_worker, outcome, run_of
from zeke_jobs import Context
from zeke_jobs.worker.broker import JobBroker
from zeke_jobs.worker.run.interrupts import TimedOut

TASKS = """
  echo: {handler: 'H:echo'}
  echo-async: {handler: 'H:echo_async'}
  greet: {handler: 'H:greet', settings: {greeting: good morning}}
  fail: {handler: 'H:fail', retry: {limit: 2, delay: 0s}}
  fail-inside: {handler: 'H:fail_inside', retry: {limit: 0}}
  fail-inside-async: {handler: 'H:fail_inside_async', retry: {limit: 0}}
  fail-once: {handler: 'H:fail_once', retry: {limit: 2, delay: 0s}}
  ends: {handler: 'H:ends', retry: {limit: 2, delay: 5m}}
  chain: {handler: 'H:chain', retry: {limit: 0}}
  fan-out: {handler: 'H:fan_out', retry: {limit: 0}}
  fan-out-into-a-narrow-task: {handler: 'H:fan_out_into_a_narrow_task', retry: {limit: 0}}
  narrow: {handler: 'H:echo', max_queued: 1, paused: true}
  again: {handler: 'H:chain_itself', timeout: 5s, retry: {limit: 0}}
  complete-and-wait: {handler: 'H:complete_and_wait'}
  gated: {handler: 'H:gated'}
  odd: {handler: 'H:ends', retry: {limit: 0}}
"""


def task(handler: str) -> str:
    return handler.replace("_", "-")


#: The database stores the texts in ODD for ends that cannot be stored unchanged.
ODD = {
    "nonsense": "the output cannot be stored: expected a JSON value, got object",
    "odd rejection": "no \N{SYMBOL FOR NULL} \\ud800 thanks",
    "mute": "Mute, whose text cannot be read (RuntimeError)",
    "beyond time": "expected the delay of Defer as at most 100 years, got ",
    "past the checks": "expected until from 1970-01-01 to 9000-01-01, got 9999-12-31",
    "deep value": "the output cannot be stored: expected at most 100 lists and objects inside each other",
    "busy": "Busy does not decide about the job: AttributeError: ",
}
#: The handlers in LONG run until something stops them, and the handlers in STUBBORN continue even then.
LONG = ("busy", "query", "wait_async")
STUBBORN = ("swallow", "swallow_async")
for name in (*LONG, *STUBBORN):
    TASKS += f"  {task(name)}: {{handler: 'H:{name}', retry: {{limit: 0}}}}\n"
    TASKS += f"  short-{task(name)}: {{handler: 'H:{name}', timeout: 300ms, retry: {{limit: 0}}}}\n"
worker = one_worker(TASKS)
pytestmark = pytest.mark.usefixtures("worker")
LARGE = "é".join(map(str, range(3_000)))  # The text remains long when Postgres compresses it.


@each(
    "task payload output",
    ("echo", {"n": 3}, {"n": 3, "attempt": 1, "task": "echo"}),
    ("echo-async", {"n": 4}, 4),
    ("ends", {"story_id": LARGE}, LARGE),
    ("greet", {}, "good morning"),
    ("ends", {"story_id": "settings"}, ["good morning", None, None]),
    ("fail-once", {}, 2),
    ("ends", {"story_id": "retry"}, 2),
    ("ends", {"story_id": "defer"}, 1),
    ("chain", {"story_id": "after"}, {"sent": 1}),
)
def test_the_return_value_of_the_attempt_that_gets_through_is_the_output(task: str, payload: Any, output: Any) -> None:
    assert outcome(task, payload) == output


@pytest.mark.parametrize("task", ["fail-inside", "fail-inside-async"])
def test_a_traceback_shows_the_handler_and_where_it_was_raised_and_no_other_frame_of_ours(task: str) -> None:
    lines = failure(task).attempts[0]["error"]["traceback"].splitlines()
    frames = [line.split(", ")[-1] for line in lines if line.startswith("  File ")]
    assert frames == ["in send_wrongly", "in accept", f"in {task.replace('-', '_')}", "in send_wrongly"]
    assert lines[-1] == "RuntimeError: could not send"


def test_a_rejected_job_fails_without_a_retry() -> None:
    job = failure("ends", {"story_id": "reject"})
    assert (job.status, job.retry_count, job.attempts[-1]["error"]["details"]) == ("failed", 0, {"url": "x"})


@each("end", ODD)
def test_an_end_that_could_not_be_stored_as_it_is_still_ends_the_job_and_no_other(end: str) -> None:
    job = failure("odd", {"story_id": end})
    assert (job.retry_count, ODD[end] in job.attempts[-1]["error"]["message"]) == (0, True)
    assert outcome("echo-async", {"n": 4}) == 4


@cases(
    "payload outcomes words",
    ('{"n": "many"}', ["failed"], "payload does not fit fail: n: "),
    ('{"self": 1}', ["retry", "retry", "failed"], "TypeError"),
)
def test_another_programs_payload_that_does_not_fit_fails(
    worker: JobBroker, table: Jobs, payload: str, outcomes: list[str], words: str
) -> None:
    row = "gen_random_uuid(), 'default', jsonb_build_object('actor_name', 'fail', 'kwargs', %s::jsonb)"
    insert = f"INSERT INTO zeke_jobs.queue (message_id, queue_name, message) VALUES ({row}) RETURNING message_id"
    (job,) = table.rows(insert, payload)
    attempts = ended(job["message_id"]).attempts
    assert [one["outcome"] for one in attempts] == outcomes
    assert words in str(attempts[-1]["error"])
    assert "many" not in str(attempts)
    eventually(lambda: (worker.process.held.free(), worker.process.held.waiting()) == (4, 0))


def test_sends_and_completion_of_a_transaction_commit_together_or_an_exception_takes_them_back(table: Jobs) -> None:
    one, many = zeke_jobs.send("chain", {"n": 5}), zeke_jobs.send("fan-out", {"n": 3})
    assert zeke_jobs.wait(one.id, timeout=10) == {"sent": 1}
    assert zeke_jobs.wait(many.id, timeout=10) == ["created"] * 3
    children = "SELECT task, key FROM zeke_jobs.queue WHERE parent = %s ORDER BY key"
    assert table.rows(children, one.id) == [{"task": "echo", "key": None}]
    assert table.rows(children, many.id) == [{"task": "echo", "key": f"k{n}"} for n in range(3)]
    for task in ("chain", "fan-out"):
        job = failure(task, {"n": 2, "story_id": "inside"})
        assert job.attempts[-1]["error"]["message"] == "inside"
        assert table.rows(children, job.id) == []


def test_a_sender_of_many_waits_for_a_full_queue_and_goes_on_after_sending_its_own_successor(table: Jobs) -> None:
    job = zeke_jobs.send("fan-out-into-a-narrow-task").id
    eventually(lambda: zeke_jobs.status(job).waiting_for)
    found = zeke_jobs.status(job)
    assert (found.status, found.retry_count) == ("created", 0)
    assert table.rows("SELECT 1 FROM zeke_jobs.queue WHERE task = 'narrow'") == []
    first = zeke_jobs.send("again", {"story_id": "s"}, unique="story_id")
    zeke_jobs.wait(first.id, timeout=10)
    found = zeke_jobs.status(first.id)
    assert found.progress == {"done": 1, "total": 2, "note": ""}
    assert found.cost == 1


@pytest.mark.parametrize("handler", [*LONG, *STUBBORN])
def test_a_timeout_ends_the_handler_and_nothing_of_it_commits_afterwards(table: Jobs, handler: str) -> None:
    began = time.monotonic()
    job = failure(f"short-{task(handler)}")
    assert time.monotonic() - began < 5
    error = job.attempts[-1]["error"]
    assert (error["type"], error["message"]) == ("TimedOut", "it ran longer than its timeout of 0.3 s")
    assert f", in {handler}\n" in error["traceback"] or handler in STUBBORN, "where the handler was"
    assert ["started", *["swallowed"] * (handler in STUBBORN)] == handlers.CALLS
    assert table.rows("SELECT to_regclass('committed_after_cancel') AS t") == [{"t": None}]


@pytest.mark.parametrize("handler", [*LONG, "swallow"])
def test_cancelling_ends_the_handler_and_nothing_of_it_commits_afterwards(table: Jobs, handler: str) -> None:
    job = zeke_jobs.send(task(handler)).id
    eventually(lambda: handlers.CALLS)
    began = time.monotonic()
    zeke_jobs.cancel(job, reason="not wanted")
    assert ended(job).status == "cancelled"
    assert time.monotonic() - began < 5
    assert table.rows("SELECT to_regclass('committed_after_cancel') AS t") == [{"t": None}]


def test_time_that_runs_out_after_the_committed_completion_changes_nothing(worker: JobBroker) -> None:
    job = zeke_jobs.send("complete-and-wait").id
    assert zeke_jobs.wait(job, timeout=10) == "done"
    eventually(lambda: handlers.CALLS == ["completed"])
    run_of(worker, job).stop(TimedOut("late"))
    handlers.GATE.set()
    eventually(lambda: len(worker.process.held) == 0)
    assert handlers.CALLS == ["completed", "swallowed"]
    assert zeke_jobs.status(job).status == "completed"


def test_progress_is_seen_while_the_job_runs() -> None:
    job = zeke_jobs.send("gated").id
    eventually(lambda: handlers.CALLS)
    assert zeke_jobs.status(job).progress == {"done": 3, "total": 10, "note": "three of ten"}
    handlers.GATE.set()
    zeke_jobs.wait(job, timeout=10)


def test_a_handler_that_no_interrupt_reaches_loses_only_its_thread(running: Running, monkeypatch: Patch) -> None:
    monkeypatch.setattr("zeke_jobs.worker.run.interrupts.STUCK_AFTER", 0.3)
    tasks = "  stuck: {handler: 'H:block_in_c', timeout: 200ms, retry: {limit: 0}}\n  echo: {handler: 'H:echo'}"
    with running(tasks) as broker:
        with handlers.LOCK:
            assert failure("stuck").attempts[-1]["error"]["type"] == "TimedOut"
            assert broker.process.held.lost == 1
            assert outcome("echo", {"n": 1})["n"] == 1
        eventually(lambda: broker.process.held.lost == 0)
        assert broker.process.held.free() == 4


def keep(payload: handlers.Number, ctx: Context) -> None:
    large: set[int] = set()
    handlers.CALLS.append(weakref.ref(large))
    raise ValueError("no luck")


async def keep_async(payload: handlers.Number, ctx: Context) -> None:
    keep(payload, ctx)


def test_what_a_failed_handler_had_waits_for_no_garbage_collection(running: Running) -> None:
    names = ("keep", "keep_async")
    lines = "".join(f"  {task(name)}: {{handler: '{__name__}:{name}', retry: {{limit: 0}}}}\n" for name in names)
    with running(f"{lines}  echo: {{handler: 'H:echo'}}", threads=1):
        gc.disable()
        try:
            for name in names:
                failure(task(name))
                outcome("echo", {"n": 1})
                eventually(lambda: handlers.CALLS[-1]() is None)
        finally:
            gc.enable()
