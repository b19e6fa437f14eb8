from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg2
import pytest

from tests.zeke_jobs.worker.conftest import NOON
from zeke_jobs.config.models import Retry
from zeke_jobs.worker.claim.blocked import ANY, LACKS_THREAD, BlockedTasks
from zeke_jobs.worker.claim.claims import JobMessage
from zeke_jobs.worker.claim.consumer import JobConsumer
from zeke_jobs.worker.claim.held_jobs import HeldJobs
from zeke_jobs.worker.finish.outcome import RETURNED, Completed, Ended, Settled
from zeke_jobs.worker.process import WorkerProcess
from zeke_jobs.worker.run.interrupts import TimedOut

if TYPE_CHECKING:
    from zeke_jobs.worker.claim.claims import Claim

FREES = {
    "alone": frozenset({"task/alone"}),
    "pooled": frozenset({"limit/few"}),
    "also pooled": frozenset({"limit/few", "limit/other"}),
    "rated": frozenset[str](),
}


class Process(SimpleNamespace):
    """As much of a worker process as a consumer needs to accept rows."""

    settle = WorkerProcess.settle
    hand_back = WorkerProcess.hand_back
    _start_successor = WorkerProcess._start_successor

    def __init__(self) -> None:
        self.put: list[tuple[Claim, Any]] = []
        held = HeldJobs(4)
        super().__init__(
            id=uuid4(),
            queues=("default",),
            tasks=lambda: ["a"],
            wake_ups=SimpleNamespace(notifications_arrive=True, wake_all=lambda: None, cancel=lambda _: None),
            held=held,
            alone=False,
            registrations=1,
            blocked=BlockedTasks(lambda _: None),
            room=lambda: 4,
            pool=SimpleNamespace(connection=lambda: nullcontext(SimpleNamespace(notices=[]))),
            short_tasks=held.short_tasks,
            stopping=False,
            runtime=SimpleNamespace(quick=frozenset()),
            completer=SimpleNamespace(put=lambda claim, how: self.put.append((claim, how)), report_soon=lambda: None),
        )


class Acknowledging(Process):
    """One that hears of ends, too."""

    def __init__(self) -> None:
        super().__init__()
        self.woken: list[str] = []
        self.wake_ups.wake = self.woken.append
        self.completer.confirm = lambda _: None
        self.completer.wait_for_room = lambda: None
        self.blocked = BlockedTasks(FREES.get)

    def claim(self, consumer: JobConsumer, task: str) -> JobMessage:
        """A claimed job of a task."""
        consumer._accept([row(uuid4(), 1, task)])
        return consumer._buffer.popleft()

    def end(self, consumer: JobConsumer, message: JobMessage, outcome: Completed | Settled | None = None) -> None:
        """Its handler has completed it, by default in a transaction of its own."""
        self.held.start(message.claim)
        message.outcome = outcome or Settled()
        consumer.ack(message)


def header(held_back: list[str] | None = None, looks_on: str | None = None, on_clock: Any = NOON) -> tuple[Any, ...]:
    """The first row of job_complete_and_claim."""
    return ([], held_back or [], False, looks_on, NOON, on_clock, *[None] * 13)


def row(job: Any, claim: int, task: str = "t", *, ahead: bool = False) -> tuple[Any, ...]:
    """A job of job_complete_and_claim."""
    return (job, claim, task, '{"kwargs": {}}', 0, 0, 0, 0, None, None, None, NOON, ahead)


def test_a_job_that_comes_back_while_its_earlier_run_still_ends_here_is_put_off() -> None:
    process, job = Process(), uuid4()
    consumer = JobConsumer(process, "default")  # type: ignore[arg-type]
    consumer._accept([row(job, 1)])
    consumer._accept([row(job, 3)])
    assert [(claim.number, outcome.how) for claim, outcome in process.put if isinstance(outcome, Ended)] == [
        (3, "deferred")
    ]
    assert next(consumer).claim.number == 1  # type: ignore[union-attr]


def test_a_job_that_is_due_again_before_its_end_was_reported_here_runs_at_once() -> None:
    process, job = Process(), uuid4()
    consumer = JobConsumer(process, "default")  # type: ignore[arg-type]
    consumer._accept([row(job, 1)])
    process.held.end(next(consumer).claim)  # type: ignore[union-attr]
    consumer._accept([row(job, 2)])
    assert process.put == []
    assert next(consumer).claim.number == 2  # type: ignore[union-attr]


def test_a_claim_that_the_server_forgot_and_made_again_is_not_run_twice() -> None:
    process, job = Process(), uuid4()
    consumer = JobConsumer(process, "default")  # type: ignore[arg-type]
    consumer._accept([row(job, 1)])
    consumer._accept([row(job, 1)])
    assert process.put == []
    assert len(consumer._buffer) == 1


