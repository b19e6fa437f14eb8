"""One job through a real worker in this process, for each way in which a handler can end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

import zeke_jobs
from tests.waiting import eventually
from tests.zeke_jobs.worker import handlers
from zeke_jobs.errors import JobFailed
from zeke_jobs.worker.claim.producer import Producer
from zeke_jobs.worker.life.heartbeat import Heartbeat
from zeke_jobs.worker.run.interrupts import TimedOut

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.zeke_jobs.worker.conftest import Jobs
    from zeke_jobs.worker.broker import JobBroker

    Running = Callable[..., AbstractContextManager[JobBroker]]

TASKS = """
  echo: {handler: 'H:echo'}
  echo-async: {handler: 'H:echo_async'}
  greet: {handler: 'H:greet', settings: {greeting: good morning}}
  fail: {handler: 'H:fail', retry: {limit: 2, delay: 1ms}}
  fail-inside: {handler: 'H:fail_inside', retry: {limit: 0}}
  fail-inside-async: {handler: 'H:fail_inside_async', retry: {limit: 0}}
  fail-once: {handler: 'H:fail_once', retry: {limit: 2, delay: 1ms}}
  retry-soon: {handler: 'H:retry_soon', retry: {limit: 2, delay: 5m}}
  defer-once: {handler: 'H:defer_once', retry: {limit: 0}}
  reject: {handler: 'H:reject', retry: {limit: 5, delay: 1ms}}
  returns-nonsense: {handler: 'H:returns_nonsense'}
  chain: {handler: 'H:chain'}
  chain-then-raise: {handler: 'H:chain_then_raise'}
  chain-and-raise-inside: {handler: 'H:chain_and_raise_inside', retry: {limit: 0}}
  fan-out: {handler: 'H:fan_out'}
  fan-out-and-raise-inside: {handler: 'H:fan_out_and_raise_inside', retry: {limit: 0}}
  fan-out-into-a-narrow-task: {handler: 'H:fan_out_into_a_narrow_task', retry: {limit: 0}}
  narrow: {handler: 'H:echo', max_queued: 1, paused: true}
