"""Worker and scheduler processes die, freeze, block, are disconnected, or have a wrong clock."""

import os
import random
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import zeke_jobs
from tests.lab.chaos import proof
from tests.lab.chaos.proof import Impossible, Outcome
from tests.lab.chaos.proxy import Proxy
from tests.lab.chaos.traffic import MIXED, TASKS
from tests.lab.chaos.world import NO_DEATH, OPEN, World

#: The query returns the longest time from a worker's last heartbeat until its jobs are put back into the queue.
_RETURNED = """
  SELECT coalesce(max(extract(epoch FROM (a.value ->> 'ended_on')::timestamptz - substring(
    a.value #>> '{error,message}' FROM 'proved life at ([^;]+);')::timestamptz)), 0)::float8
  FROM zeke_jobs.queue AS q CROSS JOIN jsonb_array_elements(q.attempts) AS a (value)
  WHERE a.value ->> 'outcome' = 'died'"""
#: The query returns the minutes since the first tick, the recorded ticks, and the ticks with jobs.
_TICKS = """
  SELECT extract(epoch FROM date_trunc('minute', clock_timestamp()) - min(scheduled_for))::integer / 60 + 1,
    (SELECT count(*) FROM zeke_jobs.tick WHERE outcome = 'sent'), count(*), count(DISTINCT scheduled_for)
  FROM zeke_jobs.queue WHERE scheduled_for IS NOT NULL"""
_RUNS_IN = """
  SELECT w.pid FROM zeke_jobs.queue AS q JOIN zeke_jobs.worker AS w ON w.id = q.worker
  WHERE q.message_id = %s AND q.started_on IS NOT NULL"""
_EARLY = "SELECT count(*) = 0 FROM zeke_jobs.queue WHERE message_id = ANY (%s::uuid[]) AND started_on < run_at"
_MANY = 200  # The killer runs among _MANY innocent jobs.
_SHORT = {"plain": True, "seconds": 0.5}
_LONGEST = 3.0  # The run with the killer may take _LONGEST times as long as the run without the killer.
_GOOD = {0, -signal.SIGTERM}  # A process that is still starting ends by the signal.
_RATE = 6  # The rate per second is that of traffic.TASKS.
_USED = 0.7  # A reduced fleet must reach _USED of the rate; an idle machine reaches .9, or .97 without other tasks.
_PERIOD = 0.9  # _PERIOD is less than a second, because a trace is written a little after the start.
_STUCK = "  stuck: {handler: 'tests.lab.handlers:block', timeout: 1s, retry: {limit: 0}}\n"
_ASYNC_TASKS = TASKS.replace("handlers:work", "handlers:wait") + _STUCK
#: Some 100 handlers wait at once, which would otherwise take 100 threads.
ASYNC: dict[str, Any] = {"tasks": _ASYNC_TASKS, "kinds": {**MIXED, "slow": ({"seconds": 1.5}, 60.0)}}
_ACTIVE = "SELECT count(*) FROM zeke_jobs.queue WHERE task = %s AND state = 'consumed' AND started_on IS NOT NULL"


def kill_workers(*, quick: bool, **options: Any) -> Outcome:
    with World(quick=quick, **options) as here:
        here.scheduler()
        both = here.begin()
        strikes = 3 if quick else 12
        with here.fault():
            for strike in range(strikes):
                here.kill(both[strike % 2])
                time.sleep(5)
        here.calm(workers=2)
        _promise_return(here)
        said = f"SIGKILL a worker command every 5 s, {strikes} times; it is started again"
        return here.outcome(said, recovers_in=here.lost_after + here.heartbeat)


def freeze(*, quick: bool, **options: Any) -> Outcome:
    """Freeze one of three workers until the other two have rescued its jobs; then let it continue."""
    with World(quick=quick, **options) as here:
        # Two more workers are needed: while one runs the jobs of a lost worker, it takes no other jobs.
        frozen, *_ = here.begin(3)
        with here.fault():
            begin = time.monotonic()
            with here.frozen(frozen):
                taken = here.comes(lambda: here.joined() == 2, 30)
                time.sleep(2)
            thawed = time.monotonic()
        fenced = here.comes(lambda: "taken for dead" in frozen.command.text(), 15)
        here.calm(workers=3)
        here.promise("others take its jobs", taken)
        here.promise("it notices that it was taken for dead", fenced)
        _promise_return(here)
        return here.outcome(f"SIGSTOP of one of three workers for {thawed - begin:.0f} s, then SIGCONT", recovers_in=10)