class ReadOnly(psycopg2.InternalError):
    """As Postgres says it."""

    pgcode = "25006"


@pytest.mark.parametrize(
    "error", [psycopg2.OperationalError("gone"), ReadOnly("cannot execute in a read-only transaction")]
)
def test_a_lost_connection_is_waited_out_here_and_its_claim_may_be_unknown(error: psycopg2.Error) -> None:
    process = Process()
    told: list[str] = []

    def fail() -> None:
        raise error

    process.pool = SimpleNamespace(connection=fail, drop_idle=lambda: told.append("dropped"))
    process.handler_pool = SimpleNamespace(drop_idle=lambda: told.append("the handlers' dropped"))
    process.proof = SimpleNamespace(answer_lost=lambda: told.append("answer lost"))
    consumer = JobConsumer(process, "default")  # type: ignore[arg-type]
    # No exception: dramatiq would stay away for three seconds.
    assert next(consumer) is None
    assert told == ["answer lost", "dropped", "the handlers' dropped"]


@pytest.mark.parametrize("since", ["before the first claim", "while it is under way"])
def test_a_job_that_must_run_alone_is_not_claimed_beside_another_queues_claim(
    monkeypatch: pytest.MonkeyPatch, since: str
) -> None:
    process = Process()
    process.alone = since == "before the first claim"
    one, other = (JobConsumer(process, queue) for queue in ("default", "other"))  # type: ignore[arg-type]
    claims: list[str] = []

    def claim(consumer: JobConsumer, *_: object) -> tuple[list[tuple[Any, ...]], tuple[str, ...]]:
        claims.append(consumer._queue)
        process.alone = True
        if consumer is one:
            other._fill()  # while the answer is on its way
        return [row(uuid4(), 1)], ()

    monkeypatch.setattr("zeke_jobs.worker.claim.consumer._BUSY_LOOK", 0.0)
    monkeypatch.setattr(JobConsumer, "_claim", claim)
    monkeypatch.setattr(JobConsumer, "_claim_alone", claim)
    monkeypatch.setattr(JobConsumer, "_report", lambda *_, **__: None)
    one._fill()
    other._fill()
    assert claims == ["default"]
    process.held.forget(process.held.all()[:1])
    other._fill()
    assert claims == ["default", "other"]


def test_an_end_wakes_the_queues_that_its_limits_held_back_and_no_others() -> None:
    process = Acknowledging()
    consumer = JobConsumer(process, "default")  # type: ignore[arg-type]
    for held, ended, woken in (
        ({}, "alone", []),
        ({"default": ["alone"]}, "alone", ["default"]),
        ({"default": ["alone"]}, "pooled", []),
        ({"default": ["alone"], "slow": ["also pooled"]}, "pooled", ["slow"]),
        ({"default": [ANY], "slow": []}, "pooled", ["default"]),
        ({"default": ["rated", ANY]}, "rated", []),
        ({"default": [LACKS_THREAD]}, "rated", ["default"]),
        ({"default": ["renamed since"]}, "pooled", ["default"]),
    ):
        for queue in ("default", "slow"):
            process.blocked.look_ended(queue, held.get(queue, ()))
        process.end(consumer, process.claim(consumer, ended))
        assert process.woken == woken, (held, ended)
        process.woken.clear()


def test_what_an_end_lets_start_is_looked_for_when_the_threads_have_nothing_left_to_begin() -> None:
    process = Acknowledging()
    consumer = JobConsumer(process, "default")  # type: ignore[arg-type]
    process.blocked.look_ended("default", ["alone"])
    first, second = process.claim(consumer, "alone"), process.claim(consumer, "pooled")
    process.end(consumer, first)
    assert process.woken == []
    process.end(consumer, second)
    assert process.woken == ["default"]


@pytest.mark.parametrize(
    ("ends", "found", "woken"),
    [
        ("while it looks", ["pooled"], []),
        ("after its look", ["pooled"], ["slow"]),
        ("after its look", ["alone"], []),
        ("before its look", ["pooled"], []),
    ],
)
def test_an_end_that_goes_with_one_queues_claim_wakes_another_whose_look_may_have_missed_it(
    monkeypatch: pytest.MonkeyPatch, ends: str, found: list[str], woken: list[str]
) -> None:
    process = Acknowledging()
    consumer = JobConsumer(process, "default")  # type: ignore[arg-type]
    claim = process.claim(consumer, "also pooled").claim
    process.completer.take_completions = lambda: [(claim, Completed())]
    process.completer.flush_soon = lambda *_: None
    blocked = process.blocked

    def rows(*_: object, **__: object) -> list[tuple[Any, ...]]:
        if ends != "before its look":
            blocked.look_began("slow")
        if ends == "after its look":
            blocked.look_ended("slow", found)
        return [header()]

    blocked.look_ended("slow", found)
    monkeypatch.setattr("zeke_jobs.worker.claim.consumer.SQL", SimpleNamespace(rows=rows, run=lambda *_, **__: 1))
    consumer._fill()
    assert process.woken == woken
    assert blocked.look_ended("slow", found) is (ends == "while it looks"), "only now it is known what it found"


