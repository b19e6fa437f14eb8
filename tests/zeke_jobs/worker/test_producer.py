"""When the producer looks for jobs, how many it asks for, and what it does with the answer."""

from __future__ import annotations

import math
from contextlib import nullcontext
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg2
import pytest
from structlog.testing import capture_logs

from tests.zeke_jobs.worker.conftest import NOON, a_claim
from zeke_jobs.config.models import Retry
from zeke_jobs.worker.claim import producer as module
from zeke_jobs.worker.claim.answer import Answer
from zeke_jobs.worker.claim.claims import JobMessage, Row
from zeke_jobs.worker.claim.consumer import JobConsumer
from zeke_jobs.worker.claim.held_jobs import HeldJobs
from zeke_jobs.worker.claim.producer import Producer, _Queue
from zeke_jobs.worker.finish.outcome import RETURNED, Completed, Ended, Settled
from zeke_jobs.worker.process import WorkerProcess
from zeke_jobs.worker.run.interrupts import TimedOut

if TYPE_CHECKING:
    from uuid import UUID

    from zeke_jobs.worker.claim.claims import Claim

FREES = {
    "alone": frozenset({"task/alone"}),
    "pooled": frozenset({"limit/few"}),
    "also pooled": frozenset({"limit/few", "limit/other"}),
    "rated": frozenset[str](),
}


class Clock(SimpleNamespace):
    """Instead of the module ``time``."""

    def __init__(self) -> None:
        super().__init__(now=100.0, monotonic=lambda: self.now, sleep=lambda _: None)


def now() -> float:
    """The time of the test's clock."""
    return float(vars(module)["time"].monotonic())


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr("zeke_jobs.worker.claim.held_jobs.time", clock)
    monkeypatch.setattr(module, "random", SimpleNamespace(uniform=lambda *_: 1.0))
    return clock


class Process(SimpleNamespace):
    """As much of a worker process as its producer needs."""

    settle = WorkerProcess.settle
    hand_back_blocked = WorkerProcess.hand_back_blocked

    def __init__(self, *queues: str, threads: int = 4) -> None:
        self.put: list[tuple[Claim, Any]] = []
        self.given: list[JobMessage] = []
        self.told: list[str] = []
        super().__init__(
            id=uuid4(),
            queues=queues or ("default",),
            tasks=lambda: list(FREES),
            held=HeldJobs(threads),
            registrations=1,
            pool=SimpleNamespace(
                connection=lambda: nullcontext(SimpleNamespace(notices=[])),
                drop_idle=lambda: self.told.append("dropped"),
            ),
            handler_pool=SimpleNamespace(drop_idle=lambda: self.told.append("the handlers' dropped")),
            proof=SimpleNamespace(answer_lost=lambda: self.told.append("answer lost")),
            is_alive=lambda: True,
            policy=lambda claim: Retry(limit=0 if claim.task == "once" else 1),
            stopping=False,
            stop_begun=SimpleNamespace(wait=lambda seconds: self.told.append(f"waits {seconds}")),
            runtime=SimpleNamespace(frees=FREES.get, revision=7),
            start=self.given.append,
            completer=SimpleNamespace(
                put=lambda claim, how: self.put.append((claim, how)),
                confirm=lambda _: None,
                wait_for_room=lambda: None,
                take_completions=list,
                flush_soon=lambda *_: None,
                put_back=lambda _: None,
                write_now=lambda: self.told.append("write now"),
            ),
        )
        self.producer = Producer(self)  # type: ignore[arg-type]
        self.producer._queues = {name: _Queue(name) for name in self.queues}

    def queue(self, name: str = "default") -> _Queue:
        return self.producer._queues[name]

    def looks(self) -> list[tuple[str, int]]:
        """The looks that are due now, with the numbers of jobs to ask for; each then counts as under way."""
        found: list[tuple[str, int]] = []
        while True:
            due = [queue for queue in self.producer._queues.values() if queue.look_on <= now()]
            if not due or not self.producer._want():
                return found
            queue, want = self.producer._next()
            if queue is None or (queue.name, want) in found:
                return found
            found.append((queue.name, want))

    def claimed(self, *jobs: Row) -> None:
        """These jobs came."""
        self.producer._accept([JobMessage(row, "default", 100.0) for row in jobs])

    def claim(self, task: str) -> JobMessage:
        """A job of a task came, and a thread took it."""
        self.claimed(a_job(task=task))
        return self.given.pop()

    def end(self, message: JobMessage, outcome: Any = None) -> None:
        """Its handler has ended, by default as completed in a transaction of its own."""
        self.held.start(message.claim)
        message.outcome = outcome or Settled()
        JobConsumer(self, 1000).ack(message)  # type: ignore[arg-type]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Answer]:
    """The answers to the next claims; empty ones when there are no more."""
    coming: list[Answer] = []
    monkeypatch.setattr(module, "ask", lambda *_, **__: coming.pop(0) if coming else Answer([], [], set()))
    monkeypatch.setattr(module, "with_messages", lambda _conn, _worker, jobs: jobs)
    monkeypatch.setattr(module, "SQL", SimpleNamespace(run=lambda *_, **__: 1, value=lambda *_, **__: None))
    return coming


