"""For one night, three schedulers are killed and restarted at random; docs/schedules.md says which jobs there must be.

In this night, the clocks in Paris go back. With ``ZEKE_TEST_DEEP=1``, the test covers the whole week.
"""

import os
import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from tests.zeke_jobs.scheduler.conftest import MINUTE, World
from zeke_jobs.cron.calendar import parse
from zeke_jobs.postgres.pool import connect
from zeke_jobs.scheduler import dispatch

DEEP = bool(os.environ.get("ZEKE_TEST_DEEP"))
BEGIN = datetime(2025, 10, 20, tzinfo=UTC) if DEEP else datetime(2025, 10, 25, 22, 30, tzinfo=UTC)
END = datetime(2025, 10, 27, tzinfo=UTC) if DEEP else datetime(2025, 10, 26, 3, tzinfo=UTC)
AWAY = (1, 3, 20, 90, 400, 1500) if DEEP else (1, 3, 20, 90)  # AWAY is in minutes.
SCHEDULES: dict[str, dict[str, Any]] = {
    "often": {"at": "*/5 * * * *", "missed": "all", "window": 7 * 86400},
    "often-latest": {"at": "*/20 * * * *", "missed": "latest", "overlap": "allow"},
    "often-skip": {"at": "7-59/10 * * * *", "missed": "skip", "overlap": "allow"},
    "short-window": {"at": "*/30 * * * *", "missed": "all", "window": 3600},
    "nightly": {"at": "30 2 * * *", "timezone": "Europe/Paris", "missed": "latest"},
    "working-days": {"at": "15 9,17 * * mon-fri", "timezone": "America/New_York", "missed": "all"},
    "sunday": {"at": "@weekly", "timezone": "Europe/London", "missed": "latest"},
}


class Night(World):
    """The clock is a row of a table, because replacing the function ``now`` at each step would invalidate all plans."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        sql = """CREATE TABLE public.clock AS SELECT %s::timestamptz AS at;
            CREATE OR REPLACE FUNCTION zeke_jobs.now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT at FROM public.clock'"""
        self.rows(sql, BEGIN)

    def at(self, now: datetime) -> None:
        self.rows("UPDATE public.clock SET at = %s", now)


class Scheduler:
    """This scheduler calls ``dispatch.beat`` about once a minute while it lives, and sometimes dies during the call."""

    def __init__(self, database: str, chance: random.Random) -> None:
        self.database, self.chance = database, chance
        self.conn: Connection | None = None
        self.next_beat = BEGIN

    def start(self, now: datetime) -> None:
        self.conn = connect(self.database)
        self.next_beat = now + timedelta(seconds=self.chance.uniform(0, 5))

    def die(self) -> None:
        if self.conn is not None:
            self.conn.close()
        self.conn = None

    def beat(self, now: datetime, *, dies: bool) -> None:
        assert self.conn is not None
        if dies:
            after = str(self.chance.randint(1, 6))
            self.conn.cursor().execute("SELECT set_config('test.dies_after', %s, false)", (after,))
            with pytest.raises(psycopg2.Error):
                # The call fails at one of its writes. If it makes too few, the scheduler dies after the call.
                dispatch.beat(self.conn)
                raise psycopg2.OperationalError
            self.die()
            return
        dispatch.beat(self.conn)
        minute = now.replace(second=0, microsecond=0) + MINUTE
        self.next_beat = minute - timedelta(milliseconds=self.chance.choice([0, 0, 100]))


#: The trigger breaks the connection after a few writes: between tick, job and state.
DIE = """
CREATE FUNCTION public.maybe_die() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_left integer := nullif(current_setting('test.dies_after', true), '')::integer;
BEGIN
  PERFORM pg_terminate_backend(pg_backend_pid()) WHERE v_left <= 1;
  PERFORM set_config('test.dies_after', (v_left - 1)::text, false) WHERE v_left IS NOT NULL;
  RETURN NEW;
END $$;
""" + "".join(
    f"CREATE TRIGGER die BEFORE {event} ON zeke_jobs.{table} FOR EACH ROW EXECUTE FUNCTION public.maybe_die();"
    for table, event in {"schedule_state": "INSERT OR UPDATE", "tick": "INSERT", "queue": "INSERT"}.items()
)


def promised(cron: dict[str, Any], looks: list[datetime]) -> list[datetime]:
    """Return the ticks (cron times) for which docs/schedules.md promises a job, if the calls at the times ``looks`` succeeded."""
    line, zone = parse(cron["at"]), ZoneInfo(cron.get("timezone", "UTC"))
    window = timedelta(seconds=cron.get("window", 86400))
    sent: list[datetime] = []
    before = BEGIN
    for look in looks:
        ticks = list(line.between(before, look + timedelta(seconds=1), zone))
        before = max([before, *ticks])
        on_time = [tick for tick in ticks if look - tick <= 2 * MINUTE]
        missed = [tick for tick in ticks if tick not in on_time and look - tick <= window]
        if cron["missed"] == "all":
            sent += missed
        elif cron["missed"] == "latest" and not on_time:
            sent += missed[-1:]
        sent += on_time
    return sent


@pytest.mark.timeout(400)
def test_three_schedulers_that_die_send_exactly_what_the_file_promises(conn: Connection, database: str) -> None:
    seed = int(os.environ.get("ZEKE_TEST_SEED", random.randrange(1_000_000)))
    print("ZEKE_TEST_SEED", seed)
    chance = random.Random(seed)
    world = Night(conn)
    world.rows(DIE)
    for task, cron in SCHEDULES.items():
        world.put(task, **cron)
    schedulers = [Scheduler(database, chance) for _ in range(3)]
    now, looks, blackout_until, long_to_come = BEGIN, list[tuple[datetime, bool]](), BEGIN, True
    while now < END:
        due = [one for one in schedulers if one.conn is not None and one.next_beat <= now]
        chance.shuffle(due)
        for one in due:
            world.at(now)
            dies = chance.random() < 0.04
            one.beat(now, dies=dies)
            looks.append((now, dies))
        if due:
            world.end_jobs()
        long = long_to_come and now >= BEGIN + timedelta(hours=1)
        if (long or chance.random() < 0.002) and now >= blackout_until:
            blackout_until = now + timedelta(minutes=90 if long else chance.choice(AWAY))
            long_to_come = long_to_come and not long
            for one in schedulers:
                one.die()
        for one in schedulers:
            if one.conn is None and now >= blackout_until and chance.random() < 0.03:
                one.start(now)
        alive = [one.next_beat for one in schedulers if one.conn is not None]
        now = min([now + MINUTE, *(beat for beat in alive if beat > now)])
    for one in schedulers:
        one.die()

    assert len(looks) > (4000 if DEEP else 40)
    moments = [BEGIN, *(look for look, _ in looks), END]
    assert any(b - a > timedelta(hours=1) for a, b in pairwise(moments)), "all were away for long"
    jobs = world.rows("SELECT task, scheduled_for FROM zeke_jobs.queue")
    decided = {(row["task"], row["decided_on"]) for row in world.rows("SELECT task, decided_on FROM zeke_jobs.tick")}
    for task, cron in SCHEDULES.items():
        # A call that failed has committed its decisions on all due ticks of a schedule, or on none.
        through = [look for look, died in looks if not died or (task, look) in decided]
        found = sorted(job["scheduled_for"] for job in jobs if job["task"] == task)
        assert found == promised(cron, through), task
        assert [tick["scheduled_for"] for tick in world.ticks(task) if tick["outcome"] == "sent"] == found, task
