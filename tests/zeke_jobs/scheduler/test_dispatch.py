"""The tests set the database's clock, which schedulers follow. They check jobs, ticks, processes and signals."""

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import periodiq
import pytest
from hypothesis import given, strategies as st
from psycopg2.extensions import connection as Connection
from structlog.testing import capture_logs

from tests.each import cases
from tests.zeke_jobs.commands import Patch
from tests.zeke_jobs.scheduler.conftest import MINUTE, NINE, World, shown
from tests.zeke_jobs.sql import rows
from zeke_jobs import config
from zeke_jobs.control import actions
from zeke_jobs.cron.calendar import parse
from zeke_jobs.errors import Contended
from zeke_jobs.postgres.pool import AddressError, connect, transaction
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.scheduler import beat, dispatch
from zeke_jobs.scheduler.rules import MOST_SKIPPED, ON_TIME, Timetable, decide, due, start_of
from zeke_jobs.worker import builder


def test_the_job_carries_its_tick_before_which_it_does_not_start_and_the_payload_of_the_file(world: World) -> None:
    world.put(payload={"reason": "schedule"})
    world.beat(NINE + timedelta(seconds=299.9))
    [job] = world.rows("SELECT * FROM zeke_jobs.queue")
    assert job["scheduled_for"] == job["run_at"] == NINE + 5 * MINUTE
    message = {"kwargs": {"reason": "schedule"}, "actor_name": "pull", "queue_name": "default"}
    assert message.items() <= job["message"].items()
    assert (job["queue_name"], job["revision"]) == ("default", 1)


@pytest.mark.parametrize("state", ["queued", "consumed"])
def test_a_tick_is_recorded_as_skipped_while_the_previous_job_is_unfinished(world: World, state: str) -> None:
    world.put()
    world.put("beside", overlap="allow")
    world.rows("SELECT zeke_jobs.send('pull')")  # A manually sent job prevents no tick.
    assert world.beat(NINE + 5 * MINUTE) == ["09:05 sent"] * 2
    world.end_jobs(state)
    assert sorted(world.beat(NINE + 10 * MINUTE)) == ["09:10 sent", "09:10 skipped overlap"]
    first, second = world.ticks()
    word = "queued" if state == "queued" else "active"
    assert (second["outcome"], second["job"]) == ("skipped", first["job"])
    assert second["reason"] == f"overlap: the job of 2025-06-04 09:05 UTC is {word}"
    world.end_jobs("rejected")
    assert world.beat(NINE + 15 * MINUTE) == ["09:15 sent"] * 2


@cases(
    "at change sent",
    ("0 0 * * *", {"at": "*/10 * * * *"}, ["09:40 sent", "09:50 sent"]),
    ("0 14 * * *", {"timezone": "Asia/Kathmandu"}, []),  # In Kathmandu, 14:00 was at 08:15 UTC, before the change.
    ("*/20 * * * *", {"payload": {"new": True}}, ["09:20 sent", "09:40 sent"]),
    ids=["a cron fires nothing from before the change", "nor does another zone", "any other change loses no tick"],
)
def test_a_change_of_a_schedule(world: World, at: str, change: dict[str, Any], sent: list[str]) -> None:
    world.put(at=at, missed="all")
    world.beat(NINE)
    world.at(NINE + 30 * MINUTE)
    world.put(**{"at": at, "missed": "all", **change})
    assert world.beat(NINE + 52 * MINUTE) == sent


def test_what_left_the_file_sends_nothing_and_leaves_the_tables(world: World, other_conn: Connection) -> None:
    world.put()
    world.beat(NINE)
    world.put(at=None)
    with transaction(other_conn), other_conn.cursor() as cursor:
        cursor.execute("SELECT zeke_jobs.lock_schedule('pull', '*/5 * * * *', 'UTC', %s)", [NINE])
        assert world.beat(NINE + 5 * MINUTE) == []
        assert world.rows("SELECT task FROM zeke_jobs.schedule_state") == [{"task": "pull"}]
    assert world.beat(NINE + 10 * MINUTE) == []
    assert world.rows("SELECT task FROM zeke_jobs.schedule UNION ALL SELECT task FROM zeke_jobs.schedule_state") == []


def test_a_pause_in_the_file_a_full_queue_and_a_unique_job_skip_the_tick_and_say_so(world: World) -> None:
    world.put("still", paused=True)
    assert world.beat(NINE + 5 * MINUTE) == ["09:05 skipped paused in jobs.yaml"]
    row = world.schedule("still")
    assert (row["paused"], row["paused_by"], row["last_result"]) == (True, "jobs.yaml", "skipped")
    world.put("still", at=None)
    world.put(unique_fields=[])
    world.put("small", max_queued=1)
    [sent, _] = world.rows("SELECT zeke_jobs.send(task)::text AS id FROM unnest(ARRAY['pull', 'small']) AS t (task)")
    assert sorted(world.beat(NINE + 10 * MINUTE)) == ["09:10 skipped full", "09:10 skipped unique"]
    assert str(world.ticks()[0]["job"]) == sent["id"]


