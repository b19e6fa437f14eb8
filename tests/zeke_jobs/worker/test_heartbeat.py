from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg2
import pytest

from tests.zeke_jobs.worker.conftest import a_claim
from zeke_jobs.worker.life.heartbeat import Heartbeat
from zeke_jobs.worker.life.proof import ProofOfLife

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from tests.zeke_jobs.worker.conftest import Jobs


@pytest.mark.parametrize(("asked", "is_ours"), [(-1.0, False), (1.0, True)], ids=["before", "after"])
def test_a_claim_counts_as_ours_only_if_it_was_asked_for_after_we_were_last_taken_for_dead(
    asked: float, is_ours: bool
) -> None:
    proof = ProofOfLife(5.0)
    came_back = proof._alive_since
    # The answer to the claim may arrive after we announced ourselves again, and the rescue was in between.
    claim = a_claim(uuid4(), 1, "t", asked=came_back + asked, received=came_back + 2.0)
    assert proof.holds(claim) is is_ours


def test_a_heartbeat_that_finds_the_database_away_drops_the_idle_connections_of_handlers() -> None:
    dropped = threading.Event()

    def fail() -> None:
        raise psycopg2.OperationalError("server closed the connection unexpectedly")

    process = SimpleNamespace(
        url=None,
        proof=ProofOfLife(5.0),
        interrupts=SimpleNamespace(tick=fail),
        handler_pool=SimpleNamespace(drop_idle=dropped.set),
    )
    heartbeat = Heartbeat(process)  # type: ignore[arg-type]
    heartbeat.start()
    assert dropped.wait(5.0)
    heartbeat.close()


def test_whatever_fails_beside_it_a_heartbeat_proves_life(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    beaten = threading.Event()
    monkeypatch.setattr(Heartbeat, "beat", lambda *_: beaten.set())
    process = SimpleNamespace(url=None, proof=ProofOfLife(5.0), interrupts=SimpleNamespace(tick=lambda: 1 / 0))
    heartbeat = Heartbeat(process)  # type: ignore[arg-type]
    heartbeat.start()
    assert beaten.wait(5.0)
    heartbeat.close()


def test_a_heartbeat_waits_for_no_change_of_the_catalogue(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    beaten = threading.Event()
    done: list[bool] = []
    ended = threading.Event()

    def long_change(_conn: object, _log: object) -> None:
        done.append(beaten.wait(5.0))
        ended.set()

    monkeypatch.setattr("zeke_jobs.revisions.applying.revert_and_log", long_change)
    heartbeat = Heartbeat(SimpleNamespace(url=None, proof=ProofOfLife(5.0)))  # type: ignore[arg-type]
    heartbeat._do(("revert",), conn)
    heartbeat._do(("revert",), conn)  # it is still being done
    beaten.set()
    assert ended.wait(5.0)
    assert done == [True]


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
        put_in_force=long_change,
        register=lambda _: None,
    )
    heartbeat = Heartbeat(process)  # type: ignore[arg-type]
    heartbeat.check_revision(conn)
    heartbeat.check_revision(conn)  # it is still being done
    beaten.set()
    assert ended.wait(5.0)
    assert done == [True]
