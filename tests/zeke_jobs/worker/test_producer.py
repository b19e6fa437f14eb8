"""These tests observe when a real worker claims, which jobs it keeps, and which jobs it hands back."""

import time
from collections.abc import Callable
from typing import Any

import psycopg2
import pytest
from structlog.testing import capture_logs

import zeke_jobs
from tests.waiting import eventually
from tests.zeke_jobs.worker import handlers
from tests.zeke_jobs.worker.conftest import Jobs, Patch, Running, ended, load, outcome
from tests.zeke_jobs.working import working
from zeke_jobs.worker.claim.answer import ask
from zeke_jobs.worker.claim.claims import JobMessage
from zeke_jobs.worker.claim.producer import Producer
from zeke_jobs.worker.life.heartbeat import Heartbeat

TASKS = "  echo: {handler: 'H:echo'}"
GATED = "  gated: {handler: 'H:first_gated'}"


@pytest.fixture
def never_polls(monkeypatch: Patch) -> None:
    """Make workers claim only after a wake-up or at a known time."""
    monkeypatch.setattr("zeke_jobs.worker.claim.producer._POLL", 3600.0)
    monkeypatch.setattr("zeke_jobs.worker.claim.producer._SOON", (3600.0, 3600.0))


@pytest.fixture
def before_accepting(monkeypatch: Patch) -> Callable[[Callable[[list[JobMessage]], object]], None]:
    """Call a function between each claim and the arrival of the claimed jobs in the process."""
    accept = Producer._accept

    def happen(what: Callable[[list[JobMessage]], object]) -> None:
        def late(producer: Producer, messages: list[JobMessage], **said: Any) -> None:
            what(messages)
            accept(producer, messages, **said)

        monkeypatch.setattr(Producer, "_accept", late)

    return happen


@pytest.mark.usefixtures("never_polls")
def test_an_idle_worker_is_woken_also_after_it_was_taken_for_dead(running: Running, jobs: Jobs) -> None:
    with running(TASKS) as broker:
        for n in range(3):
            eventually(jobs.idle)
            assert outcome("echo", {"n": n})["n"] == n
        jobs.rows("DELETE FROM zeke_jobs.worker")  # A rescue deletes the rows of lost workers.
        broker.lifecycle.heartbeat.beat(jobs.conn)
        eventually(jobs.idle)
        assert outcome("echo", {"n": 7})["n"] == 7


def test_a_job_that_becomes_due_during_a_look_needs_no_poll(running: Running, jobs: Jobs, monkeypatch: Patch) -> None:
    monkeypatch.setattr("zeke_jobs.worker.claim.producer._POLL", 3600.0)
    monkeypatch.setattr("zeke_jobs.worker.claim.producer._SOON", ())

    def then_due(*args: Any, **said: Any) -> Any:
        answer = ask(*args, **said)
        jobs.rows(
            "UPDATE zeke_jobs.queue SET run_at = zeke_jobs.now() WHERE state = 'queued' AND run_at > zeke_jobs.now()"
        )
        jobs.rows("SELECT pg_sleep(0.3)::text")  # A slow claim makes a busy machine's delays negligible.
        return answer

    with running(TASKS) as broker:
        eventually(jobs.idle)
        job = zeke_jobs.send("echo", {"n": 1}, delay=3600).id
        monkeypatch.setattr("zeke_jobs.worker.claim.producer.ask", then_due)
        broker.producer.wake()
        assert zeke_jobs.wait(job, timeout=10)["n"] == 1


@pytest.mark.usefixtures("never_polls")
def test_jobs_that_must_run_alone_follow_each_other_before_other_queues(running: Running, jobs: Jobs) -> None:
    with running(f"{TASKS}\n  other: {{handler: 'H:echo', queue: other}}", threads=1) as broker:
        eventually(lambda: jobs.idle("default,other"))
        sent = [zeke_jobs.send(name, {"n": n}, delay=3600).id for n in range(6) for name in ("echo", "other")]
        jobs.rows(
            "UPDATE zeke_jobs.queue SET run_at = zeke_jobs.now(), deaths = CASE task WHEN 'echo' THEN 2 ELSE 0 END WHERE state = 'queued'"
        )
        broker.producer.wake()
        assert [zeke_jobs.wait(job, timeout=10)["n"] for job in sent] == [n for n in range(6) for _ in range(2)]
    rows = jobs.rows("SELECT task FROM zeke_jobs.queue ORDER BY started_on")
    order = "".join(row["task"][0] for row in rows)
    assert "e" * 6 in order, order


