"""A process sends heartbeats with its progress, follows revisions, and interrupts its handlers."""

import threading
import time
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.waiting import eventually
from tests.zeke_jobs.sql import rows, value
from tests.zeke_jobs.worker import handlers
from tests.zeke_jobs.worker.conftest import Jobs, Running
from zeke_jobs.postgres.pool import connect
from zeke_jobs.worker.life.heartbeat import Heartbeat, faults
from zeke_jobs.worker.life.proof import ProofOfLife
from zeke_jobs.worker.run import interrupts
from zeke_jobs.worker.run.interrupts import Cancelled


def test_whatever_fails_beside_it_a_heartbeat_proves_life(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    beaten = threading.Event()
    monkeypatch.setattr(Heartbeat, "beat", lambda *_: beaten.set())
    process = SimpleNamespace(url=None, proof=ProofOfLife(5.0), tick=lambda: 1 / 0)
    heartbeat = Heartbeat(SimpleNamespace(process=process))  # type: ignore[arg-type]
    heartbeat.thread.start()
    assert beaten.wait(5.0)
    heartbeat.close()


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="the system has no clock that counts a suspension")
def test_a_machine_that_was_suspended_starts_nothing_before_its_next_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    proof, slept = ProofOfLife(5.0), time.clock_gettime(time.CLOCK_BOOTTIME) + 3600
    assert proof.is_fresh()
    monkeypatch.setattr(time, "clock_gettime", lambda clock: {time.CLOCK_BOOTTIME: slept}[clock])
    assert not proof.is_fresh()


def test_a_heartbeat_waits_for_no_new_revision_to_come_into_force(
    running: Running, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running("  echo: {handler: 'H:echo'}") as broker:
        use, used = broker.process.use, list[bool]()

        def long_change(*args: Any) -> None:
            used.append(handlers.GATE.wait(20))
            use(*args)

        monkeypatch.setattr(broker.process, "use", long_change)
        jobs.use("  echo: {handler: 'H:echo', priority: 1}")
        for _ in range(2):  # At the second check the process is still applying the revision.
            broker.lifecycle.heartbeat.check_revision(jobs.conn)
        assert used == []
        handlers.GATE.set()
        eventually(lambda: broker.process.runtime.revision == 2)
    assert used == [True]


def test_a_worker_whose_code_does_not_fit_a_revision_says_so_and_goes_on_by_the_last_one(
    running: Running, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def follows(revision: int, refusal: str | None) -> bool:
        (row,) = jobs.rows("SELECT revision, substring(refusal, 'got .gone.') AS refusal FROM zeke_jobs.worker")
        return row == {"revision": revision, "refusal": refusal}

    monkeypatch.setenv("ZEKE_JOBS_HEARTBEAT", "0.1")
    newer = "version: 1\ntasks:\n  echo: {handler: 'tests.zeke_jobs.worker.handlers:gone'}"
    with running("  echo: {handler: 'H:echo'}"):
        jobs.rows(
            "INSERT INTO zeke_jobs.revision (number, digest, source, applied_by) OVERRIDING SYSTEM VALUE VALUES (2, 'd', %s, 'me')",
            newer,
        )
        eventually(lambda: follows(1, "got 'gone'"))
        assert zeke_jobs.wait(zeke_jobs.send("echo", {"n": 7}).id, 10)["n"] == 7
        jobs.use("  echo: {handler: 'H:echo', priority: 1}")
        eventually(lambda: follows(3, None))


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


def said(producer: threading.Thread, seconds: float) -> tuple[str, str]:
    """Return the faults that a process reports ``seconds`` after the producer's last turn."""
    now = time.monotonic()
    process = SimpleNamespace(is_booted=True, stopping=False, proof=SimpleNamespace(is_fresh=lambda: True))
    beating: Any = SimpleNamespace(thread=threading.current_thread(), turned=now, is_away=False)
    return faults(SimpleNamespace(process=process, thread=producer, turned=now - seconds), beating)  # type: ignore[arg-type]


def test_a_thread_that_stands_still_is_stuck_unless_it_waits_for_the_database(conn: Connection, database: str) -> None:
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


def test_a_query_that_the_server_began_a_moment_after_its_cancel_is_cancelled_again() -> None:
    running, cancels = interrupts.Running(60, is_async=True), list[bool]()
    running.stoppers.append(lambda: cancels.append(True))
    running.stop(Cancelled("by a person"))
    assert not running.tick()
    assert len(cancels) == 2


def test_interrupts_that_race_with_the_end_never_reach_the_code_behind_it() -> None:
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