def a_job(job: UUID | None = None, claim: int = 1, task: str = "t") -> Row:
    return Row(
        "job", job or uuid4(), claim, task, '{"kwargs": {}}', 0, 0, 0, 7, None, None, NOON, None, None, None, None, None
    )


def held_back(task: str | None, by: str | None, reason: str, wait: float | None = None) -> Row:
    nothing: Any = None
    return Row("held", *[nothing] * 2, task, *[nothing] * 10, by, reason, wait)  # type: ignore[call-arg]


def look(process: Process, name: str = "default", want: int = 4) -> float:
    """One look, without the wait for it; the seconds until the next one."""
    queue = process.queue(name)
    queue.look_on = math.inf
    process.producer._look(queue, want)
    return queue.look_on - now()


# ── what comes ──


def test_a_job_that_comes_back_while_its_earlier_run_still_ends_here_is_put_off() -> None:
    process, job = Process(), uuid4()
    process.claimed(a_job(job, 1))
    process.claimed(a_job(job, 3))
    assert [(claim.number, outcome.how) for claim, outcome in process.put] == [(3, "deferred")]
    assert [message.claim.number for message in process.given] == [1]


def test_a_job_that_is_due_again_before_its_end_was_reported_here_runs_at_once() -> None:
    process, job = Process(), uuid4()
    process.claimed(a_job(job, 1))
    process.held.end(process.given[0].claim)
    process.claimed(a_job(job, 2))
    assert process.put == []
    assert [message.claim.number for message in process.given] == [1, 2]


def test_a_claim_that_the_server_forgot_and_made_again_is_not_run_twice() -> None:
    process, job = Process(), uuid4()
    process.claimed(a_job(job, 1))
    process.claimed(a_job(job, 1))
    assert process.put == []
    assert len(process.given) == 1


def test_a_long_job_for_which_no_thread_is_free_goes_back_at_once_and_a_short_one_waits() -> None:
    process = Process(threads=2)
    process.end(process.claim("short"))
    process.put.clear()
    rows = [a_job(task=task) for task in ("short", "long", "short", "long")]
    process.claimed(*rows)
    assert [(claim.task, outcome) for claim, outcome in process.put] == [("long", RETURNED)] * 2
    assert [message.claim.task for message in process.given] == ["short", "short"]
    process.claimed(a_job(task="short"))
    assert process.held.waiting() == 3


def test_jobs_that_cannot_be_given_to_the_threads_go_back() -> None:
    process = Process()

    def fail(_: object) -> None:
        raise LookupError("no such actor")

    process.start = fail
    with pytest.raises(LookupError):
        process.claimed(a_job(), a_job())
    assert [outcome for _, outcome in process.put] == [RETURNED] * 2
    assert process.held.free() == 4


def test_jobs_that_come_after_a_stop_go_back() -> None:
    process = Process()
    process.stopping = True
    process.claimed(a_job(), a_job())
    assert ([outcome for _, outcome in process.put], process.given) == ([RETURNED] * 2, [])


