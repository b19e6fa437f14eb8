"""A worker counts its claims and threads, sends heartbeats, loads new revisions, interrupts handlers, and opens services."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from types import SimpleNamespace
from typing import Any, Self
from uuid import uuid4

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from psycopg2.extensions import connection as Connection
from pydantic import BaseModel
from structlog.testing import capture_logs

import zeke_jobs
from tests.waiting import eventually
from tests.zeke_jobs.sql import rows, value
from tests.zeke_jobs.worker import handlers
from tests.zeke_jobs.worker.conftest import Jobs, Patch, Running, a_claim, load
from tests.zeke_jobs.worker.handlers import GATE
from zeke_jobs.postgres.pool import connect
from zeke_jobs.worker.claim.claims import Claim, Stage
from zeke_jobs.worker.claim.held_jobs import HeldJobs
from zeke_jobs.worker.life.heartbeat import Heartbeat, faults
from zeke_jobs.worker.life.proof import ProofOfLife
from zeke_jobs.worker.run import interrupts
from zeke_jobs.worker.run.interrupts import Cancelled
from zeke_jobs.worker.runtime import Runtime

THREADS = 2


class Holding(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.held = HeldJobs(THREADS)
        self.stages: dict[Claim, Stage] = {}
        self.unwritten: list[Claim] = []

    def at(self, *stages: Stage) -> list[Claim]:
        return [claim for claim, stage in self.stages.items() if stage in stages]

    @rule(count=st.integers(0, 3), deaths=st.sampled_from([0, 0, 2]))
    def claim(self, count: int, deaths: int) -> None:
        claims = [a_claim(uuid4(), deaths=deaths) for _ in range(count)]
        assert self.held.accept([(claim, True) for claim in claims]) == claims
        self.stages |= dict.fromkeys(claims, Stage.WAITS)

    @precondition(lambda self: self.at(Stage.WAITS, Stage.ENDED))
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.at(Stage.WAITS, Stage.ENDED)))
        waits = self.stages[claim] is Stage.WAITS
        assert self.held.start(claim) == waits
        if waits:
            self.stages[claim] = Stage.RUNS

    @precondition(lambda self: self.stages)
    @rule(data=st.data(), unstarted=st.booleans())
    def end(self, data: st.DataObject, unstarted: bool) -> None:
        """End a claim; if ``unstarted`` is true, end it only while no thread has started its job."""
        claim = data.draw(st.sampled_from(list(self.stages)))
        stage = self.stages[claim]
        ends = stage is not Stage.ENDED and not (unstarted and stage is not Stage.WAITS)
        is_first = self.held.end(claim, unstarted=unstarted)
        assert is_first == (ends and stage is not Stage.GIVEN_UP)
        if ends:
            self.stages[claim] = Stage.ENDED
        if is_first:
            self.unwritten.append(claim)

    @precondition(lambda self: self.at(Stage.RUNS, Stage.WAITS))
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.at(Stage.RUNS, Stage.WAITS)))
        is_first = self.held.give_up(claim)
        assert is_first == (self.stages[claim] is Stage.RUNS)
        if is_first:
            self.stages[claim] = Stage.GIVEN_UP
            self.unwritten.append(claim)

    @precondition(lambda self: self.unwritten)
    @rule(data=st.data())
    def is_written(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.unwritten))
        self.unwritten.remove(claim)
        self.held.forget([claim])

    @invariant()
    def each_is_where_it_should_be_and_counted_once(self) -> None:
        assert {claim: claim.stage for claim in self.stages} == self.stages
        assert self.held.free() == THREADS - len(self.at(Stage.WAITS, Stage.RUNS, Stage.GIVEN_UP))
        assert self.held.waiting() == len(self.at(Stage.WAITS))
        assert self.held.lost == len(self.at(Stage.GIVEN_UP))
        assert set(self.held.all()) == {*self.at(Stage.WAITS, Stage.RUNS), *self.unwritten}
        runs_alone = any(claim.deaths > 1 for claim in self.held.all())
        assert not (runs_alone and self.held.want()), "beside a job that must run alone none is wanted"


def test_each_claim_ends_once_and_each_thread_is_counted_once() -> None:
    run_state_machine_as_test(
        Holding, settings=settings(max_examples=settings().max_examples // 3, stateful_step_count=40)
    )


def test_a_job_with_a_limit_waits_for_a_thread_no_longer_than_a_look_takes(monkeypatch: Patch) -> None:
    now = [0.0]
    monkeypatch.setattr("zeke_jobs.worker.claim.held_jobs.time.monotonic", lambda: now[0])
    held, claims = HeldJobs(THREADS), [a_claim(uuid4()) for _ in range(100)]
    held.accept([(claim, True) for claim in claims])
    assert held.room(0.01) == (THREADS - 100, 0), "nobody knows yet how long its jobs take"
    for claim in claims:
        held.start(claim)
        now[0] += 0.001
        held.end(claim)
    held.accept([(a_claim(uuid4()), True)])
    assert [held.room(took) for took in (0.01, 0.001, 0.0)] == [(1, 20), (1, 2), (1, 0)]
    held.accept([(a_claim(uuid4(), task="unknown"), True)])
    assert held.room(0.01) == (0, 0)


def test_jobs_that_wait_long_go_back_at_once_only_while_no_thread_starts_a_job(monkeypatch: Patch) -> None:
    now = [time.monotonic()]
    monkeypatch.setattr("zeke_jobs.worker.claim.held_jobs.time.monotonic", lambda: now[0])
    held, claims = HeldJobs(2), [a_claim(uuid4()) for _ in range(5)]
    held.accept([(claim, True) for claim in claims])
    now[0] += 0.2
    assert held.behind_long_job() == claims[2:], "two threads have jobs that they have not started yet"
    held.start(claims[0])
    held.start(claims[1])
    now[0] += 0.15  # One thread runs a long job, the other short ones.
    held.end(claims[1])
    held.start(claims[2])
    assert held.behind_long_job() == []
    now[0] += 0.25
    held.accept([(on_loop := a_claim(uuid4(), is_async=True), True)])
    held.start(on_loop)
    assert held.behind_long_job() == claims[3:], "an async handler takes no thread"
    now[0] += 0.45
    held.end(claims[2])
    held.start(claims[3])
    assert held.behind_long_job() == claims[4:], "it has waited for a second"


def test_whatever_fails_beside_it_a_heartbeat_proves_life(conn: Connection, monkeypatch: Patch) -> None:
    beaten = threading.Event()
    monkeypatch.setattr(Heartbeat, "beat", lambda *_: beaten.set())
    process = SimpleNamespace(url=None, proof=ProofOfLife(5.0), tick=lambda: 1 / 0)
    heartbeat = Heartbeat(SimpleNamespace(process=process))  # type: ignore[arg-type]
    heartbeat.thread.start()
    assert beaten.wait(5.0)
    heartbeat.close()


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="the system has no clock that counts a suspension")
def test_a_machine_that_was_suspended_starts_nothing_before_its_next_heartbeat(monkeypatch: Patch) -> None:
    proof, slept = ProofOfLife(5.0), time.clock_gettime(time.CLOCK_BOOTTIME) + 3600
    assert proof.is_fresh()
    monkeypatch.setattr(time, "clock_gettime", lambda clock: {time.CLOCK_BOOTTIME: slept}[clock])
    assert not proof.is_fresh()


def test_a_heartbeat_waits_for_no_change_of_the_revision_and_a_worker_says_that_its_code_does_not_fit_one(
    running: Running, jobs: Jobs, monkeypatch: Patch
) -> None:
    def long_change(*args: Any) -> None:
        used.append(handlers.GATE.wait(20))
        use(*args)

    def follows(revision: int, refusal: str | None) -> bool:
        (row,) = jobs.rows("SELECT revision, substring(refusal, 'got .gone.') AS refusal FROM zeke_jobs.worker")
        return row == {"revision": revision, "refusal": refusal}

    monkeypatch.setenv("ZEKE_JOBS_HEARTBEAT", "0.1")
    newer = "version: 1\ntasks:\n  echo: {handler: 'tests.zeke_jobs.worker.handlers:gone'}"
    columns = "(number, digest, source, applied_by) OVERRIDING SYSTEM VALUE"
    with running("  echo: {handler: 'H:echo'}") as broker:
        use, used = broker.process.use, list[bool]()
        monkeypatch.setattr(broker.process, "use", long_change)
        jobs.use("  echo: {handler: 'H:echo', priority: 1}")
        for _ in range(2):  # At the second check the process is still applying the revision.
            broker.lifecycle.heartbeat.check_revision(jobs.conn)
        assert used == []
        handlers.GATE.set()
        eventually(lambda: follows(2, None))
        assert used == [True]
        jobs.rows(f"INSERT INTO zeke_jobs.revision {columns} VALUES (3, 'd', %s, 'me')", newer)
        eventually(lambda: follows(2, "got 'gone'"))
        assert zeke_jobs.wait(zeke_jobs.send("echo", {"n": 7}).id, 10)["n"] == 7
        jobs.use("  echo: {handler: 'H:echo', priority: 2}")
        eventually(lambda: follows(4, None))


def test_a_worker_that_was_taken_for_dead_stops_its_handlers_and_goes_on(running: Running, jobs: Jobs) -> None:
    with running("  busy: {handler: 'H:busy'}", threads=1) as broker:
        job = zeke_jobs.send("busy").id
        eventually(lambda: handlers.CALLS == ["started"])
        jobs.rows("UPDATE zeke_jobs.queue SET claimed_on = claimed_on - interval '5 minutes'")
        jobs.rows("DELETE FROM zeke_jobs.worker")
        assert len(jobs.rows("SELECT zeke_jobs.rescue()")) == 1
        broker.lifecycle.heartbeat.beat(jobs.conn)
        eventually(lambda: handlers.CALLS == ["started"] * 2, 10.0)  # The first job has freed the one thread.
        zeke_jobs.cancel(job)


def test_a_thread_that_stands_still_is_stuck_unless_it_waits_for_the_database(conn: Connection, database: str) -> None:
    def said(producer: threading.Thread, seconds: float) -> tuple[str, str]:
        """Return the faults that a process reports if its producer thread last ran its loop ``seconds`` ago."""
        now = time.monotonic()
        process = SimpleNamespace(is_booted=True, stopping=False, proof=SimpleNamespace(is_fresh=lambda: True))
        beating: Any = SimpleNamespace(thread=threading.current_thread(), turned=now, is_away=False)
        return faults(SimpleNamespace(process=process, thread=producer, turned=now - seconds), beating)  # type: ignore[arg-type]

    assert said(threading.current_thread(), 0) == ("", "")
    assert said(threading.current_thread(), 1000)[0].startswith("its thread MainThread has stood still for 10")
    rows(conn, "SELECT pg_advisory_lock(1)")
    with closing(connect(database)) as other:
        asking = threading.Thread(target=rows, args=(other, "SELECT pg_advisory_lock(1)"), name="producer", daemon=True)
        asking.start()
        held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        eventually(lambda: value(conn, held))
        assert said(asking, 1000) == ("", "")
        rows(conn, "SELECT pg_advisory_unlock(1)")
        asking.join(10)
    assert said(asking, 1000)[0] == "its thread producer has ended"


def test_a_query_is_cancelled_until_it_ends_and_no_interrupt_reaches_the_code_behind_it() -> None:
    running, cancels = interrupts.Running(60, is_async=True), list[bool]()
    running.stoppers.append(lambda: cancels.append(True))
    running.stop(Cancelled("by a person"))
    assert not running.tick()
    assert len(cancels) == 2
    for _ in range(300):
        running, ready = interrupts.Running(60), threading.Event()

        def stop(running=running, ready=ready) -> None:  # type: ignore[no-untyped-def]
            ready.set()
            running.stop(Cancelled("race"))

        thread = threading.Thread(target=stop)
        try:
            with running:
                thread.start()
                ready.wait()
        except Cancelled:
            pass
        sum(range(2000))  # A late interrupt would be raised during the sum.
        thread.join()


class Named(BaseModel):
    name: str

    def open(self) -> Self:
        handlers.CALLS.append(f"opening {self.name}")
        if self.name == "slow":
            GATE.wait(10)
        handlers.CALLS.append(self.name)
        return self

    def close(self) -> None:
        handlers.CALLS.append(f"closed {self.name}")
        if self.name == "breaks":
            raise RuntimeError("no luck")


def runtime(**names: str) -> Runtime:
    lines = "".join(f"  {key}: {{use: '{__name__}:Named', name: {name}}}\n" for key, name in names.items())
    return Runtime(load("  echo: {handler: 'H:echo'}", f"services:\n{lines}"))


def test_a_service_opens_beside_another_and_anew_when_its_settings_changed_and_its_close_may_fail() -> None:
    here = runtime(slow="slow", quick="quick")
    with ThreadPoolExecutor(3) as threads:
        slow = threads.submit(here.service, "slow")
        eventually(lambda: handlers.CALLS == ["opening slow"])
        again = threads.submit(here.service, "slow")
        threads.submit(here.service, "quick").result(5)
        GATE.set()
        assert slow.result(5) is again.result(5)
    assert handlers.CALLS == ["opening slow", "opening quick", "quick", "slow"]
    here.use(runtime(slow="slow", other="other").config, 2)
    assert here.service("slow") is slow.result()
    here.use(runtime(slow="new").config, 3)
    assert here.service("slow").name == "new"
    here = runtime(breaks="breaks", one="one")
    here.service("breaks"), here.service("one")
    handlers.CALLS.clear()
    with capture_logs() as lines:
        here.close()
    assert handlers.CALLS == ["closed breaks", "closed one"]
    assert [line["service"] for line in lines] == ["breaks"]
