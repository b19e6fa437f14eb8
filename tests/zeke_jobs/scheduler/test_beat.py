"""periodiq's own Scheduler drives the scheduler of zeke_jobs, step by step at given times."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pendulum
import periodiq
import pytest
from structlog.testing import capture_logs

from tests.zeke_jobs.scheduler.conftest import MINUTE, NINE, World
from zeke_jobs import config
from zeke_jobs.postgres.pool import AddressError
from zeke_jobs.scheduler import beat, dispatch
from zeke_jobs.scheduler.beat import Beat
from zeke_jobs.worker import builder

SUNDAY = datetime(2025, 6, 8, tzinfo=UTC)
EARLY = timedelta(milliseconds=100)


@pytest.fixture(autouse=True)
def process(monkeypatch: pytest.MonkeyPatch) -> beat._Process:
    """Make a scheduler process for the test without pytest's signal handlers."""
    monkeypatch.setattr(beat, "obey_signals", lambda: None)
    fresh = beat._Process()
    monkeypatch.setattr(beat, "_PROCESS", fresh)
    return fresh


class Stepped:
    """periodiq's Scheduler runs on a jobs.yaml; its sleeps move its clock and the database's clock."""

    def __init__(self, world: World, broker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world, self.now = world, NINE
        actors = [actor for actor in broker.actors.values() if "periodic" in actor.options]
        self.scheduler = periodiq.Scheduler(actors)
        monkeypatch.setattr(periodiq, "pendulum", SimpleNamespace(now=lambda: pendulum.instance(self.now)))
        monkeypatch.setattr(periodiq, "sleep", self._sleep)
        monkeypatch.setattr(periodiq, "alarm", self._sleep)
        monkeypatch.setattr(periodiq, "signal", lambda *_: None)
        monkeypatch.setattr(beat, "_measure_skew", lambda _: None)

    def _sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def start(self, at: datetime) -> None:
        self.now = at
        self.wake()

    def wake(self, early: timedelta = timedelta(0)) -> None:
        """Run one round of periodiq until its next wake-up."""
        self.now -= early
        self.world.at(self.now)
        self.scheduler.schedule()


@pytest.fixture
def stepped(world: World, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stepped]:
    handler = "{handler: tests.zeke_jobs.worker.handlers:echo, cron: %s}"
    crons = {"weekly": '"@weekly"', "seven": '"0 9 * * 7"', "each": '"* * * * *"'}
    text = "version: 1\ntasks:\n" + "".join(f"  {name}: {handler % cron}\n" for name, cron in crons.items())
    broker = builder.build(config.load_text(text, "jobs.yaml"), database)
    yield Stepped(world, broker, monkeypatch)
    broker.close()


def test_sunday_fires_on_sunday_through_periodiq(stepped: Stepped) -> None:
    for hour, task in ((0, "weekly"), (9, "seven")):
        tick = SUNDAY + timedelta(hours=hour)
        stepped.start(tick - 2 * MINUTE)
        stepped.wake(EARLY)
        assert stepped.world.jobs(task) == []
        stepped.wake(EARLY)
        stepped.wake(EARLY)
        sent = "SELECT scheduled_for, created_on FROM zeke_jobs.queue WHERE task = %s"
        assert stepped.world.rows(sent, task) == [{"scheduled_for": tick, "created_on": tick - EARLY}]
        assert f"{tick:%A}" == "Sunday"


def test_a_beat_registers_the_scheduler_and_the_next_one_refreshes_it(stepped: Stepped) -> None:
    assert beat.faults() == ("", "no recent beat has reached the database")
    stepped.start(NINE)
    stepped.wake()
    [row] = stepped.world.rows("SELECT kind, started_on, heartbeat_on, revision, lost_after FROM zeke_jobs.worker")
    times = {"started_on": NINE, "heartbeat_on": NINE + MINUTE, "lost_after": beat._LOST_AFTER}
    assert row == {"kind": "scheduler", "revision": 1, **times}
    assert dispatch.silence(stepped.world.conn) is None
    assert beat.faults() == ("", "")


def test_a_wrong_address_ends_a_start_and_no_later_beat(
    process: beat._Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AddressError("expected another password")

    monkeypatch.setattr(beat, "connect", refuse)
    with pytest.raises(AddressError, match="another password"):
        beat.beat("postgresql://nowhere")
    process.refusal, process.beaten = None, 0.0
    beat.beat("postgresql://nowhere")
    assert process.away


def test_a_beat_that_fails_does_not_count_and_one_unreadable_schedule_fails_none(world: World, database: str) -> None:
    world.put("first", timezone="Mars/Olympus")
    world.put("second")
    world.at(NINE + 10 * MINUTE)
    with capture_logs() as lines:
        beat.beat(database)
    assert (dispatch.silence(world.conn), world.jobs("second")) == (None, ["09:10"])
    assert "expected a schedule that can be read, got first: no time zone 'Mars/Olympus' here" in str(lines)
    world.rows("ALTER FUNCTION zeke_jobs.advance_schedule RENAME TO gone")
    world.at(NINE + 20 * MINUTE)
    beat.beat(database)
    assert dispatch.silence(world.conn) == timedelta(minutes=10)


@pytest.mark.parametrize(("ahead", "wakes"), [(0, 60), (0.3, 60), (20, 40), (-20, 80), (-0.3, 60)])
def test_the_beat_follows_the_database_s_clock(process: beat._Process, ahead: float, wakes: float) -> None:
    beat._measure_skew(datetime.now(UTC) + timedelta(seconds=ahead))
    minute = pendulum.datetime(2025, 6, 4, 9)
    planned = (Beat().next_valid_date(minute) - minute).total_seconds()
    assert planned == pytest.approx(wakes if wakes <= 60 else wakes - 60, abs=0.1)


def scheduler(code: str, *arguments: str) -> subprocess.Popen[str]:
    imports = "import os, sys, time; from zeke_jobs.core import logs; from zeke_jobs.scheduler import beat"
    return subprocess.Popen([sys.executable, "-c", f"{imports}; {code}", *arguments], stdout=subprocess.PIPE, text=True)


def test_a_signal_ends_the_process_at_once_even_while_the_database_does_not_answer() -> None:
    # os.write is used because print may block: a thread left behind at Python's end may hold the lock of stdout.
    hang = (
        "beat.connect = lambda *a, **k: (os.write(1, b'hangs\\n'), time.sleep(60)); beat.beat('postgresql://nowhere')"
    )
    with scheduler(hang) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "hangs\n"
        sent = time.monotonic()
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 130
        assert time.monotonic() - sent < 5, "and not once the minute of the database is over"


def test_a_scheduler_leaves_the_fleet_when_it_is_stopped_and_not_at_a_hangup(world: World, database: str) -> None:
    members = "SELECT kind FROM zeke_jobs.worker"
    with scheduler(
        "logs.configure(); beat.beat(sys.argv[1]); print('beaten', flush=True); time.sleep(60)", database
    ) as running:
        assert running.stdout is not None
        assert "beaten\n" in running.stdout  # Warnings may come first, for example about different clocks.
        running.send_signal(signal.SIGHUP)
        assert world.rows(members) == [{"kind": "scheduler"}]
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == 0
    assert world.rows(members) == []


ENDING = """
import atexit, os, signal, time
from zeke_jobs.scheduler import beat
beat.beat("postgresql://zeke@127.0.0.1:1/zeke")
atexit.register(time.sleep, 0.6)
signal.setitimer(signal.ITIMER_REAL, 0.3)  # as periodiq's alarm for the next beat, which may be due while the process ends
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_an_alarm_that_is_due_while_the_process_ends_does_not_change_its_status() -> None:
    assert subprocess.run([sys.executable, "-c", ENDING], capture_output=True, timeout=60, check=False).returncode == 0
