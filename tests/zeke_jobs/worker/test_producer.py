"""These tests observe when a real worker claims, which jobs it keeps, and which it puts back into the queue."""

import time
from collections.abc import Callable
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from structlog.testing import capture_logs

import zeke_jobs
from tests.each import cases
from tests.waiting import eventually
from tests.zeke_jobs.worker import handlers
from tests.zeke_jobs.worker.conftest import Jobs, Patch, Running, ended, failure, load, outcome
from tests.zeke_jobs.working import working
from zeke_jobs.postgres.pool import transaction
from zeke_jobs.worker.claim.answer import ask
from zeke_jobs.worker.claim.claims import JobMessage
from zeke_jobs.worker.claim.producer import Producer
from zeke_jobs.worker.life.heartbeat import Heartbeat

TASKS = "  echo: {handler: 'H:echo'}"
GATED = "  gated: {handler: 'H:first_gated'}"


@pytest.fixture
def before_accepting(monkeypatch: Patch) -> Callable[[Callable[[list[JobMessage]], object]], None]:
    """Call a function after each claim, before the process accepts the claimed jobs."""
    accept = Producer._accept

    def happen(what: Callable[[list[JobMessage]], object]) -> None:
        def late(producer: Producer, messages: list[JobMessage], **said: Any) -> None:
            what(messages)
            accept(producer, messages, **said)

        monkeypatch.setattr(Producer, "_accept", late)

    return happen


def test_an_idle_worker_needs_no_poll_also_after_it_was_taken_for_dead_or_for_a_job_that_becomes_due_during_a_look(
    running: Running, jobs: Jobs, monkeypatch: Patch
) -> None:
    monkeypatch.setattr("zeke_jobs.worker.claim.producer._POLL", 3600.0)
    monkeypatch.setattr("zeke_jobs.worker.claim.producer._SOON", ())

    def then_due(*args: Any, **said: Any) -> Any:
        answer = ask(*args, **said)
        due(jobs, "run_at > zeke_jobs.now()")
        jobs.rows("SELECT pg_sleep(0.3)::text")  # A slow claim makes a busy machine's delays negligible.
        return answer

    with running(TASKS) as broker:
        for n in range(3):
            eventually(jobs.idle)
            assert outcome("echo", {"n": n})["n"] == n
        jobs.rows("DELETE FROM zeke_jobs.worker")  # A rescue deletes the rows of lost workers.
        broker.lifecycle.heartbeat.beat(jobs.conn)
        eventually(jobs.idle)
        assert outcome("echo", {"n": 7})["n"] == 7
        eventually(jobs.idle)
        job = zeke_jobs.send("echo", {"n": 1}, delay=3600).id
        monkeypatch.setattr("zeke_jobs.worker.claim.producer.ask", then_due)
        broker.producer.wake()
        assert zeke_jobs.wait(job, timeout=10)["n"] == 1


def due(jobs: Jobs, where: str, deaths: str = "deaths") -> None:
    """Make queued jobs due; ``deaths`` is SQL for how many workers died while they ran them, by default the old number."""
    sql = "UPDATE zeke_jobs.queue SET run_at = zeke_jobs.now(), deaths = {} WHERE state = 'queued' AND {}"
    jobs.rows(sql.format(deaths, where))


def test_a_process_empties_itself_for_jobs_that_must_run_alone_one_after_another(
    running: Running, jobs: Jobs, monkeypatch: Patch
) -> None:
    monkeypatch.setattr("zeke_jobs.worker.claim.producer._POLL", 3600.0)
    monkeypatch.setattr("zeke_jobs.worker.claim.producer._SOON", (3600.0, 3600.0))
    with running(f"{TASKS}\n  slowly: {{handler: 'H:slowly', queue: other}}", threads=1) as broker:
        eventually(lambda: jobs.idle("default,other"))
        alone = [zeke_jobs.send("echo", {"n": n}, delay=3600).id for n in range(6)]
        others = zeke_jobs.send_many("slowly", [{}] * 6)
        eventually(lambda: jobs.rows("SELECT 1 FROM zeke_jobs.queue WHERE state = 'done'"))
        due(jobs, "task = 'echo'", deaths="2")
        broker.producer.wake()
        assert [zeke_jobs.wait(job, timeout=20)["n"] for job in alone] == list(range(6))
        assert len(jobs.rows("SELECT 1 FROM zeke_jobs.queue WHERE state = 'done'")) < 6 + 5
        zeke_jobs.wait(others[-1].id, timeout=20)
    rows = jobs.rows("SELECT task FROM zeke_jobs.queue ORDER BY started_on")
    order = "".join(row["task"][0] for row in rows)
    assert "e" * 6 in order, order


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

    monkeypatch.setattr("zeke_jobs.worker.claim.producer.ask", counted)
    with running(f"{TASKS}\n  gated: {{handler: 'H:gated', concurrency: 1}}") as broker:
        eventually(jobs.idle)
        sent = [zeke_jobs.send("gated").id for _ in range(2)]
        eventually(lambda: jobs.rows("SELECT 1 FROM zeke_jobs.worker WHERE limited = '{task/gated}'"))
        wake = broker.producer.wake
        monkeypatch.setattr(broker.producer, "wake", lambda *args, **said: told.append(wake(*args, **said)))
        before = len(looks)
        for _ in range(9):
            sent.append(zeke_jobs.send("gated").id)
            eventually(lambda: len(told) >= len(sent) - 2)
        assert outcome("echo", {"n": 1})["n"] == 1, "a task with room"
        assert len(looks) - before < 8
        handlers.GATE.set()
        for job in sent:
            zeke_jobs.wait(job, timeout=20)