def test_a_process_empties_itself_for_a_job_that_must_run_alone(running: Running, jobs: Jobs) -> None:
    with running(f"{TASKS}\n  slowly: {{handler: 'H:slowly', queue: other}}", threads=2) as broker:
        zeke_jobs.send_many("slowly", [{}] * 20)
        alone = zeke_jobs.send("echo", delay=3600).id
        eventually(lambda: jobs.rows("SELECT 1 FROM zeke_jobs.queue WHERE state = 'done'"))
        jobs.rows("UPDATE zeke_jobs.queue SET run_at = zeke_jobs.now(), deaths = 2 WHERE message_id = %s", alone)
        broker.producer.wake()
        zeke_jobs.wait(alone, timeout=20)
        assert len(jobs.rows("SELECT 1 FROM zeke_jobs.queue WHERE state = 'done'")) < 15


def test_a_queue_that_waits_is_notified_beside_a_busy_one(running: Running, jobs: Jobs, monkeypatch: Patch) -> None:
    monkeypatch.setattr("zeke_jobs.worker.claim.producer._POLL", 3600.0)
    monkeypatch.setattr("zeke_jobs.worker.claim.producer._BUSY_AFTER", 0.0)
    with running("  echo: {handler: 'H:echo'}\n  gated: {handler: 'H:gated', queue: busy}", threads=2):
        eventually(lambda: jobs.idle("busy,default"))
        zeke_jobs.send_many("gated", [{}] * 5)
        eventually(jobs.idle)
        job = zeke_jobs.send("echo", {"n": 1}).id
        handlers.GATE.set()
        assert zeke_jobs.wait(job, timeout=20)["n"] == 1


def test_a_job_whose_limit_is_known_to_be_full_causes_no_look(running: Running, jobs: Jobs, monkeypatch: Patch) -> None:
    monkeypatch.setattr("zeke_jobs.worker.claim.producer._LATER", 3600.0)
    looks, told = list[object](), list[object]()

    def counted(*args: Any, **said: Any) -> Any:
        looks.append(args)
        return ask(*args, **said)

    def wake(*args: Any, **said: Any) -> None:
        real(*args, **said)
        told.append(args)

    monkeypatch.setattr("zeke_jobs.worker.claim.producer.ask", counted)
    with running(f"{TASKS}\n  gated: {{handler: 'H:gated', concurrency: 1}}") as broker:
        eventually(jobs.idle)
        sent = [zeke_jobs.send("gated").id for _ in range(2)]
        eventually(lambda: jobs.rows("SELECT 1 FROM zeke_jobs.worker WHERE limited = '{task/gated}'"))
        real = broker.producer.wake
        monkeypatch.setattr(broker.producer, "wake", wake)
        before = len(looks)
        for _ in range(9):
            sent.append(zeke_jobs.send("gated").id)
            eventually(lambda: len(told) == len(sent) - 2)
        assert outcome("echo", {"n": 1})["n"] == 1, "a task with room"
        assert len(looks) - before < 8
        handlers.GATE.set()
        for job in sent:
            zeke_jobs.wait(job, timeout=20)


def test_a_delayed_job_and_one_of_a_rate_start_in_time(running: Running, jobs: Jobs, monkeypatch: Patch) -> None:
    monkeypatch.setattr("zeke_jobs.worker.claim.producer._POLL", 3600.0)
    with running(f"{TASKS}\n  rated: {{handler: 'H:echo', rate: 3/s, queue: slow}}"):
        eventually(lambda: jobs.idle("default,slow"))
        zeke_jobs.send("echo", delay=0.7)
        zeke_jobs.send_many("rated", [{}] * 3)
        eventually(lambda: not jobs.rows("SELECT 1 FROM zeke_jobs.queue WHERE state <> 'done'"), 10)
    late = "SELECT extract(epoch FROM max(started_on - run_at))::float8 AS s FROM zeke_jobs.queue WHERE task = 'echo'"
    assert 0 <= jobs.rows(late)[0]["s"] < 1