def _promise_return(here: World) -> None:
    limit = here.lost_after + 2 * here.heartbeat
    longest = here.look(_RETURNED)
    here.promise(f"jobs of the dead return in ≤ {limit:g} s ({longest:.1f} s)", 0 < longest <= limit)


def stall(*, quick: bool) -> Outcome:
    """For a minute, let no data pass between a worker and the server, although no connection breaks."""
    seconds, heartbeat = (12, 0.5) if quick else (60, 5.0)
    with World(quick=quick, heartbeat=heartbeat) as here, Proxy(here.url) as proxy:
        # Two more workers are needed: while one runs the jobs of a lost worker, it takes no other jobs.
        stalled, *_ = here.begin(3, first={"DATABASE_URL": proxy.url})
        pids, runs_in = stalled.pids(), 0
        while runs_in not in pids:
            # This job is still running when another worker takes it over, and ends while the network is stalled.
            late = here.traffic.send("slow", {"seconds": seconds * 0.75})
            here.until(partial(here.look, _RUNS_IN, late), 20, "a start")
            runs_in = here.look(_RUNS_IN, late)
        with here.fault():
            begin = time.monotonic()
            proxy.stalled.set()
            time.sleep(seconds)
            proxy.stalled.clear()
            # A stalled run may overlap with its successor until it notices that it lost its claim; it commits nothing.
            here.note_gone(pids, begin, time.monotonic())
        fenced = here.comes(lambda: "taken for dead" in stalled.command.text(), 15)
        here.calm(workers=3)
        sql = "SELECT attempts -> 0 ->> 'outcome', state::text, deaths FROM zeke_jobs.queue WHERE message_id = %s"
        [(died, state, deaths)] = here.rows(sql, late)
        here.promise(
            f"a job that outlasts the limit is rescued, and done elsewhere, got {died}, {state}, {deaths} deaths",
            (died, state) == ("died", "done") and deaths >= 1,
        )
        here.promise("its late end changes nothing", here.look("SELECT count(*) FROM effect WHERE job = %s", late) == 1)
        here.promise("the stalled worker notices that it was taken for dead", fenced)
        said = f"a proxy between one of three workers and the server forwards nothing for {seconds} s"
        return here.outcome(said, recovers_in=10)


