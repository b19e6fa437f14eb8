"""Four worker processes under every kind of limit, killed, stopped and frozen at random: no limit gives way, nothing is lost or doubled.

``ZEKE_TEST_DEEP=1`` makes it last minutes, ``ZEKE_TEST_SEED`` repeats a run's random choices.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from psycopg2.extras import RealDictCursor

import zeke_jobs
from tests.fleet import Command, Fleet, eventually, scalar

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg2.extensions import connection as Connection

DEEP = bool(os.environ.get("ZEKE_TEST_DEEP"))
CHAOS = 300.0 if DEEP else 15.0  # seconds
DRAIN = 300.0 if DEEP else 90.0
PROCESSES = 4

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900 if DEEP else 240)]

JOBS_YAML = """
    version: 1
    limits: {pool: {concurrency: 4}}
    defaults: {retry: {limit: 30, delay: 10ms, max_delay: 100ms}}
    tasks:
      limited: {handler: "S:stress", concurrency: 3}
      narrow: {handler: "S:stress", concurrency: 3}
      keyed: {handler: "S:stress", concurrency: {per_key: 1}}
      pool-a: {handler: "S:stress", uses: [pool]}
      pool-b: {handler: "S:stress", uses: [pool], priority: 1}
      rated: {handler: "S:stress", rate: 6/s}
      free: {handler: "S:stress"}
"""
LIMITS = {"limited": 3, "narrow": 3, "pool": 4, **{f"keyed {n}": 1 for n in range(5)}}
RATE, RATE_PERIOD = 6, timedelta(seconds=0.9)  # of a second: a row comes a little later than the start that it tells of
TABLES = """
  CREATE TABLE effect (job uuid);
  CREATE TABLE trace (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job uuid, pid integer, attempt integer,
    started timestamptz NOT NULL DEFAULT clock_timestamp(), ended timestamptz)"""
OPEN = "SELECT count(*) FROM zeke_jobs.queue WHERE state IN ('queued', 'consumed')"
DEATHS = 3  # quarantine
#: A thread that was frozen on its way into a handler enters it when it thaws, and is stopped; nothing of it can commit.
COMING_BACK = timedelta(seconds=0.5)

Interval = tuple[datetime, datetime]


def groups(task: str, key: str | None) -> list[str]:
    """Under which limits a job counts."""
    return {"pool-a": ["pool"], "pool-b": ["pool"], "keyed": [f"keyed {key}"]}.get(task, [task])


def peak(intervals: Iterable[Interval]) -> int:
    """The most that ran at once; one that begins as another ends does not overlap it."""
    steps = sorted(step for begin, end in intervals for step in ((begin, 1), (end, -1)))
    now = most = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


def most_within(moments: Iterable[datetime], period: timedelta) -> int:
    """The most moments in any period of this length."""
    times = sorted(moments)
    return max(sum(start <= at < start + period for at in times[n : n + 200]) for n, start in enumerate(times))


def test_the_measures_see_an_overlap() -> None:
    at = [datetime(2026, 1, 1, 0, 0, second) for second in range(5)]  # noqa: DTZ001 (only differences count)
    assert peak([(at[0], at[2]), (at[1], at[3])]) == 2
    assert peak([(at[0], at[2]), (at[2], at[3])]) == 1
    assert most_within([at[0], at[1], at[4]], timedelta(seconds=2)) == 2


@dataclass
class Chaos:
    """Does to a fleet what happens to machines. ``gone`` tells when a process could not work, by the database's clock."""

    fleet: Fleet
    conn: Connection
    chance: random.Random
    running: list[Command] = field(default_factory=list)
    gone: dict[int, list[Interval]] = field(default_factory=lambda: defaultdict(list))
    done: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def start(self) -> None:
        self.running.append(self.fleet.workers(processes=1, threads=4))

    def strike(self) -> None:
        """One process that works less, for a while."""
        announced = {row["pid"] for row in rows(self.conn, "SELECT pid FROM zeke_jobs.worker WHERE kind = 'worker'")}
        working = [command for command in self.running if not announced.isdisjoint(self._pids(command))]
        if not working:
            return
        # Each at least once, and then by chance.
        ways = [self.kill, self.freeze, self.stop]
        never = [way for way in ways if way.__name__ not in self.done]
        action = self.chance.choice(never or [self.kill, *ways])
        self.done[action.__name__] += 1
        action(self.chance.choice(working))

    def kill(self, command: Command) -> None:
        pids = self._pids(command)
        command.kill()
        begin = self._now()
        self._note(pids, begin, begin + timedelta(hours=1))
        self.running.remove(command)
        self.start()

    def stop(self, command: Command) -> None:
        assert command.stop() == 0
        self.running.remove(command)
        self.start()

    def freeze(self, command: Command) -> None:
        """For longer than others wait for it: they take its jobs."""
        pids = self._pids(command)
        os.killpg(command.pid, signal.SIGSTOP)
        begin = self._now()
        time.sleep(self.chance.uniform(2.2, 3.5))
        os.killpg(command.pid, signal.SIGCONT)
        self._note(pids, begin, self._now())

    def _pids(self, command: Command) -> list[int]:
        with suppress(psutil.NoSuchProcess):
            return [child.pid for child in psutil.Process(command.pid).children(recursive=True)]
        return []

    def _now(self) -> datetime:
        now: datetime = scalar(self.conn, "SELECT clock_timestamp()")
        return now

    def _note(self, pids: list[int], begin: datetime, end: datetime) -> None:
        for pid in pids:
            self.gone[pid].append((begin, end))

    def send(self) -> None:
        """A load for all limits at once."""

        def payloads(count: int, **said: Any) -> list[dict[str, Any]]:
            return [
                {"seconds": self.chance.uniform(0, 0.02), "fails": self.chance.choice([0, 0, 0, 1, 2]), **said}
                for _ in range(count)
            ]

        keys = [str(self.chance.randrange(5)) for _ in range(60)]
        zeke_jobs.send_many("limited", payloads(60))
        zeke_jobs.send_many("limited", payloads(20, plain=True))
        # Of these some are claimed ahead, and follow others in their slots.
        zeke_jobs.send_many("narrow", payloads(80, plain=True))
        zeke_jobs.send_many("keyed", payloads(60), keys=keys)
        zeke_jobs.send_many("pool-a", payloads(40))
        zeke_jobs.send_many("pool-b", payloads(40, plain=True))
        zeke_jobs.send_many("rated", payloads(8))
        zeke_jobs.send_many("free", payloads(30, child=True))


