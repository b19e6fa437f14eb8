from __future__ import annotations

import time
from random import Random

from tests.zeke_jobs.worker.conftest import load
from zeke_jobs.backtest.simulation import Simulation
from zeke_jobs.backtest.workload import Attempt, Fleet, Job, Workload

JOBS = 20_000
TASKS = "\n".join(
    f"  t{n}: {{handler: 'H:echo', concurrency: {limit}, uses: [pool], priority: {n % 3}}}"
    for n, limit in enumerate((1, 1, 2, 5, 2, 3, 5, 1, 1, 20, 10, 4, 1))
)


def test_a_million_jobs_take_less_than_a_minute_of_a_processor() -> None:
    chance = Random(0)
    day = Workload(end=86_400.0)
    for sent in sorted(chance.random() * day.end for _ in range(JOBS)):
        held = chance.expovariate(JOBS / (day.end * 14))
        day.roots.append(Job(f"t{chance.randrange(13)}", sent, (Attempt(held),)))
    simulation = Simulation(day, load(TASKS, "limits: {pool: {concurrency: 15}}"), Fleet(2, 8))
    begin = time.process_time()
    figures = simulation.run()
    assert sum(task.completed for task in figures.tasks.values()) > JOBS / 2
    assert (time.process_time() - begin) / JOBS < 60e-6
