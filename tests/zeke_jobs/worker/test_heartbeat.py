from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

from zeke_jobs.worker.life.heartbeat import Heartbeat
from zeke_jobs.worker.life.proof import ProofOfLife

if TYPE_CHECKING:
    import pytest
    from psycopg2.extensions import connection as Connection

    from tests.zeke_jobs.worker.conftest import Jobs


def test_whatever_fails_beside_it_a_heartbeat_proves_life(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    beaten = threading.Event()
    monkeypatch.setattr(Heartbeat, "beat", lambda *_: beaten.set())
    process = SimpleNamespace(url=None, proof=ProofOfLife(5.0), interrupts=SimpleNamespace(tick=lambda: 1 / 0))
    heartbeat = Heartbeat(SimpleNamespace(process=process))  # type: ignore[arg-type]
    heartbeat.start()
    assert beaten.wait(5.0)
    heartbeat.close()


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
