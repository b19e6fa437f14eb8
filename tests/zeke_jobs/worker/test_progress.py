"""When a worker process makes no progress: a dead or stuck thread, but not a database that does not answer."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from zeke_jobs.postgres.pool import connect
from zeke_jobs.worker.life.progress import faults


def long_ago() -> float:
    """Now, not when the file was read: a run of all tests takes minutes."""
    return time.monotonic() - 1000


@contextmanager
def running(work: Callable[[], object]) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield thread


def said(heartbeat: threading.Thread, producer: threading.Thread, *, turned: float, **process: Any) -> tuple[str, str]:
    fresh = time.monotonic()
    state = {"is_booted": True, "stopping": False, "proof": SimpleNamespace(is_fresh=lambda: True), **process}
    beating: Any = SimpleNamespace(thread=heartbeat, turned=fresh, is_away=process.get("is_away", False))
    return faults(SimpleNamespace(process=SimpleNamespace(**state), thread=producer, turned=turned), beating)  # type: ignore[arg-type]


@pytest.fixture
def idle() -> Iterator[threading.Thread]:
    end = threading.Event()
    with running(end.wait) as thread:
        yield thread
    end.set()


def test_a_thread_that_stands_still_is_stuck_unless_it_waits_for_the_database(
    idle: threading.Thread, conn: Connection, database: str
) -> None:
    assert said(idle, idle, turned=time.monotonic()) == ("", "")
    assert said(idle, idle, turned=long_ago())[0].startswith("its thread producer has stood still for 10")
    with closing(connect(database)) as other, conn.cursor() as cursor, other.cursor() as waiting:
        cursor.execute("SELECT pg_advisory_lock(1)")
        with running(lambda: waiting.execute("SELECT pg_advisory_lock(1)")) as asking:
            while not _waits(cursor):
                time.sleep(0.01)
            assert said(idle, asking, turned=long_ago()) == ("", "")
            cursor.execute("SELECT pg_advisory_unlock(1)")
            asking.join(10)
    assert said(idle, asking, turned=long_ago())[0] == "its thread producer has ended"


def _waits(cursor: Any) -> bool:
    cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    return bool(cursor.fetchone()[0])