def test_a_completion_that_frees_nothing_is_written_without_a_look_when_the_last_one_left_nothing() -> None:
    process, written = Acknowledging(), list[str]()
    process.completer.write_now = lambda: written.append("at once")
    consumer = JobConsumer(process, "default")  # type: ignore[arg-type]
    for is_full, writes, looks in ((True, [], ["default"]), (False, ["at once"], [])):
        for _ in range(2):  # the first one that is not full asks to be woken, and looks again
            consumer._pace.reported = consumer._pace.look_ended((), is_full=is_full)
        process.end(consumer, process.claim(consumer, "pooled"), Completed())
        assert (written, process.woken) == (writes, looks)
        process.woken.clear()
    process.blocked.look_ended("default", ["pooled"])
    process.end(consumer, process.claim(consumer, "pooled"), Completed())
    assert (written, process.woken) == (["at once"], ["default"])


def test_no_more_are_claimed_than_threads_are_free_while_one_that_may_be_long_waits_for_a_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A job takes no time, however busy the machine is.
    monkeypatch.setattr("zeke_jobs.worker.claim.capacity.time", SimpleNamespace(monotonic=lambda: 100.0))
    process = Acknowledging()
    consumer = JobConsumer(process, "default")  # type: ignore[arg-type]
    process.is_alive = lambda: True
    process.end(consumer, process.claim(consumer, "short"))
    rooms = []
    for held in (["a", ANY], [LACKS_THREAD], []):
        process.blocked.look_ended("slow", held)
        rooms.append(WorkerProcess.room(process))  # type: ignore[arg-type]
    assert rooms == [4 + 512, 4, 4 + 512]


def test_who_found_no_job_that_lacks_a_thread_with_threads_free_is_not_believed_at_once_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr("zeke_jobs.worker.claim.blocked.time", SimpleNamespace(monotonic=lambda: clock.now))
    blocked = BlockedTasks(lambda _: None)
    blocked.no_long_job_found("default")
    short = []
    for clock.now in (100.0, 100.1, 100.55, 100.7):
        blocked.look_ended("default", [LACKS_THREAD])
        short.append(blocked.long_jobs_wait())
        if clock.now == 100.0:
            blocked.no_long_job_found("default")
    assert short == [True, False, True, True]


def test_what_waits_for_a_slot_is_handed_back_at_once_when_others_lack_a_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process = Process()
    consumer = JobConsumer(process, "default")  # type: ignore[arg-type]
    monkeypatch.setattr(JobConsumer, "_report", lambda *_, **__: None)
    rows = [row(uuid4(), 1), row(uuid4(), 1, ahead=True)]
    monkeypatch.setattr(JobConsumer, "_claim", lambda *_: (rows, [LACKS_THREAD]))
    consumer._look(None, 9, alone=False)  # type: ignore[arg-type]
    assert [(claim.is_ahead, outcome) for claim, outcome in process.put] == [(True, RETURNED)]


def test_a_job_that_ends_starts_the_one_that_waits_for_its_slot_and_rings_for_more_once_half_have_started() -> None:
    process = Acknowledging()
    started: list[JobMessage] = []
    process.start = started.append
    consumer = JobConsumer(process, "default")  # type: ignore[arg-type]
    jobs = [uuid4() for _ in range(5)]
    consumer._accept([row(job, 1, ahead=job != jobs[0]) for job in jobs])
    message = consumer._buffer.popleft()
    assert not consumer._buffer
    woken = []
    for _ in range(4):
        process.end(consumer, message, Completed())
        message = started.pop()
        woken.append(list(process.woken))
        assert process.held.free() == 3
    assert woken == [[], ["default"], ["default"], ["default"]]


def test_what_waits_for_a_slot_starts_no_more_once_the_process_stops() -> None:
    process = Acknowledging()
    consumer = JobConsumer(process, "default")  # type: ignore[arg-type]
    first, second = uuid4(), uuid4()
    consumer._accept([row(first, 1), row(second, 1, ahead=True)])
    process.stopping = True
    process.end(consumer, consumer._buffer.popleft(), Completed())
    consumer.close()
    assert [(claim.id, outcome) for claim, outcome in process.put] == [(first, Completed()), (second, RETURNED)]


def test_what_was_claimed_ahead_and_finds_no_slot_left_is_handed_back() -> None:
    process = Process()
    consumer = JobConsumer(process, "default")  # type: ignore[arg-type]
    consumer._accept([row(uuid4(), 1, ahead=True)])
    assert [outcome for _, outcome in process.put] == [RETURNED]


