"""When a worker process makes no progress: a dead or stuck thread, but not a database that does not answer."""

import threading
import time
from contextlib import closing
from types import SimpleNamespace
from typing import Any

from psycopg2.extensions import connection as Connection

from tests.waiting import eventually
from tests.zeke_jobs.sql import rows, value
from zeke_jobs.postgres.pool import connect
from zeke_jobs.worker.life.proof import faults


def said(producer: threading.Thread, seconds: float) -> tuple[str, str]:
    """What a process says whose producer began its turn so many seconds ago."""
    now = time.monotonic()
    process = SimpleNamespace(is_booted=True, stopping=False, proof=SimpleNamespace(is_fresh=lambda: True))
    beating: Any = SimpleNamespace(thread=threading.current_thread(), turned=now, is_away=False)
    return faults(SimpleNamespace(process=process, thread=producer, turned=now - seconds), beating)  # type: ignore[arg-type]


def test_a_thread_that_stands_still_is_stuck_unless_it_waits_for_the_database(conn: Connection, database: str) -> None:
    assert said(threading.current_thread(), 0) == ("", "")
    assert said(threading.current_thread(), 1000)[0].startswith("its thread producer has stood still for 10")
    rows(conn, "SELECT pg_advisory_lock(1)")
    with closing(connect(database)) as other:
        asking = threading.Thread(target=rows, args=(other, "SELECT pg_advisory_lock(1)"), daemon=True)
        asking.start()
        held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        eventually(lambda: value(conn, held))
        assert said(asking, 1000) == ("", "")
        rows(conn, "SELECT pg_advisory_unlock(1)")
        asking.join(10)
    assert said(asking, 1000)[0] == "its thread producer has ended"