"""


def outcome(task: str, payload: dict[str, Any] | None = None) -> Any:
    return zeke_jobs.wait(zeke_jobs.send(task, payload).id, timeout=20)


def failure(task: str, payload: dict[str, Any] | None = None) -> zeke_jobs.Job:
    with pytest.raises(JobFailed) as caught:
        outcome(task, payload)
    return caught.value.job


def test_a_handlers_return_value_is_the_output(running: Running) -> None:
    with running(TASKS):
        assert outcome("echo", {"n": 3}) == {"n": 3, "attempt": 1, "task": "echo"}


def test_an_async_handler_runs_beside_sync_ones(running: Running) -> None:
    with running(TASKS):
        assert outcome("echo-async", {"n": 4}) == 4


def test_settings_reach_the_handler_as_its_own_model(running: Running) -> None:
    with running(TASKS):
        assert outcome("greet") == "good morning"


def test_a_failing_job_is_retried_and_then_fails_with_each_attempts_error(running: Running) -> None:
    with running(TASKS):
        job = failure("fail", {"n": 7})
    assert (job.status, job.retry_count) == ("failed", 2)
    assert [a["outcome"] for a in job.attempts] == ["retry", "retry", "failed"]
    assert job.attempts[0]["error"]["message"] == "no luck with 7"
    assert "in fail" in job.attempts[0]["error"]["traceback"]
    assert "executor" not in job.attempts[0]["error"]["traceback"]


@pytest.mark.parametrize("task", ["fail-inside", "fail-inside-async"])
def test_a_traceback_shows_the_handler_and_where_it_was_raised_and_no_other_frame_of_ours(
    running: Running, task: str
) -> None:
    with running(TASKS):
        job = failure(task)
    lines = job.attempts[0]["error"]["traceback"].splitlines()
    frames = [line.split(", ")[-1] for line in lines if line.startswith("  File ")]
    assert frames == ["in send_wrongly", "in accept", f"in {task.replace('-', '_')}", "in send_wrongly"]
    assert lines[-1] == "RuntimeError: could not send"


def test_a_job_that_fails_once_completes_on_its_second_attempt(running: Running) -> None:
    with running(TASKS):
        assert outcome("fail-once") == 2


def test_a_handler_may_say_when_it_is_to_be_retried(running: Running) -> None:
    with running(TASKS):
        assert outcome("retry-soon") == 2


def test_a_deferral_uses_up_no_retry(running: Running) -> None:
    with running(TASKS):
        assert outcome("defer-once") == 1
    assert handlers.CALLS == [1, 1]


def test_a_rejected_job_fails_without_a_retry(running: Running) -> None:
    with running(TASKS):
        job = failure("reject")
    assert (job.status, job.retry_count, job.attempts[-1]["error"]["details"]) == ("failed", 0, {"url": "x"})


def test_an_output_that_is_no_json_fails_the_job_and_says_so(running: Running) -> None:
    with running(TASKS):
        job = failure("returns-nonsense")
    assert job.retry_count == 0
    assert "the output cannot be stored: expected a JSON value, got object" in job.attempts[-1]["error"]["message"]


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        ("reject_oddly", "no \N{SYMBOL FOR NULL} \\ud800 thanks"),
        ("raise_mute", "Mute, whose text cannot be read (RuntimeError)"),
        ("defer_beyond_time", "expected the delay of Defer as at most 100 years, got "),
        ("defer_for_millennia", "expected the delay of Defer as at most 100 years, got 251606667985.9"),
        ("defer_past_the_checks", "expected until from 1970-01-01 to 9000-01-01, got 9999-12-31"),
        (
            "return_a_deep_value",
            "the output cannot be stored: expected at most 100 lists and objects inside each other",
        ),
        ("raise_busy", "Busy does not decide about the job: AttributeError: "),
    ],
)
def test_an_end_that_could_not_be_stored_as_it_is_still_ends_the_job_and_no_other(
    running: Running, handler: str, said: str
) -> None:
    with running(
        f"  odd: {{handler: 'H:{handler}', retry: {{limit: 0}}}}\n  fail: {{handler: 'H:fail', retry: {{limit: 0}}}}"
    ):
        assert said in failure("odd").attempts[-1]["error"]["message"]
        assert "no luck" in failure("fail").attempts[-1]["error"]["message"]


def test_a_handler_that_no_interrupt_reaches_loses_its_thread_and_not_its_job(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zeke_jobs.worker.run.interrupts.STUCK_AFTER", 0.3)
    with running(
        "  stuck: {handler: 'H:block_in_c', timeout: 200ms, retry: {limit: 0}}\n  echo: {handler: 'H:echo'}"
    ) as broker:
        with handlers.LOCK:
            assert failure("stuck").attempts[-1]["error"]["type"] == "TimedOut"
            assert broker.process.held.lost == 1
            assert outcome("echo", {"n": 1})["n"] == 1
        eventually(lambda: broker.process.held.lost == 0)
        assert broker.process.held.free() == 4


def test_a_payload_that_no_longer_fits_fails_without_a_retry(running: Running, jobs: Jobs) -> None:
    with running(TASKS):
        (job,) = jobs.rows(
            """INSERT INTO zeke_jobs.queue (message_id, queue_name, message)
            VALUES (gen_random_uuid(), 'default', '{"actor_name": "fail", "kwargs": {"n": "many"}}')
            RETURNING message_id"""
        )
        with pytest.raises(JobFailed) as caught:
            zeke_jobs.wait(job["message_id"], timeout=10)
    assert "payload does not fit fail: n: " in str(caught.value.job.attempts[-1]["error"]["message"])
    assert "many" not in str(caught.value.job.attempts)


def enqueued(running: Running, jobs: Jobs, payload: str) -> zeke_jobs.Job:
    """How a job ends whose payload another program wrote into the table."""
    with running(TASKS) as broker:
        (job,) = jobs.rows(
            """INSERT INTO zeke_jobs.queue (message_id, queue_name, message)
            VALUES (gen_random_uuid(), 'default', jsonb_build_object('actor_name', 'fail', 'kwargs', %s::jsonb))
            RETURNING message_id""",
            payload,
        )
        with pytest.raises(JobFailed) as caught:
            zeke_jobs.wait(job["message_id"], timeout=10)
        assert (broker.process.held.free(), broker.process.held.waiting()) == (4, 0)
    return caught.value.job


def test_a_payload_that_dramatiq_cannot_pass_on_uses_up_its_retries_and_fails(running: Running, jobs: Jobs) -> None:
    attempts = enqueued(running, jobs, '{"self": 1}').attempts
    assert [a["outcome"] for a in attempts] == ["retry", "retry", "failed"]
    assert [a["error"]["type"] for a in attempts] == ["TypeError"] * 3


def test_writes_sends_and_completion_commit_together(running: Running, jobs: Jobs) -> None:
    with running(TASKS):
        sent = zeke_jobs.send("chain", {"n": 5})
        assert zeke_jobs.wait(sent.id, timeout=10) == {"sent": 1}
    (child,) = jobs.rows("SELECT task, parent FROM zeke_jobs.queue WHERE parent IS NOT NULL")
    assert child == {"task": "echo", "parent": sent.id}


def test_an_exception_after_the_committed_completion_changes_nothing(running: Running, jobs: Jobs) -> None:
    with running(TASKS):
        assert outcome("chain-then-raise") == {"sent": 1}
    assert len(jobs.rows("SELECT 1 FROM zeke_jobs.queue WHERE task = 'echo'")) == 1


def test_an_exception_inside_the_transaction_takes_everything_back(running: Running, jobs: Jobs) -> None:
    with running(TASKS):
        job = failure("chain-and-raise-inside")
    assert job.status == "failed"
    assert jobs.rows("SELECT 1 FROM zeke_jobs.queue WHERE task = 'echo'") == []


def test_many_jobs_are_sent_at_once_and_commit_with_the_completion(running: Running, jobs: Jobs) -> None:
    with running(TASKS):
        sent = zeke_jobs.send("fan-out", {"n": 3})
        assert zeke_jobs.wait(sent.id, timeout=10) == ["created"] * 3
    children = jobs.rows("SELECT task, key, parent FROM zeke_jobs.queue WHERE parent IS NOT NULL ORDER BY key")
    assert children == [{"task": "echo", "key": f"k{n}", "parent": sent.id} for n in range(3)]


def test_many_jobs_are_taken_back_with_the_transaction(running: Running, jobs: Jobs) -> None:
    with running(TASKS):
        failure("fan-out-and-raise-inside")
    assert jobs.rows("SELECT 1 FROM zeke_jobs.queue WHERE task = 'echo'") == []


def test_a_sender_of_many_that_meets_a_full_queue_waits(running: Running, jobs: Jobs) -> None:
    with running(TASKS):
        job = zeke_jobs.send("fan-out-into-a-narrow-task").id
        eventually(lambda: handlers.CALLS)
        eventually(lambda: (found := zeke_jobs.status(job)) is not None and found.waiting_for)
    found = zeke_jobs.status(job)
    assert found is not None
    assert (found.status, found.retry_count) == ("created", 0)
    assert jobs.rows("SELECT 1 FROM zeke_jobs.queue WHERE task = 'narrow'") == []


@pytest.mark.parametrize("handler", ["busy", "query", "wait_async"])
def test_a_timeout_ends_the_handler_wherever_it_is(running: Running, handler: str) -> None:
    with running(f"  long: {{handler: 'H:{handler}', timeout: 300ms, retry: {{limit: 0}}}}"):
        began = time.monotonic()
        job = failure("long")
    assert job.attempts[-1]["error"] == {
        **job.attempts[-1]["error"],
        "type": "TimedOut",
        "message": "it ran longer than its timeout of 0.3 s",
    }
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("handler", ["busy", "query", "wait_async"])
def test_cancelling_ends_the_handler_wherever_it_is(running: Running, handler: str) -> None:
    with running(f"  long: {{handler: 'H:{handler}'}}"):
        job = zeke_jobs.send("long").id
        eventually(lambda: handlers.CALLS)
        began = time.monotonic()
        zeke_jobs.cancel(job, reason="not wanted")
        with pytest.raises(JobFailed):
            zeke_jobs.wait(job, timeout=10)
        assert zeke_jobs.status(job).status == "cancelled"
    assert time.monotonic() - began < 5


def test_cancelling_what_is_claimed_and_waits_ends_it_before_it_starts(
    running: Running, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zeke_jobs.worker.claim.held_jobs._TOO_LONG", 60.0)  # nothing is handed back
    with running("  t: {handler: 'H:first_gated'}", threads=1) as broker:
        for _ in range(2):
            outcome("t")  # its jobs are short, so that more may be claimed
        _, second, third = [sent.id for sent in zeke_jobs.send_many("t", [{"n": n} for n in (1, 2, 3)])]
        eventually(lambda: 1 in handlers.CALLS and broker.process.held.find(third))
        cancelled = zeke_jobs.cancel(second, reason="not wanted")
        assert (
            cancelled.note
            == "claimed by a worker, which cancels it before it starts; if it has just started, it may still run"
        )
        eventually(lambda: zeke_jobs.status(second).status == "cancelled", 2)
        assert zeke_jobs.status(second).attempts[-1]["reason"] == "not wanted"
        handlers.GATE.set()
        zeke_jobs.wait(third, timeout=10)
        eventually(lambda: len(broker.process.held) == 0)
        assert (broker.process.held.free(), broker.process.held.waiting()) == (1, 0)
    assert handlers.CALLS == [0, 0, 1, 3]


def test_cancelling_what_was_claimed_a_moment_ago_ends_it_once_its_claim_has_come(
    running: Running, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept = Producer._accept

    def late(producer: Producer, messages: Any, **said: Any) -> None:
        for message in messages:
            zeke_jobs.cancel(message.claim.id, reason="not wanted")
            time.sleep(0.3)  # the notification came
        accept(producer, messages, **said)

    monkeypatch.setattr(Producer, "_accept", late)
    with running("  busy: {handler: 'H:busy'}"):
        job = zeke_jobs.send("busy").id
        with pytest.raises(JobFailed):
            zeke_jobs.wait(job, timeout=10)
        job_row = jobs.row(job)
    assert job_row["cancelled_on"] is not None
    assert (job_row["completed_on"] - job_row["cancelled_on"]).total_seconds() < 0.9, (
        "not only at the next look, a second later"
    )


def test_a_cancel_that_somebody_made_up_ends_neither_the_job_nor_the_notifier(
    running: Running, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zeke_jobs.worker.life.heartbeat._WATCH", 3600.0)  # only a notification tells of a cancel
    watch, watched = Heartbeat.watch, []

    def spy(heartbeat: Heartbeat, conn: Any) -> None:
        watch(heartbeat, conn)
        watched.append(conn)

    monkeypatch.setattr(Heartbeat, "watch", spy)
    with running("  long: {handler: 'H:busy'}"):
        job = zeke_jobs.send("long").id
        eventually(lambda: handlers.CALLS and watched)
        jobs.rows("SELECT pg_notify('zeke_jobs.cancel', 'x'), pg_notify('zeke_jobs.cancel', %s)", str(job))
        eventually(lambda: len(watched) > 1)
        assert zeke_jobs.status(job).status == "active"
        zeke_jobs.cancel(job, reason="not wanted")
        with pytest.raises(JobFailed):
            zeke_jobs.wait(job, timeout=10)
    assert zeke_jobs.status(job).status == "cancelled"


def test_a_cancelled_handler_that_goes_on_cannot_commit(running: Running, jobs: Jobs) -> None:
    with running("  stubborn: {handler: 'H:swallow', retry: {limit: 0}}"):
        job = zeke_jobs.send("stubborn").id
        eventually(lambda: handlers.CALLS)
        zeke_jobs.cancel(job)
        with pytest.raises(JobFailed):
            zeke_jobs.wait(job, timeout=10)
    assert handlers.CALLS == ["started", "swallowed"]
    assert jobs.rows("SELECT to_regclass('committed_after_cancel') AS t") == [{"t": None}]
    assert zeke_jobs.status(job).status == "cancelled"


@pytest.mark.parametrize("handler", ["swallow", "swallow_and_return", "swallow_async"])
def test_a_handler_that_ran_out_of_time_and_goes_on_cannot_commit_and_never_ends_as_completed(
    running: Running, jobs: Jobs, handler: str
) -> None:
    with running(f"  stubborn: {{handler: 'H:{handler}', timeout: 200ms, retry: {{limit: 0}}}}"):
        job = failure("stubborn")
    assert handlers.CALLS == ["started", "swallowed"]
    assert (job.status, job.attempts[-1]["error"]["type"]) == ("failed", "TimedOut")
    assert jobs.rows("SELECT to_regclass('committed_after_cancel') AS t") == [{"t": None}]


def test_time_that_runs_out_after_the_committed_completion_changes_nothing(running: Running) -> None:
    with running("  done: {handler: 'H:complete_and_wait'}") as broker:
        job = zeke_jobs.send("done").id
        assert zeke_jobs.wait(job, timeout=10) == "done"
        assert broker.process.interrupts.stop(job, TimedOut("late"))
        handlers.GATE.set()
        eventually(lambda: len(broker.process.held) == 0)
    assert handlers.CALLS == ["completed", "swallowed"]
    assert zeke_jobs.status(job).status == "completed"


def test_progress_is_seen_while_the_job_runs(running: Running) -> None:
    with running("  long: {handler: 'H:progress'}"):
        job = zeke_jobs.send("long").id
        eventually(lambda: handlers.CALLS)
        assert zeke_jobs.status(job).progress == {"done": 3, "total": 10, "note": "three of ten"}
        handlers.GATE.set()
        zeke_jobs.wait(job, timeout=10)


def test_a_handler_that_has_sent_its_own_successor_goes_on_in_the_same_transaction(running: Running) -> None:
    with running("  again: {handler: 'H:chain_itself', timeout: 5s, retry: {limit: 0}}"):
        first = zeke_jobs.send("again", {"story_id": "s"}, unique="story_id")
        zeke_jobs.wait(first.id, timeout=10)
        job = zeke_jobs.status(first.id)
        assert job.progress == {"done": 1, "total": 2, "note": ""}
        assert job.cost == 1


def test_a_worker_that_leaves_hands_back_what_it_did_not_start(running: Running, jobs: Jobs) -> None:
    with running("  long: {handler: 'H:progress'}", threads=1):
        for _ in range(3):
            zeke_jobs.send("long")
        eventually(lambda: handlers.CALLS)
        handlers.GATE.set()
    states = jobs.rows("SELECT state, worker, attempt FROM zeke_jobs.queue ORDER BY state")
    assert {row["worker"] for row in states} == {None}
    assert {row["state"] for row in states} <= {"queued", "done"}
    assert jobs.rows("SELECT 1 FROM zeke_jobs.worker") == []


def test_an_idle_worker_is_woken_by_the_notification_alone(
    running: Running, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zeke_jobs.worker.claim.producer._POLL", 3600.0)
    with running(TASKS):
        for n in range(3):
            eventually(lambda: jobs.rows("SELECT 1 FROM zeke_jobs.worker WHERE idle <> '{}'"))
            assert outcome("echo", {"n": n})["n"] == n


def test_a_process_that_was_taken_for_dead_is_rung_for_again(
    running: Running, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zeke_jobs.worker.claim.producer._POLL", 3600.0)
    with running(TASKS) as broker:
        eventually(lambda: jobs.rows("SELECT 1 FROM zeke_jobs.worker WHERE idle <> '{}'"))
        jobs.rows("DELETE FROM zeke_jobs.worker")  # as who rescues does
        broker.lifecycle.heartbeat.beat(jobs.conn)
        eventually(lambda: jobs.rows("SELECT 1 FROM zeke_jobs.worker WHERE idle <> '{}'"))
        assert outcome("echo", {"n": 1})["n"] == 1


def test_a_queue_that_waits_is_rung_for_although_another_is_busy(
    running: Running, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zeke_jobs.worker.claim.producer._POLL", 3600.0)
    monkeypatch.setattr("zeke_jobs.worker.claim.producer._BUSY_AFTER", 0.0)
    with running("  echo: {handler: 'H:echo'}\n  gated: {handler: 'H:gated', queue: busy}", threads=2):
        eventually(lambda: jobs.rows("SELECT 1 FROM zeke_jobs.worker WHERE idle @> '{busy,default}'"))
        zeke_jobs.send_many("gated", [{}] * 5)
        eventually(lambda: jobs.rows("SELECT 1 FROM zeke_jobs.worker WHERE idle = '{default}'"))
        job = zeke_jobs.send("echo", {"n": 1}).id
        handlers.GATE.set()
        assert zeke_jobs.wait(job, timeout=20)["n"] == 1


def test_no_more_jobs_run_than_their_limit_allows_and_their_recorded_times_show_it(
    running: Running, jobs: Jobs
) -> None:
    with running("  echo: {handler: 'H:echo', concurrency: 2}") as broker:
        outcome("echo")  # now it is known that they are short
        sent = zeke_jobs.send_many("echo", [{"n": n} for n in range(300)])
        zeke_jobs.wait(sent[-1].id, timeout=20)
        eventually(lambda: not jobs.rows("SELECT 1 FROM zeke_jobs.queue WHERE state <> 'done'"))
        eventually(lambda: not len(broker.process.held))
    ran = jobs.rows("SELECT started_on, completed_on, claimed_on, result FROM zeke_jobs.queue ORDER BY started_on")
    assert [row["result"]["attempt"] for row in ran] == [1] * 301
    beside = [sum(one["claimed_on"] <= at["claimed_on"] < one["completed_on"] for one in ran) for at in ran]
    assert max(beside) == 2
    assert all(row["claimed_on"] <= row["started_on"] for row in ran)


def test_jobs_that_a_crash_must_not_repeat_wait_for_no_thread_in_a_process(running: Running, jobs: Jobs) -> None:
    tasks = "  gated: {handler: 'H:first_gated', retry: {limit: 0}}"
    with running(tasks, threads=1):
        for _ in range(3):
            outcome("gated")
        zeke_jobs.send_many("gated", [{"n": n} for n in (1, 2, 3)])
        eventually(lambda: 1 in handlers.CALLS)
        assert jobs.rows("SELECT count(*) FROM zeke_jobs.queue WHERE state = 'consumed'") == [{"count": 1}]
        handlers.GATE.set()
        eventually(lambda: handlers.CALLS[-1] == 3)


def test_a_job_with_a_long_payload_comes_with_all_of_it(running: Running) -> None:
    with running("  echo: {handler: 'H:echo_story'}"):
        assert outcome("echo", {"story_id": "é" * 5_000}) == "é" * 5_000


def test_a_job_that_has_seen_two_processes_die_runs_alone_and_the_others_after_it(running: Running, jobs: Jobs) -> None:
    with running("  gated: {handler: 'H:first_gated'}\n  echo: {handler: 'H:echo', queue: slow}") as broker:
        first, apart = [sent.id for sent in zeke_jobs.send_many("gated", [{"n": 1}, {"n": 2}])]
        eventually(lambda: 1 in handlers.CALLS)
        zeke_jobs.wait(apart, timeout=10)
        jobs.rows("UPDATE zeke_jobs.queue SET deaths = 2, state = 'queued', result = NULL WHERE message_id = %s", apart)
        eventually(lambda: broker.process.producer._apart, 10)  # type: ignore[attr-defined]
        later = zeke_jobs.send("echo", {"n": 3}).id
        assert not handlers.GATE.wait(0.3)
        assert zeke_jobs.status(later).status == "created", "the process empties itself"
        handlers.GATE.set()
        assert zeke_jobs.wait(first, timeout=10) is None
        eventually(lambda: zeke_jobs.status(apart).status == "completed", 10)
        assert zeke_jobs.wait(later, timeout=10)["n"] == 3
    rows = {row["message_id"]: row for row in jobs.rows("SELECT * FROM zeke_jobs.queue")}
    assert rows[first]["completed_on"] <= rows[apart]["claimed_on"]
    assert rows[apart]["completed_on"] <= rows[later]["claimed_on"]


def test_a_process_that_stops_hands_back_what_runs_and_counts_nothing(running: Running, jobs: Jobs) -> None:
    with running("  long: {handler: 'H:gated', retry: {limit: 1}}", stop_within=300) as broker:
        job = zeke_jobs.send("long").id
        eventually(lambda: handlers.CALLS)
        claim = broker.process.held.find(job)
    row = jobs.row(job)
    assert claim is not None
    assert (row["state"], row["worker"], row["attempt"], row["attempts"]) == ("queued", None, 0, [])


def test_the_end_of_a_job_wakes_another_queue_that_shares_its_limit(
    running: Running, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zeke_jobs.worker.claim.producer._POLL", 3600.0)
    monkeypatch.setattr("zeke_jobs.worker.claim.producer._SOON", (3600.0, 3600.0))
    pool = "limits: {few: {concurrency: 1}}"
    tasks = "  gated: {handler: 'H:gated', uses: [few]}\n  echo: {handler: 'H:echo', uses: [few], queue: slow}"
    with running(tasks, pool):
        eventually(lambda: jobs.rows("SELECT 1 FROM zeke_jobs.worker WHERE idle @> '{default,slow}'"))
        zeke_jobs.send("gated")
        eventually(lambda: handlers.CALLS)
        job = zeke_jobs.send("echo", {"n": 1}).id
        eventually(lambda: jobs.rows("SELECT 1 FROM zeke_jobs.worker WHERE limited = '{limit/few}'"))
        handlers.GATE.set()
        assert zeke_jobs.wait(job, timeout=20)["n"] == 1


def test_a_job_whose_claim_was_lost_on_the_way_is_run_all_the_same(running: Running, jobs: Jobs) -> None:
    with running("  echo: {handler: 'H:echo', paused: true}") as broker:
        job = zeke_jobs.send("echo", {"n": 5}).id
        # As by a claim whose connection broke before the answer: the table says that it is this worker's.
        jobs.rows(
            "UPDATE zeke_jobs.queue SET state = 'consumed', claim = 1, worker = %s, claimed_on = now() - interval '11 seconds'",
            broker.process.id,
        )
        broker.process.proof.answer_lost()
        broker.lifecycle.heartbeat.beat(jobs.conn)
        assert zeke_jobs.status(job).status == "created"


def test_two_processes_share_a_limit_by_their_threads_even_while_jobs_are_short(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo', concurrency: 16}\n  free: {handler: 'H:echo'}")
    jobs.add("a", 60)
    busy, other = jobs.worker(), jobs.worker()
    first = jobs.look(busy, 100, free=8)
    assert [row["kind"] for row in first] == ["job"] * 10 + ["held"], "two wait for a thread, an eighth of the room"
    assert first[-1]["reason"] == "thread"
    jobs.complete(busy, first[:1])
    assert [row["reason"] for row in jobs.look(busy, 100, free=-1)] == ["thread"]
    assert len(jobs.claim(other, 8)) == 7
    jobs.add("free", 60)
    assert [row["task"] for row in jobs.look(busy, 50, free=-1) if row["kind"] == "job"] == ["free"] * 50