def test_a_delayed_job_sent_with_another_starts_when_due(running: Running, jobs: Jobs, monkeypatch: Patch) -> None:
    monkeypatch.setattr("zeke_jobs.worker.claim.producer._POLL", 3600.0)
    with running(TASKS):
        for _ in range(4):  # The worker has been idle several times, so it does not claim twice soon after each job.
            outcome("echo")
        with transaction(jobs.conn):
            sent = [zeke_jobs.send("echo", delay=delay, connection=jobs.conn) for delay in (0, 0.5)]
        zeke_jobs.wait(sent[1].id, timeout=10)


def test_queues_take_turns_and_jobs_start_when_they_are_due(running: Running, jobs: Jobs, monkeypatch: Patch) -> None:
    monkeypatch.setattr("zeke_jobs.worker.claim.producer._POLL", 3600.0)
    rest = "retry: {limit: 0}, queue"
    tasks = f"{TASKS}\n  rated: {{handler: 'H:echo', rate: 3/s, queue: slow}}\n"
    tasks += "".join(f"  {name}: {{handler: 'H:echo', {rest}: {name}}}\n" for name in ("one", "two"))
    jobs.use(tasks)
    for task in ("one", "two"):
        jobs.add(task, 20)
    with running(tasks, threads=1):
        eventually(lambda: jobs.idle("default,one,slow,two"))
        zeke_jobs.send("echo", delay=0.7)
        zeke_jobs.send_many("rated", [{}] * 3)
        eventually(lambda: not jobs.rows("SELECT 1 FROM zeke_jobs.queue WHERE state <> 'done'"), 10)
    late = "SELECT extract(epoch FROM max(started_on - run_at))::float8 AS s FROM zeke_jobs.queue WHERE task = 'echo'"
    assert 0 <= jobs.rows(late)[0]["s"] < 1
    order = [row["task"] for row in jobs.rows("SELECT task FROM zeke_jobs.queue ORDER BY claimed_on")]
    assert abs(order[:20].count("one") - 10) <= 2


@pytest.mark.parametrize(("queues", "told"), [({"defualt"}, 1), (None, 0)])
def test_a_queue_that_no_task_has_is_named(database: str, queues: set[str] | None, told: int) -> None:
    with capture_logs() as lines, working(load(TASKS), database, queues=queues):
        pass
    named = "no task of jobs.yaml has the queue 'defualt'; did you mean 'default'?"
    assert [line["event"] for line in lines if "no task" in line["event"]] == [named] * told


def short_jobs() -> None:
    """Run short jobs in a row, so that the worker claims more jobs in advance."""
    for job in zeke_jobs.send_many("gated", [{}] * 9):
        zeke_jobs.wait(job.id, timeout=20)


@pytest.mark.parametrize(("retry", "goes_back"), [(3, True), (0, False)])
def test_jobs_behind_a_long_one_go_back_uncounted(running: Running, jobs: Jobs, retry: int, goes_back: bool) -> None:
    with running(f"  gated: {{handler: 'H:first_gated', retry: {{limit: {retry}}}}}", threads=1) as broker:
        short_jobs()
        sent = [one.id for one in zeke_jobs.send_many("gated", [{"n": n} for n in (1, 2, 3)])]
        eventually(lambda: broker.process.held.find(sent[2]) if goes_back else 1 in handlers.CALLS)
        states = ["consumed", "queued", "queued"]
        eventually(lambda: [jobs.row(job)["state"] for job in sent] == states)
        assert [(row["attempt"], row["attempts"]) for row in map(jobs.row, sent[1:])] == [(0, [])] * 2
        handlers.GATE.set()
        for job in sent:
            zeke_jobs.wait(job, timeout=20)


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


