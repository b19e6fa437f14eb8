"""``periodiq zeke_jobs.actors`` as processes: two of them, one killed, over real minutes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg2.extensions import connection as Connection

pytestmark = pytest.mark.acceptance

#: Real minutes take time: `nox -s schedules` gives them, by this variable.
MINUTES = int(os.environ.get("ZEKE_TEST_MINUTES", "0"))
MINUTE = timedelta(minutes=1)
PERIODIQ = Path(sys.executable).with_name("periodiq")
JOBS = """
version: 1
tasks:
  each-minute:
    handler: tests.zeke_jobs.worker.handlers:echo
    cron: {at: "* * * * *", overlap: allow}
  weekly:
    handler: tests.zeke_jobs.worker.handlers:echo
    cron: "@weekly"
"""


@pytest.fixture
def periodiq(database: str, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts schedulers, each with its own log file; ends the ones that still run."""
    (tmp_path / "jobs.yaml").write_text(JOBS, encoding="utf-8")
    root = Path(__file__).parents[2]
    env = {**os.environ, "DATABASE_URL": database, "PYTHONPATH": str(root), "ZEKE_JOBS_LOG_FORMAT": "json"}
    with ExitStack() as stack:

        def start() -> subprocess.Popen[bytes]:
            log = stack.enter_context((tmp_path / f"{time.monotonic_ns()}.log").open("wb"))
            running = subprocess.Popen([PERIODIQ, "zeke_jobs.actors"], cwd=tmp_path, env=env, stderr=log, stdout=log)
            stack.callback(running.wait)
            stack.callback(running.kill)
            return running

        yield start


def log_of(folder: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.log")))


def wait_until(condition: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def beats(conn: Connection) -> int:
    with conn.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM zeke_jobs.worker WHERE kind = 'scheduler'")
        [count] = cursor.fetchone() or [0]
        return int(count)


def test_a_scheduler_shows_its_crons_beats_and_ends_on_sigterm_within_a_second(
    periodiq: Callable[[], subprocess.Popen[bytes]], conn: Connection, tmp_path: Path
) -> None:
    running = periodiq()
    wait_until(lambda: beats(conn), 30)
    log = log_of(tmp_path)
    assert "@weekly" in log
    assert "zeke-metronome" not in log, "the beat itself is nobody's schedule"
    sent = time.monotonic()
    running.send_signal(signal.SIGTERM)
    assert running.wait(10) == 0
    assert time.monotonic() - sent < 1


@pytest.mark.skipif(not MINUTES, reason="takes real minutes: nox -s schedules")
@pytest.mark.timeout(60 * (MINUTES + 2))
def test_two_schedulers_one_killed_send_each_minute_once_and_within_a_second(
    periodiq: Callable[[], subprocess.Popen[bytes]], conn: Connection
) -> None:
    first, _second = periodiq(), periodiq()
    wait_until(lambda: beats(conn) == 2, 30)
    begun = datetime.now(UTC)
    end = begun.replace(second=0, microsecond=0) + MINUTES * MINUTE
    kill_at = begun + (end - begun) / 2
    while datetime.now(UTC) < end + timedelta(seconds=10):
        if first.poll() is None and datetime.now(UTC) > kill_at:
            first.kill()
        time.sleep(0.2)
    with conn.cursor() as cursor:
        cursor.execute(
            "SELECT scheduled_for, created_on FROM zeke_jobs.queue WHERE task = 'each-minute' AND scheduled_for > %s "
            "ORDER BY scheduled_for",
            (begun,),
        )
        jobs = cursor.fetchall()
    minutes = [tick for tick, _ in jobs]
    whole = begun.replace(second=0, microsecond=0)
    assert minutes == [whole + n * MINUTE for n in range(1, MINUTES + 1)], "each minute once"
    late = [(sent - tick).total_seconds() for tick, sent in jobs]
    print("seconds after the minute:", [round(seconds, 3) for seconds in late])
    assert abs(median(late)) <= 1
    assert min(late) > -1