class ReadOnly(psycopg2.InternalError):
    """As Postgres says it."""

    pgcode = "25006"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (psycopg2.OperationalError("gone"), ["answer lost", "dropped", "the handlers' dropped", "waits 0.1"]),
        (ReadOnly("read-only transaction"), ["answer lost", "dropped", "the handlers' dropped", "waits 0.1"]),
        (TypeError("a fault of ours"), ["answer lost", "waits 3.0"]),
    ],
)
def test_a_claim_that_fails_may_have_brought_jobs_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, error: Exception, told: list[str]
) -> None:
    process = Process()

    def fail(*_: object, **__: object) -> Answer:
        process.stopping = True  # the loop ends after this look
        raise error

    monkeypatch.setattr(module, "ask", fail)
    with capture_logs() as lines:
        process.producer._run()
    assert process.told == told
    assert process.queue().look_on == 100.0
    assert len(lines) == 1


def test_an_output_that_postgres_cannot_store_is_left_to_the_completer(monkeypatch: pytest.MonkeyPatch) -> None:
    process, back = Process(), list[Any]()
    completions = [(a_claim(uuid4()), Completed())]
    process.completer.take_completions, process.completer.put_back = lambda: completions, back.extend
    process.completer.waiting = lambda: back

    def fail(*_: object, **__: object) -> Answer:
        process.stopping = True  # the loop ends after this look
        raise ValueError("A string literal cannot contain NUL")

    monkeypatch.setattr(module, "ask", fail)
    process.producer._run()
    assert back == completions
    assert process.told == ["answer lost", "write now", "waits 0.1"]


# ── a job that must run alone ──


def test_for_a_job_that_must_run_alone_the_process_empties_itself_and_looks_only_there(answers: list[Answer]) -> None:
    process = Process("default", "slow")
    running = process.claim("t")
    answers.append(Answer([], [held_back("t", None, "alone")], set()))
    look(process, "slow")
    assert process.looks() == []
    process.end(running)
    process.held.forget([running.claim])
    assert process.looks() == [("slow", 4)]
    look(process, "slow")  # it is gone
    assert ("default", 4) in process.looks()


# ── when to look ──


def test_wake_ups_cause_one_look_and_a_late_one_is_cancelled_by_a_look(clock: Clock) -> None:
    process = Process("default", "slow")
    assert sorted(process.looks()) == [("default", 4), ("slow", 4)]
    process.producer.wake("default")
    process.producer.wake("unknown")
    assert process.looks() == [("default", 4)]
    assert process.looks() == [], "it woke once"
    process.producer.wake("slow", 0.1)
    assert process.looks() == []
    clock.now += 0.1
    assert process.looks() == [("slow", 4)]
    process.producer.wake("slow", 0.1)
    process.producer.wake("slow")
    assert process.looks() == [("slow", 4)]
    clock.now += 0.1
    assert process.looks() == []


def test_a_full_claim_is_followed_by_another_and_queues_take_turns(answers: list[Answer], clock: Clock) -> None:
    process = Process("default", "slow", threads=1)
    order = []
    for _ in range(6):
        clock.now += 0.01
        queue, want = process.producer._next()
        assert queue is not None
        order.append(queue.name)
        answers.append(Answer([a_job(task="once")], [], set()))
        process.producer._look(queue, want)
        assert process.looks() == [], "no thread is free"
        process.end(process.given.pop())
    assert order == ["default", "slow"] * 3


@pytest.mark.parametrize("wait", [0.1, 0.001, 3600.0])
def test_an_idle_process_looks_twice_soon_and_then_when_a_rate_opens_or_it_polls(
    answers: list[Answer], wait: float
) -> None:
    process = Process()
    answers += [Answer([], [held_back("rated", "task/rated", "rate", wait)], set())] * 5
    waits = [look(process) for _ in range(5)]
    opens = max(0.005, wait)
    assert waits == pytest.approx([0.0, min(0.02, opens), min(0.2, opens), *[min(2.0, opens)] * 2])