def test_jobs_whose_ends_wait_for_a_lock_delay_no_other(
    running: Running, jobs: Jobs, other_conn: Connection, monkeypatch: Patch
) -> None:
    monkeypatch.setattr("zeke_jobs.worker.finish.completer._HELD_UP", 0.1)
    with running(f"{TASKS}\n  gated: {{handler: 'H:gated', retry: {{limit: 0}}}}", threads=20):
        payloads = [{"story_id": how} for how in ("", "fail") * 4]
        sent = [one.id for batch in (None, "b") for one in zeke_jobs.send_many("gated", payloads, batch=batch)]
        eventually(lambda: len(handlers.CALLS) == 16)
        with transaction(other_conn):
            # A job without a batch waits for its own row; a job of a batch waits, at its commit, for the batch's row.
            Jobs(other_conn).rows("SELECT 1 FROM zeke_jobs.queue WHERE extra ->> 'batch' IS NULL FOR UPDATE")
            Jobs(other_conn).rows("SELECT 1 FROM zeke_jobs.batch FOR UPDATE")
            handlers.GATE.set()
            for n in range(5):
                assert zeke_jobs.wait(zeke_jobs.send("echo", {"n": n}).id, timeout=5)["n"] == n
            failure("gated", {"story_id": "fail"})  # No claim writes this end.
            assert {jobs.row(job)["state"] for job in sent} == {"consumed"}
        assert [ended(job).status for job in sent] == ["completed", "failed"] * 8


def test_cancelling_a_claimed_job_ends_it_before_it_starts(running: Running, jobs: Jobs, monkeypatch: Patch) -> None:
    monkeypatch.setattr("zeke_jobs.worker.claim.held_jobs._TOO_LONG", 60.0)  # The worker hands no job back.
    with running(GATED, threads=1) as broker:
        short_jobs()
        _, second, third = [sent.id for sent in zeke_jobs.send_many("gated", [{"n": n} for n in (1, 2, 3)])]
        eventually(lambda: 1 in handlers.CALLS and broker.process.held.find(third))
        note = "claimed by a worker, which cancels it before it starts; if it has just started, it may still run"
        assert zeke_jobs.cancel(second, reason="not wanted").note == note
        eventually(lambda: zeke_jobs.status(second).status == "cancelled", 2)
        handlers.GATE.set()
        zeke_jobs.wait(third, timeout=10)
        eventually(lambda: len(broker.process.held) == 0)
        assert (broker.process.held.free(), broker.process.held.waiting()) == (1, 0)
    assert handlers.CALLS[-2:] == [1, 3]


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
    # With this long interval, the worker can learn of a cancellation only from a notification.
    monkeypatch.setattr("zeke_jobs.worker.life.heartbeat._WATCH", 3600.0)
    watch, watched = Heartbeat.watch, list[object]()
    monkeypatch.setattr(Heartbeat, "watch", lambda *args: watched.append(watch(*args)))
    with running("  long: {handler: 'H:busy'}"):
        job = zeke_jobs.send("long").id
        eventually(lambda: handlers.CALLS and watched)
        jobs.rows("SELECT pg_notify('zeke_jobs.cancel', 'x'), pg_notify('zeke_jobs.cancel', %s)", str(job))
        eventually(lambda: len(watched) > 1)
        assert zeke_jobs.status(job).status == "active"
        zeke_jobs.cancel(job, reason="not wanted")
        assert ended(job).status == "cancelled"


@pytest.mark.parametrize("how", ["late by its rate's period", "of a handler that became async"])
def test_a_job_not_to_be_started_is_claimed_again_and_a_late_start_under_a_rate_delays_the_next_one(
    running: Running, jobs: Jobs, before_accepting: Any, how: str
) -> None:
    now, is_late = load("  rated: {handler: 'H:echo_async', rate: 2/s}"), how.startswith("late")
    with running("  rated: {handler: 'H:first_gated', rate: 2/s}") as broker:

        def change(messages: list[JobMessage]) -> None:
            for message in messages:
                if not is_late:
                    broker.process.use(now, 1)
                elif message.claim.number == 1:
                    message.claim.asked -= 2.0
                    broker.process.proof._alive_since -= 2.0  # Otherwise the claim would seem to be of an earlier life.
                    jobs.rows("UPDATE zeke_jobs.queue SET claimed_on = claimed_on - interval '2 seconds'")
                else:
                    time.sleep(0.3)

        before_accepting(change)
        assert outcome("rated", {"n": 4}) == (None if is_late else 4)
    assert len(handlers.CALLS) == is_late, "the first claim starts no handler"
    assert jobs.rows("SELECT claim, attempt FROM zeke_jobs.queue") == [{"claim": 2, "attempt": 1}]
    # On a busy machine, the worker may write the delay as two rows, so the test adds them up.
    changes = jobs.rows("SELECT delay FROM zeke_jobs.bucket_change WHERE name = 'task/rated' AND delay IS NOT NULL")
    assert sum(change["delay"] for change in changes) >= 0.3 * is_late


@cases("claim runs", ("claim", 2), ("0", 1))  # It was rescued, or a crash of the server undid its claim.
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
