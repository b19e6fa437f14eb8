import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.waiting import eventually
from tests.zeke_jobs.worker import handlers
from tests.zeke_jobs.worker.conftest import Jobs, Running
from zeke_jobs.worker.life.heartbeat import Heartbeat
from zeke_jobs.worker.life.proof import ProofOfLife


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
        for _ in range(2):  # the second time it is still being done
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
        eventually(lambda: handlers.CALLS == ["started"] * 2, 10.0)  # the one thread is free again
        zeke_jobs.cancel(job)
