from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from zeke_jobs.worker.life.background import BackgroundThread

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg2.extensions import connection as Connection


def test_it_does_nothing_twice_at_once_and_ends_when_it_is_told(database: str) -> None:
    background = BackgroundThread(database, "chores")
    began, called = threading.Event(), list[str]()

    def work(conn: Connection, stop: Callable[[], bool]) -> None:
        with conn.cursor() as cursor:
            cursor.execute("SELECT current_setting('application_name')")
            called.extend(cursor.fetchone() or ())
        began.set()
        while not stop():
            pass

    assert background.start(work)
    assert began.wait(10.0)
    assert not background.start(work)
    background.close()
    background.join(5.0)
    assert called == ["zeke-jobs chores"]


@pytest.mark.parametrize(
    ("host", "event"), [("", "failed"), ("/nowhere", "left undone: the database is away")], ids=["failure", "away"]
)
def test_what_fails_is_logged_each_time(database: str, host: str, event: str) -> None:
    background = BackgroundThread(f"postgresql://postgres@/postgres?host={host}" if host else database, "chores")
    with capture_logs() as logs:
        for _ in range(2):
            assert background.start(lambda *_: 1 / 0)
            background.close()
            background.join(5.0)
    assert [log["event"] for log in logs] == [event, event]