def test_full_queues_take_turns(running: Running, jobs: Jobs) -> None:
    tasks = "  one: {handler: 'H:echo', retry: {limit: 0}}\n  two: {handler: 'H:echo', queue: slow, retry: {limit: 0}}"
    jobs.use(tasks)
    for task in ("one", "two"):
        jobs.add(task, 20)
    with running(tasks, threads=1):
        eventually(lambda: not jobs.rows("SELECT 1 FROM zeke_jobs.queue WHERE state <> 'done'"))
    order = [row["task"] for row in jobs.rows("SELECT task FROM zeke_jobs.queue ORDER BY claimed_on")]
    assert abs(order[:20].count("one") - 10) <= 2


@pytest.mark.parametrize(("queues", "told"), [({"defualt"}, 1), (None, 0)])
def test_a_queue_that_no_task_has_is_named(database: str, queues: set[str] | None, told: int) -> None:
    with capture_logs() as lines, working(load(TASKS), database, queues=queues):
        pass
    named = "no task of jobs.yaml has the queue 'defualt'; did you mean 'default'?"
    assert [line["event"] for line in lines if "no task" in line["event"]] == [named] * told


def test_jobs_that_wait_behind_a_long_one_go_back_and_count_nothing(running: Running, jobs: Jobs) -> None:
    with running(GATED, threads=1) as broker:
        for _ in range(2):
            outcome("gated")  # After short jobs, the worker claims more jobs in advance.
        sent = [one.id for one in zeke_jobs.send_many("gated", [{"n": n} for n in (1, 2, 3)])]
        eventually(lambda: broker.process.held.find(sent[2]))
        eventually(lambda: [jobs.row(job)["state"] for job in sent] == ["consumed", "queued", "queued"])
        assert [(row["attempt"], row["attempts"]) for row in map(jobs.row, sent[1:])] == [(0, [])] * 2
        handlers.GATE.set()
        for job in sent:
            zeke_jobs.wait(job, timeout=20)


def test_jobs_that_a_crash_must_not_repeat_wait_for_no_thread_in_a_process(running: Running, jobs: Jobs) -> None:
    with running("  gated: {handler: 'H:first_gated', retry: {limit: 0}}", threads=1):
        for _ in range(3):
            outcome("gated")
        zeke_jobs.send_many("gated", [{"n": n} for n in (1, 2, 3)])
        eventually(lambda: 1 in handlers.CALLS)
        assert jobs.rows("SELECT count(*) FROM zeke_jobs.queue WHERE state = 'consumed'") == [{"count": 1}]
        handlers.GATE.set()
        eventually(lambda: handlers.CALLS[-1] == 3)


def test_a_job_whose_claim_was_lost_goes_back_without_a_count(running: Running, jobs: Jobs, monkeypatch: Patch) -> None:
    def breaks(*args: Any, **said: Any) -> Any:
        if (answer := ask(*args, **said)).jobs:
            monkeypatch.setattr("zeke_jobs.worker.claim.producer.ask", ask)
            raise psycopg2.OperationalError("server closed the connection unexpectedly")
        return answer

    with running(TASKS) as broker:
        monkeypatch.setattr("zeke_jobs.worker.claim.producer.ask", breaks)
        job = zeke_jobs.send("echo", {"n": 5}).id
        eventually(broker.process.proof.may_hold_unknown_claims, 5)
        jobs.rows("UPDATE zeke_jobs.queue SET claimed_on = claimed_on - interval '11 seconds'")
        broker.lifecycle.heartbeat.beat(jobs.conn)
        assert zeke_jobs.wait(job, timeout=10)["n"] == 5
    row = jobs.row(job)
    assert (row["claim"], row["attempt"], row["attempts"]) == (2, 1, [])


def test_cancelling_a_claimed_job_ends_it_before_it_starts(running: Running, jobs: Jobs, monkeypatch: Patch) -> None:
    monkeypatch.setattr("zeke_jobs.worker.claim.held_jobs._TOO_LONG", 60.0)  # The worker hands no job back.
    with running(GATED, threads=1) as broker:
        for _ in range(2):
            outcome("gated")
        _, second, third = [sent.id for sent in zeke_jobs.send_many("gated", [{"n": n} for n in (1, 2, 3)])]
        eventually(lambda: 1 in handlers.CALLS and broker.process.held.find(third))
        note = "claimed by a worker, which cancels it before it starts; if it has just started, it may still run"
        assert zeke_jobs.cancel(second, reason="not wanted").note == note
        eventually(lambda: zeke_jobs.status(second).status == "cancelled", 2)
        handlers.GATE.set()
        zeke_jobs.wait(third, timeout=10)
        eventually(lambda: len(broker.process.held) == 0)
        assert (broker.process.held.free(), broker.process.held.waiting()) == (1, 0)
    assert handlers.CALLS == [0, 0, 1, 3]


