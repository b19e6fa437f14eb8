"""Worker and scheduler processes that die, freeze, or have a wrong clock."""

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

from tests.lab.chaos.outcome import Impossible, Outcome
from tests.lab.chaos.world import World, world

#: The longest time from a worker's death to its jobs' return.
_RETURNED = """
  SELECT coalesce(max(extract(epoch FROM (a.value ->> 'ended_on')::timestamptz - substring(
    a.value #>> '{error,message}' FROM 'proved life at ([^;]+);')::timestamptz)), 0)::float8
  FROM zeke_jobs.queue AS q CROSS JOIN jsonb_array_elements(q.attempts) AS a (value)
  WHERE a.value ->> 'outcome' = 'died'"""


def kill_workers(*, quick: bool, name: str = "kill-workers", **options: Any) -> Outcome:
    """One of two worker commands is killed every five seconds, the two in turns."""
    with world(name, quick=quick, **options) as here:
        both = here.two()
        here.scheduler()
        here.flow()
        strikes = 3 if quick else 12
        with here.fault():
            for strike in range(strikes):
                here.kill(both[strike % 2])
                time.sleep(5)
        here.whole()
        here.measure("after")
        here.drain()
        _promise_return(here)
        return here.outcome(
            f"SIGKILL a worker command every 5 s, {strikes} times; it is started again",
            recovers_in=here.lost_after + here.heartbeat,
        )


def freeze(*, quick: bool, name: str = "freeze", **options: Any) -> Outcome:
    """One of three worker commands is stopped for longer than others wait for it, and goes on."""
    with world(name, quick=quick, **options) as here:
        frozen = here.worker()
        here.two()  # since one makes itself empty for what has seen a death
        here.flow(3)
        with here.fault():
            pids = frozen.pids()
            os.killpg(frozen.command.pid, signal.SIGSTOP)
            begin = time.monotonic()
            taken = here.comes(
                lambda: here.look("SELECT count(*) FROM zeke_jobs.worker WHERE kind = 'worker'") == 2, 30
            )
            time.sleep(2)
            thawed = time.monotonic()
            here.note_gone(pids, begin, thawed)
            os.killpg(frozen.command.pid, signal.SIGCONT)
        fenced = here.comes(lambda: "taken for dead" in frozen.command.text(), 15)
        here.whole(3)
        here.measure("after")
        here.drain()
        here.promise("others take its jobs", taken)
        here.promise("it notices that it was taken for dead", fenced)
        _promise_return(here)
        return here.outcome(f"SIGSTOP of one of three workers for {thawed - begin:.0f} s, then SIGCONT", recovers_in=10)


def wrong_clock(*, quick: bool) -> Outcome:
    """One of two workers, and the scheduler, believe that it is an hour later."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        raise Impossible("libfaketime is not installed: apt-get install libfaketime")
    ahead = {"LD_PRELOAD": str(found[0]), "FAKETIME": "+1h", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    with world("wrong-clock", quick=quick) as here:
        here.worker()
        here.worker(**ahead)
        scheduler = here.scheduler(**ahead)
        here.flow()
        here.measure("before")
        delayed = [here.traffic.send("fast", {"plain": True}, delay=5.0) for _ in range(20)]
        with here.phase("during"):
            time.sleep(6 if quick else 75)
        here.measure("after")
        here.drain()
        early = here.look(
            "SELECT count(*) FROM zeke_jobs.queue WHERE message_id = ANY (%s::uuid[]) AND started_on < run_at", delayed
        )
        here.promise("no delayed job starts early", early == 0)
        both = here.look("SELECT count(DISTINCT worker) FROM zeke_jobs.worker AS w (worker) WHERE w.kind = 'worker'")
        here.promise(
            "neither worker is taken for dead", both == 2 and here.look("SELECT max(deaths) FROM zeke_jobs.queue") == 0
        )
        if not quick:
            here.promise("the scheduler says whose clock it follows", "not the database's" in scheduler.command.text())
            _promise_ticks(here)
        return here.outcome("the clocks of a worker and of the scheduler are an hour ahead (libfaketime)")


def kill_schedulers(*, quick: bool) -> Outcome:
    """Both schedulers are killed at the start of a minute, where they send; one is started after the next."""
    with world("kill-schedulers", quick=quick) as here:
        here.two()  # one alone would fall behind
        schedulers = [here.scheduler(), here.scheduler()]
        here.flow()
        here.until(lambda: here.look(_SCHEDULERS) == 2, 80, "two schedulers")
        here.measure("before")
        wait = 60 - here.look("SELECT extract(second FROM clock_timestamp())::float8")
        time.sleep(wait + random.uniform(0, 0.15))
        with here.phase("during"):
            for scheduler in schedulers:
                here.keeper.release(scheduler)
                scheduler.command.kill()
            if not quick:
                time.sleep(61)
        here.scheduler()
        over = here.look("SELECT clock_timestamp()")
        here.until(lambda: here.look("SELECT max(scheduled_for) > %s FROM zeke_jobs.queue", over), 70, "a tick")
        here.drain()
        _promise_ticks(here)
        return here.outcome(
            "SIGKILL both schedulers at the start of a minute, in mid-beat, one is started after the next minute",
            after_share=None,
        )


_SCHEDULERS = "SELECT count(*) FROM zeke_jobs.worker WHERE kind = 'scheduler'"
#: From the first tick to now: minutes, ticks that are written down, jobs of them.
_TICKS = """
  SELECT extract(epoch FROM date_trunc('minute', clock_timestamp()) - min(scheduled_for))::integer / 60 + 1,
    (SELECT count(*) FROM zeke_jobs.tick WHERE outcome = 'sent'), count(*), count(DISTINCT scheduled_for)
  FROM zeke_jobs.queue WHERE scheduled_for IS NOT NULL"""


def _promise_ticks(here: World) -> None:
    [(minutes, written, jobs, distinct)] = here.rows(_TICKS)
    here.promise(
        f"every tick once ({jobs} in {minutes} minutes)",
        jobs > 0 and jobs == distinct == written and minutes - 1 <= jobs <= minutes,
    )


def _promise_return(here: World) -> None:
    limit = here.lost_after + 2 * here.heartbeat
    longest = here.look(_RETURNED)
    here.promise(f"jobs of the dead return in ≤ {limit:g} s ({longest:.1f} s)", 0 < longest <= limit)
