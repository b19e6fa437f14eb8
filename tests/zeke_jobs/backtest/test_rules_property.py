"""For small histories, the simulation starts the same jobs at the same times as the real claim."""

import os
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from tests.each import each
from tests.zeke_jobs.backtest.witness import CLOCK, witnessed
from tests.zeke_jobs.worker.conftest import NOON, Jobs, load
from zeke_jobs.backtest.workload import Attempt, Ending, Fleet, Job, Workload

#: The histories begin three seconds before midnight in the file's time zone.
BEGIN = NOON - timedelta(seconds=3)
DEEP = bool(os.environ.get("ZEKE_TEST_DEEP"))
#: Without jitter all times are quarters of seconds, and rates use whole microseconds, so Postgres computes exactly.
TOP = """
timezone: Asia/Anadyr
limits:
  pool: {concurrency: 2}
  slow: {concurrency: 3, rate: 4/s}
  ai: {tokens: {rate: 1000/s}, concurrency: 5}
  model: {budget: 3.25 USD/d}
defaults: {retry: {delay: 1s, jitter: 0}}
"""
TASKS = """
  free: {handler: 'H:echo'}
  one: {handler: 'H:echo', concurrency: 1, retry: {limit: 1}}
  pooled: {handler: 'H:echo', uses: [pool]}
  both: {handler: 'H:echo', uses: [pool, slow], concurrency: 2, priority: 1}
  keyed: {handler: 'H:echo', concurrency: {limit: 3, per_key: 1}}
  wide: {handler: 'H:echo', uses: [slow], concurrency: {per_key: 2}}
  rated: {handler: 'H:echo', rate: 2/s, priority: 1}
  paced: {handler: 'H:echo', rate: {limit: 6/s, burst: 2}}
  polite: {handler: 'H:echo', rate: {limit: 4/s, per_key: 1/s}}
  short: {handler: 'H:echo', uses: [ai], units: {tokens: 200}}
  heavy: {handler: 'H:echo', uses: [ai], units: {tokens: 500}, concurrency: {per_key: 1}}
  costly: {handler: 'H:echo', uses: [model], units: {USD: 0.5}}
  dear: {handler: 'H:echo', uses: [model], budget: 1.75 USD/d, priority: 1}
  distant: {handler: 'H:echo', uses: [pool], concurrency: {per_key: 1}, retry: {limit: 2}}
  frail: {handler: 'H:echo', uses: [model], units: {USD: 0.25}, retry: {limit: 1}}
  aside: {handler: 'H:echo', queue: other, uses: [pool]}
  full: {handler: 'H:echo', concurrency: 1, max_queued: 1}
  still: {handler: 'H:echo', paused: true, priority: 9}
  lined: {handler: 'H:echo', order: strict, retry: {limit: 1}}
  skipped: {handler: 'H:echo', order: strict, after_failure: skip, concurrency: {limit: 2}, retry: {limit: 1}}
"""
NAMES = tuple(line.split(":")[0].strip() for line in TASKS.strip().splitlines())
#: Jobs of WITH_BUDGET end within a second of midnight; the averages learn no costs of jobs that end later.
WITH_BUDGET = ("costly", "dear", "frail")


KINDS: dict[str, list[Any]] = {"priority": [None, None, 0, 5], "key": [None, "a", "a", "b"]}
KINDS |= {"delay": [0.0, 0.0, 0.5, 1.0], "leaves": [None, None, None, 0.5], "cost": [None, 0.0, 0.25, 0.5, 1.0]}


def history(chance: Random) -> Workload:
    """Make jobs of one to three tasks, so that the jobs compete for the limits."""
    names = chance.sample(NAMES, chance.randint(1, 3))
    ends: list[Ending] = chance.choice([["completed", "completed", "failed"], ["completed", "failed", "failed"]])
    made, jobs = Workload(origin=BEGIN.timestamp(), end=4.0), list[Job]()

    def quarters(least: int, most: int) -> float:
        return chance.randint(least, most) / 4

    for number in range(chance.randint(8, 14)):
        task = chance.choice(names)
        longest = 4 if task in WITH_BUDGET else 8
        again: Ending | None = chance.choice([None, None, "retry", "died", "deferred"])
        gap = quarters(1, 8) if again == "deferred" else None
        attempts = [Attempt(quarters(1, longest), again, gap)] if again else []
        attempts.append(Attempt(quarters(1, longest), chance.choice(ends)))
        sent = quarters(0, 4) if chance.random() < 0.7 else 0.0
        job = Job(task, sent, tuple(attempts), **{name: chance.choice(some) for name, some in KINDS.items()})
        # A deferred job gets no expiry, because it could expire in the database, but not in the simulation. Jobs 0
        # and 1, which may send other jobs, get none either.
        if again == "deferred" or number < 2:
            job.leaves = None
        parent = chance.choice([None, None, None, 0, 1])
        if parent is not None and parent < number:
            jobs[parent].send(job, after=job.sent)
        else:
            made.roots.append(job)
        jobs.append(job)
    made.roots.sort(key=lambda job: job.sent)
    return made


@pytest.fixture
def sql(conn: Connection) -> Jobs:
    jobs = Jobs(conn)
    jobs.use(TASKS, TOP)
    jobs.rows(CLOCK)
    return jobs


@pytest.mark.timeout(7200 if DEEP else 300)
@each("seed", range(1000 if DEEP else 8))
def test_the_database_starts_the_jobs_that_the_rules_say(sql: Jobs, seed: int) -> None:
    chance = Random(seed)
    witnessed(sql, history(chance), load(TASKS, TOP), Fleet(1, chance.randint(1, 8)), seed=seed)