def test_what_waits_too_long_for_a_slot_is_handed_back(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process()
    consumer = JobConsumer(process, "default")  # type: ignore[arg-type]
    consumer._accept([row(uuid4(), 1), row(uuid4(), 1, ahead=True)])
    WorkerProcess.hand_back_blocked(process)  # type: ignore[arg-type]
    assert process.put == []
    (waiting,) = [claim for claim in process.held.all() if claim.is_ahead]
    waiting.received -= 0.2
    WorkerProcess.hand_back_blocked(process)  # type: ignore[arg-type]
    assert process.put == [(waiting, RETURNED)]


@pytest.mark.parametrize(("opens_in", "looks_in"), [(0.1, 0.1), (0.001, 0.005), (3600, 2.0), (1e99, 2.0)])
def test_an_idle_consumer_looks_again_when_a_rate_opens_and_not_at_once(
    monkeypatch: pytest.MonkeyPatch, opens_in: float, looks_in: float
) -> None:
    process = Process()
    waited: list[float] = []
    process.wake_ups.wait = lambda _, timeout: waited.append(timeout)
    process.completer.take_completions = list
    now = datetime.now(UTC)
    opens = str(now + timedelta(seconds=opens_in)) if opens_in < 1e9 else "10000-01-01 04:59:59+00"
    said = header(["a"], opens, now)
    monkeypatch.setattr(
        "zeke_jobs.worker.claim.consumer.SQL", SimpleNamespace(rows=lambda *_, **__: [said], run=lambda *_, **__: 1)
    )
    monkeypatch.setattr("zeke_jobs.worker.claim.pace.random.uniform", lambda *_: 1.0)
    consumer = JobConsumer(process, "default")  # type: ignore[arg-type]
    for _ in range(6):
        consumer._fill()
    assert waited == pytest.approx([min(soon, looks_in) for soon in (0.02, 0.2, 9.0, 9.0)])


def test_how_soon_a_rate_opened_is_forgotten_when_a_job_must_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process()
    monkeypatch.setattr("zeke_jobs.worker.claim.consumer.SQL", SimpleNamespace(rows=lambda *_, **__: []))
    monkeypatch.setattr("zeke_jobs.worker.claim.pace.random.uniform", lambda *_: 1.0)
    consumer = JobConsumer(process, "default")  # type: ignore[arg-type]
    consumer._pace.look_again_in(process.wake_ups, 1, 0.02)
    process.proof = SimpleNamespace(is_due=False)
    consumer._claim_alone(None, 4)  # type: ignore[arg-type]
    assert process.proof.is_due
    assert consumer._pace._until_due == 2.0


def test_a_job_that_is_handed_back_while_its_thread_reports_it_ends_once() -> None:
    process = Acknowledging()
    consumer = JobConsumer(process, "default")  # type: ignore[arg-type]
    running, waiting = process.claim(consumer, "alone"), process.claim(consumer, "alone")
    assert process.held.start(running.claim)
    running.claim.started -= 1.0  # type: ignore[operator]
    waiting.claim.received -= 1.0
    waiting.outcome = RETURNED
    worker: Any = process
    settle = worker.settle

    def settle_late(*said: Any, **how: Any) -> bool:
        worker.settle = settle
        WorkerProcess.hand_back_blocked(worker)  # in the heartbeat's thread
        return bool(settle(*said, **how))

    worker.settle = settle_late
    consumer.ack(waiting)
    assert process.held.free() == 3
    assert process.put == [(waiting.claim, RETURNED)]


def test_a_thread_that_comes_back_while_it_is_given_up_is_not_lost() -> None:
    process = Acknowledging()
    consumer = JobConsumer(process, "default")  # type: ignore[arg-type]
    message = process.claim(consumer, "alone")
    process.held.start(message.claim)
    message.outcome = Completed()
    process.policy = lambda _: Retry()
    process._log = SimpleNamespace(error=lambda *_, **__: consumer.ack(message))
    WorkerProcess.give_up(process, message.claim.id, TimedOut("too long"))  # type: ignore[arg-type]
    assert (process.held.lost, process.held.free()) == (0, 4)
    assert [type(outcome) for _, outcome in process.put] == [Ended]


@pytest.mark.parametrize(("began_on", "late"), [(NOON - timedelta(seconds=0.02), 0.02), (NOON, 0.0), (None, 0.0)])
def test_a_claim_under_a_short_rate_is_taken_for_as_old_as_it_may_be(began_on: datetime | None, late: float) -> None:
    message = JobMessage(row(uuid4(), 1), "default", asked=100.0, received=100.5)
    message.claim.assume_earliest_claim(began_on)
    assert message.claim.received == pytest.approx(100.0 + late)