def test_jobs_under_a_limit_that_were_left_for_free_threads_are_asked_for_once_a_thread_is_free(
    answers: list[Answer],
) -> None:
    process = Process(threads=1)
    process.end(process.claim("pooled"))
    running = process.claim("pooled")
    assert process.held.want() > 1, "its jobs are short"
    answers.append(Answer([], [held_back("pooled", "limit/few", "thread")], set()))
    assert look(process) == 0.0
    assert (process.queue().idle, process.queue().limited) == (False, {})
    assert process.looks() == []
    process.end(running)
    assert process.looks() == [("default", 1)]


def test_an_idle_process_looks_when_a_delayed_job_is_due_and_then_asks_for_the_next(
    answers: list[Answer], monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    process, asked, due = Process(), list[float](), [0.7, 1.5]

    def next_due(*_: object, **__: object) -> float:
        asked.append(clock.now)
        return due.pop(0)

    monkeypatch.setattr(module, "SQL", SimpleNamespace(run=lambda *_, **__: 1, value=next_due))
    waits = [look(process) for _ in range(4)]
    assert waits == pytest.approx([0.0, 0.02, 0.2, 0.7])
    answers.append(Answer([a_job()], [], set()))
    assert look(process) == pytest.approx(0.7), "a job that was sent meanwhile changes nothing"
    clock.now += 0.7
    answers.append(Answer([a_job()], [], set()))
    assert look(process) == pytest.approx(1.5)
    assert asked == [100.0, 100.7]


def test_without_notifications_it_polls_every_second(answers: list[Answer]) -> None:
    process = Process()
    process.producer.notifications_arrive = False
    assert [look(process) for _ in range(4)] == pytest.approx([0.0, 0.02, 0.2, 1.0])


def test_it_asks_for_wake_ups_only_when_they_change(
    answers: list[Answer], monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    process, reports = Process("default", "slow"), list[tuple[list[str], list[str]]]()

    def run(_conn: object, _name: str, **said: Any) -> int:
        reports.append((said["idle"], said["limited"]))
        return 1

    monkeypatch.setattr(module, "SQL", SimpleNamespace(run=run, value=lambda *_, **__: None))
    held = Answer(
        [], [held_back("pooled", "limit/few", "concurrency"), held_back("rated", "limit/r", "rate", 9.0)], set()
    )
    for name in ("default", "slow"):
        answers += [held] * 2
        look(process, name)
        look(process, name)
    assert reports == [(["default"], ["limit/few"]), (["default", "slow"], ["limit/few"])]
    full = Answer([a_job()], [], set())
    for _ in range(3):
        answers.append(full)
        look(process, "default", 1)
        clock.now += 0.6
    assert reports[2:] == [(["slow"], ["limit/few"])], "after a second of full claims"
    process.registrations += 1
    look(process, "slow")
    assert reports[3:] == [(["slow"], [])], "in the new row, and without limits that hold nothing back any more"


# ── ends ──


@pytest.mark.parametrize(
    ("held", "ended", "woken"),
    [
        ({}, "alone", []),
        ({"default": ["task/alone"]}, "alone", ["default"]),
        ({"default": ["task/alone"]}, "pooled", []),
        ({"default": ["task/alone"], "slow": ["limit/other", "limit/few"]}, "pooled", ["slow"]),
        ({"default": ["limit/few"]}, "rated", []),
        ({"default": ["limit/few"]}, "renamed since", ["default"]),
    ],
)
def test_an_end_causes_looks_at_the_queues_that_its_limits_held_back_and_no_others(
    held: dict[str, list[str]], ended: str, woken: list[str]
) -> None:
    process = Process("default", "slow")
    message = process.claim(ended)
    process.looks()
    for name in process.queues:
        process.queue(name).limited = dict.fromkeys(held.get(name, ()), 100.0)
    process.end(message)
    assert [name for name, _ in process.looks()] == woken


def test_a_limit_is_looked_at_when_the_threads_have_nothing_left_to_begin() -> None:
    process = Process()
    process.queue().limited = {"task/alone": 100.0}
    first, second = process.claim("alone"), process.claim("pooled")
    process.looks()
    process.end(first)
    assert process.looks() == []
    process.end(second)
    assert process.looks() == [("default", 4)]


def test_an_end_that_is_written_with_one_queues_claim_causes_a_look_at_another(answers: list[Answer]) -> None:
    process = Process("default", "slow")
    for name in process.queues:
        look(process, name)
        look(process, name)
        process.queue(name).limited = {"limit/few": 100.0}
    process.completer.take_completions = lambda: [(a_claim(uuid4(), task="also pooled"), Completed())]
    look(process, "default")
    assert process.queue("slow").look_on == 100.0


def test_a_completion_is_written_at_once_unless_a_look_follows_that_writes_it(answers: list[Answer]) -> None:
    process = Process()
    for _ in range(3):
        look(process)
    process.end(process.claim("pooled"), Completed())
    assert (process.told, process.looks()) == (["write now"], [])
    process.told.clear()
    process.queue().limited = {"limit/few": 100.0}
    process.end(process.claim("pooled"), Completed())
    assert (process.told, len(process.looks())) == ([], 1)
    process.queue().limited, process.queue().looks = {}, 0  # a look is under way, after one that was full
    process.end(process.claim("pooled"), Completed())
    assert process.told == []
    process.end(process.claim("pooled"), Ended("failed"))
    assert process.told == ["write now"], "no look writes another end than a completion"


def test_a_job_that_is_handed_back_while_its_thread_reports_it_ends_once(clock: Clock) -> None:
    process = Process()
    running, waiting = process.claim("alone"), process.claim("alone")
    assert process.held.start(running.claim)
    clock.now += 1.0
    waiting.claim.received = 100.0
    waiting.outcome = RETURNED
    worker: Any = process
    settle = worker.settle

    def settle_late(*said: Any, **how: Any) -> bool:
        worker.settle = settle
        worker.hand_back_blocked()  # in the heartbeat's thread
        return bool(settle(*said, **how))

    worker.settle = settle_late
    JobConsumer(worker, 1000).ack(waiting)
    assert process.held.free() == 3
    assert process.put == [(waiting.claim, RETURNED)]


def test_a_thread_that_comes_back_while_it_is_given_up_is_not_lost() -> None:
    process = Process()
    message = process.claim("alone")
    process.held.start(message.claim)
    message.outcome = Completed()
    process._log = SimpleNamespace(error=lambda *_, **__: JobConsumer(process, 1000).ack(message))  # type: ignore[arg-type]
    WorkerProcess.give_up(process, message.claim.id, TimedOut("too long"))  # type: ignore[arg-type]
    assert (process.held.lost, process.held.free()) == (0, 4)
    assert [type(outcome) for _, outcome in process.put] == [Ended]


# ── late starts ──


@pytest.mark.parametrize(
    ("after", "calls_take", "reports"),
    [(0.01, [], 0), (0.3, [0.001], 1), (0.3, [0.05, 0.05, 0.001], 3)],
    ids=["in time", "late", "late, and the report takes long"],
)
def test_a_handler_under_a_rate_that_starts_late_tells_the_rate_before_it_starts(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, after: float, calls_take: list[float], reports: int
) -> None:
    process = Process()
    process._report_late_start = lambda claim: WorkerProcess._report_late_start(process, claim)  # type: ignore[arg-type]
    process.proof.holds = lambda _: True
    said: list[float] = []

    def value(_conn: object, name: str, **params: Any) -> float:
        assert name == "job/started_late"
        assert claim.started is None
        assert params["told"] == len(said), "what the last call returned"
        said.append(params["margin"])
        clock.now += calls_take[len(said) - 1]
        return len(said)

    monkeypatch.setattr("zeke_jobs.worker.process.SQL", SimpleNamespace(value=value))
    monkeypatch.setattr("zeke_jobs.worker.process.time", clock)
    claim = process.claim("rated").claim
    claim.on_time = 0.25
    clock.now += after
    assert WorkerProcess.begin(process, claim) is None  # type: ignore[arg-type]
    assert said == [0.02] * reports
    assert claim.started is not None


def test_a_handler_whose_late_start_cannot_be_told_does_not_start(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = Process()

    def fail(_: Claim) -> None:
        raise psycopg2.OperationalError("gone")

    process._report_late_start, process.proof.holds = fail, lambda _: True
    claim = process.claim("rated").claim
    assert WorkerProcess.begin(process, claim) is RETURNED  # type: ignore[arg-type]
    assert claim.started is None
