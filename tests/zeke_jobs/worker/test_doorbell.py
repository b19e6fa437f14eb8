from __future__ import annotations

import threading
import time
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from zeke_jobs.worker.claim.notifier import Doorbell

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg2.extensions import connection as Connection


def process(url: str, *, has_free_thread: bool = True) -> Any:
    """As much of a worker process as a doorbell asks for."""
    return SimpleNamespace(url=url, id=uuid4(), queues=("default",), has_free_thread=lambda: has_free_thread)


def test_a_doorbell_in_which_something_broke_is_tried_again(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeke_jobs.worker.claim.notifier._PAUSE", 0.01)
    broken, listens = threading.Event(), threading.Event()

    def on_revision() -> None:
        if not broken.is_set():
            broken.set()
            raise RuntimeError("what nobody thought of")
        listens.set()

    bell = Doorbell(process(database), lambda: None, on_revision)
    with capture_logs() as lines:
        bell.start()
        assert listens.wait(10.0)
        bell.close()
    assert [line["event"] for line in lines] == ["doorbell failed; it is tried again"]


def ring(conn: Connection, named: object = "") -> None:
    with conn.cursor() as cursor:
        cursor.execute("SELECT pg_notify('zeke_jobs.default', %s)", (str(named),))


@pytest.mark.parametrize("named", ["nobody", "this process"])
def test_a_ring_for_all_and_one_for_this_process_are_heard_at_once(database: str, conn: Connection, named: str) -> None:
    bell, mine = listening(database)
    with closing(bell):
        ring(conn, "" if named == "nobody" else mine)
        assert bell.wait("default", 10.0)
        assert not bell.wait("default", 0.0), "it rang once"


def test_a_ring_for_another_process_is_heard_a_moment_later(
    database: str, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zeke_jobs.worker.claim.notifier._AFTER_ANOTHER", 0.3)
    bell, _ = listening(database)
    with closing(bell):
        begun = time.monotonic()
        ring(conn, uuid4())
        assert bell.wait("default", 10.0)
        assert time.monotonic() - begun >= 0.3


def test_who_is_rung_for_and_has_no_free_thread_passes_it_on(
    database: str, conn: Connection, other_conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zeke_jobs.worker.claim.notifier._AFTER_ANOTHER", 0.0)
    bell, mine = listening(database, has_free_thread=False)
    with other_conn.cursor() as cursor:
        cursor.execute('LISTEN "zeke_jobs.default"')
        cursor.execute(
            "INSERT INTO zeke_jobs.worker (id, kind, host, pid, version, queues, idle)"
            " VALUES (%s, 'worker', 'h', 1, '0', '{default}', '{default}'),"
            " (gen_random_uuid(), 'worker', 'h', 2, '0', '{default}', '{default}')",
            (mine,),
        )
    with closing(bell):
        ring(conn, mine)
        assert bell.wait("default", 10.0), "it looks too, later"
    with other_conn.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert [notify.payload for notify in other_conn.notifies] == [str(mine), ""]


def listening(database: str, *, has_free_thread: bool = True) -> tuple[Doorbell, UUID]:
    """A doorbell that listens, and the id of its process."""
    listens = threading.Event()
    peer = process(database, has_free_thread=has_free_thread)
    bell = Doorbell(peer, lambda: None, listens.set)
    bell.start()
    assert listens.wait(10.0)
    assert bell.wait("default", 10.0), "once it listens it looks for what came before"
    return bell, peer.id