def rows(conn: Connection, sql: str) -> list[dict[str, Any]]:
    with conn.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(sql)
        return [dict(row) for row in cursor.fetchall()]


def by_handlers(conn: Connection, gone: dict[int, list[Interval]]) -> dict[str, list[Interval]]:
    """When handlers ran, by their own word; one that was killed or frozen ran until then."""
    ran = defaultdict(list)
    sql = "SELECT q.task, q.key, t.pid, t.started, t.ended FROM trace AS t JOIN zeke_jobs.queue AS q ON q.message_id = t.job"
    for row in rows(conn, sql):
        if any(begin <= row["started"] <= end + COMING_BACK for begin, end in gone[row["pid"]]):
            continue
        ends = [row["ended"], *(begin for begin, _ in gone[row["pid"]] if begin > row["started"])]
        end = min(filter(None, ends), default=None)
        assert end is not None, f"a handler neither ended nor was killed: {row}"
        for group in groups(row["task"], row["key"]):
            ran[group].append((row["started"], end))
    return ran


def by_the_table(conn: Connection) -> dict[str, list[Interval]]:
    """When jobs were active, by the times of their rows: the last attempt, and those before it.

    Without those of ``narrow`` that died: a job may have ended and have handed on its slot, and its end was not written any more.
    """
    ran = defaultdict(list)
    sql = """
      SELECT task, key, started_on, completed_on AS ended_on FROM zeke_jobs.queue WHERE state = 'done'
      UNION ALL
      SELECT q.task, q.key, (a.value ->> 'started_on')::timestamptz, (a.value ->> 'ended_on')::timestamptz
      FROM zeke_jobs.queue AS q CROSS JOIN jsonb_array_elements(q.attempts) AS a (value)
      WHERE a.value ? 'started_on' AND NOT (q.task = 'narrow' AND a.value ->> 'outcome' = 'died')"""
    for row in rows(conn, sql):
        for group in groups(row["task"], row["key"]):
            ran[group].append((row["started_on"], row["ended_on"]))
    return ran


def test_limits_hold_and_nothing_is_lost_or_doubled_whatever_happens_to_the_processes(
    fleet: Fleet, conn: Connection
) -> None:
    seed = int(os.environ.get("ZEKE_TEST_SEED") or random.randrange(1_000_000))
    print(f"ZEKE_TEST_SEED={seed}")
    fleet.configure(JOBS_YAML.replace("S:", "tests.acceptance.stress_handlers:"))
    with conn.cursor() as cursor:
        cursor.execute(TABLES)
    chaos = Chaos(fleet, conn, random.Random(seed))
    for _ in range(PROCESSES):
        chaos.start()
    fleet.ready(conn, PROCESSES)
    end = time.monotonic() + CHAOS
    while time.monotonic() < end:
        chaos.send()
        time.sleep(chaos.chance.uniform(0.3, 1.5))
        chaos.strike()
    eventually(lambda: scalar(conn, OPEN) == 0, DRAIN, fleet)
    for command in chaos.running:
        assert command.stop() == 0
    print(
        dict(chaos.done),
        rows(conn, "SELECT state, count(*), max(deaths) AS deaths FROM zeke_jobs.queue GROUP BY state"),
    )

    measures = {"by handlers": by_handlers(conn, chaos.gone), "by the table": by_the_table(conn)}
    for measure, ran in measures.items():
        peaks = {group: peak(ran[group]) for group in LIMITS}
        assert peaks == {group: min(most, peaks[group]) for group, most in LIMITS.items()}, measure
        in_a_second = most_within((begin for begin, _ in ran["rated"]), RATE_PERIOD)
        assert in_a_second <= RATE
        # The limits were reached, so there was something to hold.
        assert (peaks["limited"], peaks["pool"], in_a_second) == (3, 4, RATE)

    assert scalar(conn, "SELECT count(*) FROM zeke_jobs.queue WHERE state <> 'done' AND deaths < %s", DEATHS) == 0
    assert scalar(conn, "SELECT count(*) - count(DISTINCT job) FROM effect") == 0
    with_effect = "state = 'done' AND coalesce(message #>> '{kwargs,plain}', 'false') = 'false'"
    for odd in (
        f"SELECT count(*) FROM zeke_jobs.queue WHERE {with_effect} AND message_id NOT IN (SELECT job FROM effect)",
        "SELECT count(*) FROM effect AS e JOIN zeke_jobs.queue AS q ON q.message_id = e.job WHERE q.state <> 'done'",
        (
            "SELECT count(*) FROM zeke_jobs.queue AS p WHERE p.task = 'free' AND (p.state = 'done')::integer"
            " <> (SELECT count(*) FROM zeke_jobs.queue AS c WHERE c.parent = p.message_id)"
        ),
        "SELECT count(*) FROM zeke_jobs.queue WHERE worker IS NOT NULL",
    ):
        assert scalar(conn, odd) == 0, odd
