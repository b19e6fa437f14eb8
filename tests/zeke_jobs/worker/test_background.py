from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from zeke_jobs.worker.life.background import BackgroundThread


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
