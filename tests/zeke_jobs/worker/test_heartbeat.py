import threading
import time
from types import SimpleNamespace

import pytest
from psycopg2.extensions import connection as Connection

from tests.zeke_jobs.worker.conftest import Jobs
from zeke_jobs.worker.life.heartbeat import Heartbeat
from zeke_jobs.worker.life.proof import ProofOfLife


def test_whatever_fails_beside_it_a_heartbeat_proves_life(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    beaten = threading.Event()
    monkeypatch.setattr(Heartbeat, "beat", lambda *_: beaten.set())
    process = SimpleNamespace(url=None, proof=ProofOfLife(5.0), interrupts=SimpleNamespace(tick=lambda: 1 / 0))
    heartbeat = Heartbeat(SimpleNamespace(process=process))  # type: ignore[arg-type]
    heartbeat.start()
    assert beaten.wait(5.0)
    heartbeat.close()


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="the system has no clock that counts a suspension")
def test_a_machine_that_was_suspended_starts_nothing_before_its_next_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    proof, slept = ProofOfLife(5.0), time.clock_gettime(time.CLOCK_BOOTTIME) + 3600
    assert proof.is_fresh()
    monkeypatch.setattr(time, "clock_gettime", lambda clock: {time.CLOCK_BOOTTIME: slept}[clock])
    assert not proof.is_fresh()


def test_a_heartbeat_waits_for_no_new_revision_to_come_into_force(
    conn: Connection, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.use("  echo: {handler: 'H:echo'}")
    beaten, ended = threading.Event(), threading.Event()
    done: list[bool] = []

    def long_change(*_: object) -> None:
        done.append(beaten.wait(5.0))
        ended.set()

    process = SimpleNamespace(
        url=None,
        proof=ProofOfLife(5.0),
        runtime=SimpleNamespace(revision=0, file_revision=None),
        queues=("default",),
        use=long_change,
        register=lambda _: None,
    )
    heartbeat = Heartbeat(SimpleNamespace(process=process))  # type: ignore[arg-type]
    heartbeat.check_revision(conn)
    heartbeat.check_revision(conn)  # it is still being done
    beaten.set()
    assert ended.wait(5.0)
    assert done == [True]
