"""A network that stalls."""

import time
from functools import partial

from tests.lab.chaos.outcome import Outcome
from tests.lab.chaos.proxy import Proxy
from tests.lab.chaos.world import world

_RUNS_IN = """
  SELECT w.pid FROM zeke_jobs.queue AS q JOIN zeke_jobs.worker AS w ON w.id = q.worker
  WHERE q.message_id = %s AND q.started_on IS NOT NULL"""


def stall(*, quick: bool) -> Outcome:
    """Nothing passes between one worker and the server for a minute, and no connection breaks."""
    seconds, heartbeat = (12, 0.5) if quick else (60, 5.0)
    with world("stall", quick=quick, heartbeat=heartbeat) as here, Proxy(here.url) as proxy:
        stalled = here.worker(DATABASE_URL=proxy.url)
        here.until(lambda: here.look("SELECT count(*) FROM zeke_jobs.worker"), 60, "a worker")
        here.two()  # since one makes itself empty for what has seen a death
        here.flow(3)
        pids, runs_in = stalled.pids(), 0
        while runs_in not in pids:
            # It runs past the moment when others take it over, and ends while nothing passes.
            late = here.traffic.send("slow", {"seconds": seconds * 0.75})
            here.until(partial(here.look, _RUNS_IN, late), 20, "a start")
            runs_in = here.look(_RUNS_IN, late)
        with here.fault():
            begin = time.monotonic()
            proxy.stalled.set()
            time.sleep(seconds)
            proxy.stalled.clear()
            # A stalled run may go on beside its successor until it notices; it commits nothing.
            here.note_gone(pids, begin, time.monotonic())
        fenced = here.comes(lambda: "taken for dead" in stalled.command.text(), 15)
        here.whole(3)
        here.measure("after")
        here.drain()
        sql = "SELECT attempts -> 0 ->> 'outcome', state::text, deaths FROM zeke_jobs.queue WHERE message_id = %s"
        [(died, state, deaths)] = here.rows(sql, late)
        here.promise(
            f"a job that outlasts the limit is rescued, and done elsewhere, got {died}, {state}, {deaths} deaths",
            (died, state) == ("died", "done") and deaths >= 1,
        )
        here.promise("its late end changes nothing", here.look("SELECT count(*) FROM effect WHERE job = %s", late) == 1)
        here.promise("the stalled worker notices that it was taken for dead", fenced)
        return here.outcome(
            f"a proxy between one of three workers and the server forwards nothing for {seconds} s", recovers_in=10
        )