def test_cancelling_what_is_being_claimed_ends_it_at_once(running: Running, jobs: Jobs, before_accepting: Any) -> None:
    def cancel(messages: list[JobMessage]) -> None:
        for message in messages:
            zeke_jobs.cancel(message.claim.id, reason="not wanted")
            time.sleep(0.3)  # The notification arrives meanwhile.

    before_accepting(cancel)
    with running("  busy: {handler: 'H:busy'}"):
        job = zeke_jobs.send("busy").id
        assert ended(job).status == "cancelled"
        row = jobs.row(job)
    took = (row["completed_on"] - row["cancelled_on"]).total_seconds()
    assert took < 0.9, "not only at the next look, a second later"


def test_a_made_up_cancel_ends_neither_job_nor_notifier(running: Running, jobs: Jobs, monkeypatch: Patch) -> None:
    # The long interval leaves a notification as the only way in which the worker can learn of a cancel.
    monkeypatch.setattr("zeke_jobs.worker.life.heartbeat._WATCH", 3600.0)
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
        assert ended(job).status == "cancelled"


def test_a_late_start_under_a_rate_delays_the_next_one(running: Running, jobs: Jobs, before_accepting: Any) -> None:
    before_accepting(lambda messages: time.sleep(0.3 if messages else 0))
    with running("  rated: {handler: 'H:echo', rate: 2/s}"):
        outcome("rated")
    # On a busy machine the worker reports the delay in two parts.
    changes = jobs.rows("SELECT delay FROM zeke_jobs.bucket_change WHERE name = 'task/rated' AND delay IS NOT NULL")
    assert sum(change["delay"] for change in changes) >= 0.3


def test_a_job_that_is_late_by_its_rates_period_goes_back(running: Running, jobs: Jobs, before_accepting: Any) -> None:
    def freeze(messages: list[JobMessage]) -> None:
        for message in messages:
            if message.claim.number == 1:
                message.claim.asked -= 2.0
                jobs.rows("UPDATE zeke_jobs.queue SET claimed_on = claimed_on - interval '2 seconds'")

    before_accepting(freeze)
    with running("  rated: {handler: 'H:echo', rate: 2/s}"):
        outcome("rated")
    (row,) = jobs.rows("SELECT claim, attempt FROM zeke_jobs.queue")
    assert row == {"claim": 2, "attempt": 1}


def test_a_job_whose_handler_became_async_is_claimed_again(running: Running, jobs: Jobs, before_accepting: Any) -> None:
    now = load("  echo: {handler: 'H:echo_async'}")
    with running(TASKS) as broker:

        def change(messages: list[JobMessage]) -> None:
            if messages:
                broker.process.use(now, 1)

        before_accepting(change)
        assert outcome("echo", {"n": 4}) == 4
    assert jobs.rows("SELECT claim, attempt FROM zeke_jobs.queue") == [{"claim": 2, "attempt": 1}]


@pytest.mark.parametrize(
    ("claim", "runs"), [("claim", 2), ("0", 1)], ids=["rescued", "undone by a crash of the server"]
)
def test_no_job_runs_beside_itself(running: Running, jobs: Jobs, monkeypatch: Patch, claim: str, runs: int) -> None:
    monkeypatch.setattr("zeke_jobs.worker.claim.producer._POLL", 0.1)
    with running(GATED) as broker:
        job = zeke_jobs.send("gated", {"n": 1}).id
        eventually(lambda: handlers.CALLS)
        jobs.rows(f"UPDATE zeke_jobs.queue SET state = 'queued', worker = NULL, claim = {claim}")
        if runs == 2:
            eventually(lambda: "an earlier run of this job" in (zeke_jobs.status(job).waiting_for or ""))
        else:
            eventually(lambda: jobs.row(job)["worker"] == broker.process.id)
        assert handlers.CALLS == [1]
        handlers.GATE.set()
        zeke_jobs.wait(job, timeout=20)
    assert [1] * runs == handlers.CALLS
