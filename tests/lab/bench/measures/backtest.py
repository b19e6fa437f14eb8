"""The processor's time for a simulated job of the backtest."""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING

from tests.lab.bench.result import Row
from tests.zeke_jobs.worker.conftest import load
from zeke_jobs.backtest.simulation import Simulation
from zeke_jobs.backtest.workload import Attempt, Fleet, Job, Workload

if TYPE_CHECKING:
    from tests.lab.bench.bench import Bench

_JOBS = 20_000
_MOST = 60  # µs a job: a million jobs in a minute
_TASKS = "\n".join(
    f"  t{n}: {{handler: 'H:echo', concurrency: {limit}, uses: [pool], priority: {n % 3}}}"
    for n, limit in enumerate((1, 1, 2, 5, 2, 3, 5, 1, 1, 20, 10, 4, 1))
)


def measure(_bench: Bench) -> list[Row]:
    """A day of 20,000 jobs of 13 tasks that share a limit."""
    chance = Random(0)
    day = Workload(end=86_400.0)
    for sent in sorted(chance.random() * day.end for _ in range(_JOBS)):
        held = chance.expovariate(_JOBS / (day.end * 14))
        day.roots.append(Job(f"t{chance.randrange(13)}", sent, (Attempt(held),)))
    simulation = Simulation(day, load(_TASKS, "limits: {pool: {concurrency: 15}}"), Fleet(2, 8))
    begin = time.process_time()
    completed = sum(task.completed for task in simulation.run().tasks.values())
    spent = (time.process_time() - begin) / _JOBS
    return [Row("processor time of a simulated job", spent * 1e6, "µs", most=_MOST, note=f"{completed:,} completed")]