def test_a_tick_is_not_sent_again_when_its_job_was_purged_and_the_clock_put_back(world: World) -> None:
    world.put()
    world.beat(NINE + 5 * MINUTE)
    world.rows("DELETE FROM zeke_jobs.queue")
    assert world.beat(NINE - 60 * MINUTE) == []
    assert world.beat(NINE - 55 * MINUTE) == ["08:05 sent"], "a clock that was put back does not stop the schedule"
    world.end_jobs()
    assert world.beat(NINE + 5 * MINUTE)[-1] == "09:00 sent"
    assert world.jobs() == ["08:05", "09:00"]


def test_the_view_tells_last_and_next_tick_and_the_last_result(world: World) -> None:
    def told() -> list[Any]:
        return [world.schedule()[name] for name in ("last_tick", "last_result", "next_tick")]

    world.put(at="30 9 * * *", timezone="Europe/Paris", missed="latest")
    world.beat(NINE)
    tick = NINE.replace(day=5, hour=7, minute=30)
    assert told() == [None, None, tick]
    world.beat(tick)
    tomorrow = tick + timedelta(days=1)
    assert told() == [tick, "created", tomorrow]
    world.end_jobs()
    assert told() == [tick, "completed", tomorrow]
    row = world.schedule()
    assert (row["cron"], row["timezone"], row["paused"]) == ("30 9 * * *", "Europe/Paris", False)


@cases(
    "wrong",
    {"window": 1e300}, {"window": 800_000 * 86400}, {"window": None}, {"jitter": "5"}, {"at": "@foo"},
    {"at": "99 * * * *"}, {"at": "0 0 30 2 *"}, {"timezone": None}, {"timezone": "Mars/Olympus"},
)  # fmt: skip
def test_whatever_is_wrong_with_a_schedule_the_others_tick(world: World, wrong: dict[str, object]) -> None:
    world.put("first", **wrong)  # type: ignore[arg-type]
    world.put("second")
    world.at(NINE + 5 * MINUTE)
    with capture_logs() as lines:
        dispatch.beat(world.conn)
    (line,) = [one for one in lines if one["log_level"] == "error"]
    assert (line["what"], line["exc_info"]) == ("schedule of first", None)
    assert line["error"].startswith("expected a schedule that can be read, got first: ")
    assert world.jobs("second") == ["09:05"]


