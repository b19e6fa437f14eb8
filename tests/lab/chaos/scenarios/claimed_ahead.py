"""A worker process dies with many short jobs: killed from outside, or by one of them."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

from tests.lab.chaos import proof
from tests.lab.chaos.world import THREADS, world

if TYPE_CHECKING:
    from tests.lab.chaos.outcome import Outcome

_HOLDS = """
  SELECT array_agg(q.message_id::text) FROM zeke_jobs.queue AS q JOIN zeke_jobs.worker AS w ON w.id = q.worker
  WHERE w.pid = ANY (%s) AND q.state = 'consumed'"""
_OF_THEM = "FROM zeke_jobs.queue WHERE message_id = ANY (%s::uuid[])"
_SHORT = {"plain": True}
_MANY = 8  # as many as it has threads, and a few more
_SAW_A_DEATH = "SELECT count(*) FROM zeke_jobs.queue WHERE deaths > 0"
_WORKERS = "SELECT count(*) FROM zeke_jobs.worker WHERE kind = 'worker'"


def kill(*, quick: bool) -> Outcome:
    """One of two workers is killed while it holds many short jobs."""
    with world("kill-ahead", quick=quick, kinds={}) as here:
        doomed = here.worker("one")
        here.worker("two")
        here.until(lambda: here.look(_WORKERS) == 2, 60, "two workers")
        here.backlog("fast", _SHORT, 10_000 if quick else 40_000)
        pids = doomed.pids()
        held: list[str] = []
        while len(held) < _MANY:
            os.killpg(doomed.command.pid, signal.SIGCONT)
            time.sleep(0.03)
            os.killpg(doomed.command.pid, signal.SIGSTOP)
            time.sleep(0.1)  # what it said last is written
            held = here.look(_HOLDS, pids) or []
        with here.phase("during"):
            here.kill(doomed)
            killed = time.monotonic()
            here.until(
                lambda: here.look(f"SELECT count(*) {_OF_THEM} AND worker IS NULL", held) == len(held), 60, "a rescue"
            )
            back = time.monotonic()
            here.until(
                lambda: here.look(f"SELECT count(*) {_OF_THEM} AND state <> 'done'", held) == 0, 120, "their ends"
            )
            done = time.monotonic()
        here.drain()
        began = {run.job for run in proof.runs(here.trace) if run.pid in pids} & set(held)
        marked = set(here.look(f"SELECT coalesce(array_agg(message_id::text), '{{}}') {_OF_THEM} AND deaths > 0", held))
        here.promise("what had started when it was killed counts as started", began <= marked)
        retries = f"SELECT count(*) {_OF_THEM} AND attempt - attempt_base > 1"
        here.promise("nobody's retry is used up", here.look(retries, held) == 0)
        return here.outcome(
            "SIGKILL a worker that holds many short jobs",
            after_share=None,
            note=f"{len(held)} held, {len(began)} of them started, {len(marked)} counted as started; back {back - killed:.1f} s "
            f"after the kill, all done {done - back:.2f} s later",
        )


def killer(*, quick: bool) -> Outcome:
    """One job among hundreds of its kind kills whatever process runs it."""
    with world("killer-ahead", quick=quick, kinds={}) as here:
        worker = here.worker("one")
        here.until(lambda: here.look(_WORKERS) == 1, 60, "a worker")
        began = time.monotonic()
        here.backlog("fast", _SHORT, 10_000)
        killing = here.traffic.send("fast", {**_SHORT, "kills": True})
        here.drain(300)
        took = time.monotonic() - began
        state, deaths = here.row("SELECT state::text, deaths FROM zeke_jobs.queue WHERE message_id = %s", killing)
        others: Any = here.row(
            "SELECT count(*) FILTER (WHERE state <> 'done'), max(deaths) FROM zeke_jobs.queue WHERE message_id <> %s",
            killing,
        )
        suspects = here.look(_SAW_A_DEATH)
        here.promise("the killer is quarantined, after three deaths that count", (state, deaths) == ("rejected", 3))
        here.promise("all others complete, and none saw three deaths", others[0] == 0 and others[1] < 3)
        here.promise(
            f"{worker.starts - 1} processes died of it, with {suspects} jobs that saw a death", worker.starts - 1 == 3
        )
        return here.outcome(
            f"one job of {len(here.traffic.ledger):,} kills its process, with {THREADS} threads and many short jobs beside it",
            after_share=None,
            note=f"drained in {took:.0f} s",
        )