def wrong_clock(*, quick: bool) -> Outcome:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        raise Impossible("libfaketime is not installed: apt-get install libfaketime")
    ahead = {"LD_PRELOAD": str(found[0]), "FAKETIME": "+1h", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    with World(quick=quick) as here:
        scheduler = here.scheduler(**ahead)
        here.begin(first=ahead)
        here.measure("before")
        delayed = [here.traffic.send("fast", {"plain": True}, delay=5.0) for _ in range(20)]
        with here.phase("during"):
            time.sleep(6 if quick else 75)
        here.calm()
        here.promise("no delayed job starts early", here.look(_EARLY, delayed))
        here.promise("neither worker is taken for dead", here.joined() == 2 and here.look(NO_DEATH))
        if not quick:
            here.promise("the scheduler says whose clock it follows", "not the database's" in scheduler.command.text())
            [(minutes, written, jobs, distinct)] = here.rows(_TICKS)
            is_each_once = jobs > 0 and jobs == distinct == written and minutes - 1 <= jobs <= minutes
            here.promise(f"every tick once ({jobs} in {minutes} minutes)", is_each_once)
        return here.outcome("the clocks of a worker and of the scheduler are an hour ahead (libfaketime)")


def killer(*, quick: bool) -> Outcome:
    """Two workers run two hundred jobs, then two hundred more beside one job that kills each process that runs it."""
    with World(quick=quick, kinds={}) as here:
        both = here.begin()
        alone, _ = _run(here)
        beside, killing = _run(here, kills=True)
        here.drain()
        [(state, deaths)] = here.rows("SELECT state::text, deaths FROM zeke_jobs.queue WHERE message_id = %s", killing)
        hurt = here.look("SELECT count(*) FROM zeke_jobs.queue WHERE state <> 'done' AND message_id <> %s", killing)
        died = sum(kept.starts - 1 for kept in both)
        here.promise("the killer is quarantined, after its third death", (state, deaths) == ("rejected", 3))
        here.promise("no innocent job fails", hurt == 0)
        here.promise(f"within {_LONGEST:g} times the run without it ({beside / alone:.1f})", beside <= _LONGEST * alone)
        said = f"one of {_MANY + 1} jobs of half a second kills its process, on two processes"
        note = f"{alone:.1f} s without it, {beside:.1f} s with it; {died} processes died"
        return here.outcome(said, after_share=None, note=note)


def _run(here: World, *, kills: bool = False) -> tuple[float, str]:
    """Return the seconds until all jobs have ended, and the id of the job that kills its process."""
    killing = ""
    began = time.monotonic()
    for number in range(_MANY):
        if kills and number == _MANY // 2:
            killing = here.traffic.send("fast", {**_SHORT, "kills": True})
        here.traffic.send("fast", _SHORT)
    here.until(lambda: here.look(OPEN) == 0, 200, "their ends")
    return time.monotonic() - began, killing


def strike(*, quick: bool) -> Outcome:
    """Kill, freeze and stop workers while jobs run under each kind of limit: each of the three once, then at random.

    ``ZEKE_TEST_SEED`` repeats the random choices of an earlier run.
    """
    seed = int(os.environ.get("ZEKE_TEST_SEED") or random.randrange(1_000_000))
    chance, seconds, done = random.Random(seed), 12 if quick else 240, {"kill": 0, "freeze": 0, "stop": 0}
    kinds = {**MIXED, "rated": ({"plain": True}, _RATE + 1.0)}  # The remaining jobs must finish during the drain.
    with World(quick=quick, heartbeat=0.5, kinds=kinds) as here:
        workers = here.begin(3)
        statuses = []
        begin = time.monotonic()
        end = begin + seconds
        while time.monotonic() < end or not all(done.values()):
            time.sleep(chance.uniform(0.3, 1.0))
            way, kept = min(done, key=lambda way: (done[way] > 0, chance.random())), chance.choice(workers)
            if kept.command.process.poll() is not None:
                continue  # The worker has not been restarted yet.
            done[way] += 1
            if way == "kill":
                here.kill(kept)
            elif way == "freeze":
                with here.frozen(kept):
                    time.sleep(chance.uniform(1.1, 1.6) * here.lost_after)  # The others take its jobs.
            else:
                statuses.append(kept.command.stop(30))
        started = sum(run.task == "rated" and run.begin >= begin for run in proof.runs(here.trace))
        used = started / (time.monotonic() - begin) / _RATE
        here.whole(3)
        here.drain()
        starts = [run.begin for run in proof.present(proof.runs(here.trace), here.gone) if run.task == "rated"]
        most = max(sum(at <= other < at + _PERIOD for other in starts) for at in starts)
        here.promise(f"a stop ends in good order, {len(statuses)} of them", set(statuses) <= _GOOD)
        here.promise(f"the rate is exact: {most} of {_RATE} in a second", most == _RATE)
        here.promise(f"the rate is used beside the strikes: {used:.2f} of it", used >= (0.5 if quick else _USED))
        said = f"one of three workers killed, frozen or stopped at random for {seconds} s ({done}, seed {seed})"
        return here.outcome(said, after_share=None)


def async_blocked(*, quick: bool) -> Outcome:
    with World(quick=quick, tasks=_ASYNC_TASKS, kinds={}) as here:
        (kept,) = here.begin(1)
        os.environ["DATABASE_URL"] = here.url
        here.traffic.ledger.update(str(one.id) for one in zeke_jobs.send_many("slow", [{"seconds": 3.0}] * 50))
        here.until(lambda: here.look(_ACTIVE, "slow") == 50, 60, "50 handlers that wait")
        here.traffic.ledger.add(str(zeke_jobs.send("stuck", {"seconds": 600.0, "plain": True}).id))
        named = here.comes(lambda: "blocks the event loop" in kept.command.text(), 5)
        ended = here.comes(lambda: kept.starts == 2, 60)
        here.drain()
        here.promise("the handler is named", named)
        here.promise("the process ends and is started again", ended)
        here.promise("no job saw a death", here.look(NO_DEATH))
        done = here.look("SELECT count(*) FROM zeke_jobs.queue WHERE task = 'slow' AND state = 'done'")
        here.promise("the others complete", done == 50)
        return here.outcome("an async handler blocks its event loop for ever", after_share=None)