def test_what_the_database_refuses_one_schedule_is_no_lost_connection(world: World) -> None:
    for task in ("first", "second"):
        world.put(task)
    world.at(NINE + 5 * MINUTE)
    full = "RAISE EXCEPTION USING ERRCODE = ''53100'', MESSAGE = ''the disk is full''"
    body = f"'BEGIN IF NEW.task = ''first'' THEN {full}; END IF; RETURN NEW; END'"
    world.rows(f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS {body}")
    world.rows("CREATE TRIGGER refuse BEFORE INSERT ON zeke_jobs.queue FOR EACH ROW EXECUTE FUNCTION refuse()")
    with pytest.raises(RuntimeError, match="refused"):
        dispatch.beat(world.conn)
    assert world.jobs("second") == ["09:05"]


def test_locked_schedules_make_no_other_late_and_the_holder_is_named(world: World, other_conn: Connection) -> None:
    held = [f"held-{n}" for n in range(20)]
    for task in (*held, "other"):
        world.put(task)
    world.beat(NINE)
    world.at(NINE + 5 * MINUTE)
    with transaction(other_conn), other_conn.cursor() as cursor:
        for task in held:
            cursor.execute("SELECT zeke_jobs.lock_schedule(%s, '*/5 * * * *', 'UTC', %s)", [task, NINE])
        begun = time.monotonic()
        with capture_logs() as lines:
            dispatch.beat(world.conn)
        assert time.monotonic() - begun < 5  # The call must not wait a second for each schedule.
        assert world.jobs("other") == ["09:05"]
        named = f"a transaction of session {other_conn.info.backend_pid} "
        assert [named in line["error"] for line in lines if line["event"].startswith("failed")] == [True] * 20
        with pytest.raises(Contended, match=named):
            actions.backfill(world.conn, "held-1", NINE, NINE)
    assert world.beat(NINE + 6 * MINUTE) == ["09:05 sent"] * 20


def test_eight_schedulers_at_once_send_each_tick_once(world: World, database: str) -> None:
    for n in range(5):
        world.put(f"task-{n}", at="* * * * *", missed="all", overlap="allow")
    world.beat(NINE)
    world.at(NINE + 20 * MINUTE)

    def one(_: int) -> int:
        with closing(connect(database)) as conn:
            return len(dispatch.beat(conn))

    with ThreadPoolExecutor(8) as pool:
        decided = list(pool.map(one, range(8)))
    assert sum(decided) == 5 * 20
    jobs = world.rows("SELECT task, scheduled_for FROM zeke_jobs.queue ORDER BY task, scheduled_for")
    ticks = [(f"task-{n}", NINE + minute * MINUTE) for n in range(5) for minute in range(1, 21)]
    assert [(job["task"], job["scheduled_for"]) for job in jobs] == ticks


def test_silence_is_said_after_two_beats_and_a_half_and_ticks_are_purged_after_ninety_days(world: World) -> None:
    def silence(minutes: int) -> timedelta | None:
        world.at(NINE + minutes * MINUTE)
        return dispatch.silence(world.conn)

    assert silence(0) is None, "nothing to schedule"
    world.put()
    assert (silence(0), silence(10)) == (None, 10 * MINUTE), "just deployed, and no scheduler was ever started"
    SQL.run(world.conn, "schedule/beaten", scheduler="00000000-0000-0000-0000-000000000001")
    assert [silence(minutes) for minutes in (10, 12, 13)] == [None, None, 3 * MINUTE]
    world.put()
    for n in (5, 10):
        world.beat(NINE + n * MINUTE)
    world.put(at="0 0 1 1 *")
    world.beat(NINE + timedelta(days=91))
    assert [f"{row['scheduled_for']:%H:%M}" for row in world.ticks()] == ["09:10"]


def timetable(line: str = "*/5 * * * *", **rules: Any) -> Timetable:
    return Timetable("pull", parse(line), ZoneInfo("UTC"), **rules)


def outcomes(table: Timetable, decided_to: datetime, now: datetime) -> list[str]:
    return [shown(tick) for tick in decide(table, due(table, decided_to, now), now)]


def test_no_tick_that_is_on_time_is_lost_and_a_long_absence_writes_down_the_newest_alone() -> None:
    assert outcomes(timetable(window=timedelta(seconds=1)), NINE - MINUTE, NINE + MINUTE) == ["09:00 sent"]
    assert outcomes(timetable("* * * * *"), NINE - MINUTE, NINE + MINUTE) == ["09:00 skipped overlap", "09:01 sent"]
    now = NINE + timedelta(days=2)
    ticks = decide(table := timetable("* * * * *", window=timedelta(days=7)), due(table, NINE, now), now)
    assert len(ticks) == MOST_SKIPPED + 1
    assert ticks[-1].scheduled_for == now
    everything = timetable("* * * * *", window=timedelta(days=7), missed="all")
    assert len(decide(everything, due(everything, NINE, now), now)) == 2 * 1440


@given(st.integers(0, 3600), st.integers(0, 5_000_000))
def test_jitter_delays_each_tick_by_less_than_it_says_for_every_scheduler_alike(jitter: int, minute: int) -> None:
    tick = NINE + minute * MINUTE
    table = timetable(jitter=timedelta(seconds=jitter))
    start = start_of(table, tick, tick - timedelta(seconds=1))
    assert start == start_of(timetable(jitter=timedelta(seconds=jitter)), tick, tick - timedelta(seconds=1))
    assert start is not None
    assert timedelta(0) <= start - tick <= timedelta(seconds=jitter)
    table = timetable(jitter=timedelta(minutes=10))
    assert len({(start_of(table, NINE + n * MINUTE, NINE) or NINE) - NINE - n * MINUTE for n in range(10)}) == 10
    assert start_of(timetable(), NINE, NINE + ON_TIME) is None


@pytest.fixture(autouse=True)
def process(monkeypatch: Patch) -> beat._Process:
    """Give each test a new scheduler process, which leaves pytest's signal handlers alone."""
    monkeypatch.setattr(beat, "obey_signals", lambda: None)
    fresh = beat._Process()
    monkeypatch.setattr(beat, "_PROCESS", fresh)
    return fresh


def test_sunday_fires_on_sunday_through_periodiq(world: World, database: str, monkeypatch: Patch) -> None:
    tick = datetime(2025, 6, 8, tzinfo=UTC)
    now = [tick - 2 * MINUTE]

    def sleep(seconds: float) -> None:
        now[0] += timedelta(seconds=seconds)

    monkeypatch.setattr(periodiq, "pendulum", SimpleNamespace(now=lambda: pendulum.instance(now[0])))
    for name, stub in (("sleep", sleep), ("alarm", sleep), ("signal", lambda *_: None)):
        monkeypatch.setattr(periodiq, name, stub)
    monkeypatch.setattr(beat, "_measure_skew", lambda _: None)
    weekly = "weekly: {handler: 'tests.zeke_jobs.worker.handlers:echo', cron: '@weekly'}"
    with closing(builder.build(config.load_text(f"version: 1\ntasks: {{{weekly}}}", "jobs.yaml"), database)) as broker:
        scheduler = periodiq.Scheduler([actor for actor in broker.actors.values() if "periodic" in actor.options])
        for early, sent in ((0, []), (0.1, []), (0.1, [(tick, tick - timedelta(seconds=0.1))]), (0.1, None)):
            now[0] -= timedelta(seconds=early)
            world.at(now[0])
            scheduler.schedule()
            found = rows(world.conn, "SELECT scheduled_for, created_on FROM zeke_jobs.queue")
            assert found == (found[:1] if sent is None else sent)
    assert len(found) == 1


def test_a_beat_registers_the_scheduler_the_next_one_refreshes_it_and_one_that_fails_does_not_count(
    world: World, database: str
) -> None:
    world.put()
    assert beat.faults() == ("", "no recent beat has reached the database")
    for now in (NINE, NINE + MINUTE):
        world.at(now)
        beat.beat(database)
    [row] = world.rows("SELECT kind, started_on, heartbeat_on, revision, lost_after FROM zeke_jobs.worker")
    times = {"started_on": NINE, "heartbeat_on": NINE + MINUTE, "lost_after": beat._LOST_AFTER}
    assert row == {"kind": "scheduler", "revision": 1, **times}
    assert (dispatch.silence(world.conn), beat.faults()) == (None, ("", ""))
    world.rows("ALTER FUNCTION zeke_jobs.advance_schedule RENAME TO gone")
    world.at(NINE + 11 * MINUTE)
    beat.beat(database)
    assert dispatch.silence(world.conn) == timedelta(minutes=10), "a beat that fails does not count"


def test_a_wrong_address_ends_a_start_and_no_later_beat(process: beat._Process, monkeypatch: Patch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AddressError("expected another password")

    monkeypatch.setattr(beat, "connect", refuse)
    with pytest.raises(AddressError, match="another password"):
        beat.beat("postgresql://nowhere")
    process.refusal, process.beaten = None, 0.0
    beat.beat("postgresql://nowhere")
    assert process.away


@pytest.mark.parametrize(("ahead", "wakes"), [(0, 60), (0.3, 60), (20, 40), (-20, 80), (-0.3, 60)])
def test_the_beat_follows_the_database_s_clock(process: beat._Process, ahead: float, wakes: float) -> None:
    beat._measure_skew(datetime.now(UTC) + timedelta(seconds=ahead))
    minute = pendulum.datetime(2025, 6, 4, 9)
    planned = (beat.Beat().next_valid_date(minute) - minute).total_seconds()
    assert planned == pytest.approx(wakes if wakes <= 60 else wakes - 60, abs=0.1)


def scheduler(code: str, *arguments: str) -> subprocess.Popen[str]:
    imports = "import os, sys, time; from zeke_jobs.core import logs; from zeke_jobs.scheduler import beat"
    return subprocess.Popen([sys.executable, "-c", f"{imports}; {code}", *arguments], stdout=subprocess.PIPE, text=True)


def test_a_signal_ends_the_process_at_once_even_while_the_database_does_not_answer() -> None:
    # os.write needs no lock; print could block, as a thread that still runs when Python ends may hold stdout's lock.
    hang = "beat.connect = lambda *a, **k: (os.write(1, b'hangs\\n'), time.sleep(60))"
    with scheduler(f"{hang}; beat.beat('postgresql://nowhere')") as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "hangs\n"
        sent = time.monotonic()
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 130
        assert time.monotonic() - sent < 5, "and not once the minute of the database is over"


def test_a_scheduler_leaves_the_fleet_when_it_is_stopped_and_not_at_a_hangup(world: World, database: str) -> None:
    members = "SELECT kind FROM zeke_jobs.worker"
    # SIGUSR1 sets an alarm, as periodiq does for its next run; the alarm comes while the process ends.
    alarm = "signal.signal(signal.SIGUSR1, lambda *_: signal.setitimer(signal.ITIMER_REAL, 0.3))"
    ending = "atexit.register(lambda: (print('ending', flush=True), time.sleep(0.6)))"
    beaten = f"import atexit, signal; {ending}; {alarm}; logs.configure(); beat.beat(sys.argv[1])"
    beaten += "; print('beaten', flush=True); time.sleep(60)"
    with scheduler(beaten, database) as running:
        assert running.stdout is not None
        assert "beaten\n" in running.stdout  # Warnings may come first, for example about different clocks.
        running.send_signal(signal.SIGHUP)
        assert world.rows(members) == [{"kind": "scheduler"}]
        running.send_signal(signal.SIGUSR1)
        running.send_signal(signal.SIGTERM)
        assert "ending\n" in running.stdout
        assert world.rows(members) == []
        assert running.wait(10) == 0, "the alarm does not change its status"
