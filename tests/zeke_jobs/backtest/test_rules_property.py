"""The rules that the simulation runs on are those of the real claim: which job starts when, over small histories."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.zeke_jobs.backtest.witness import witnessed
from tests.zeke_jobs.engine.conftest import Jobs
from zeke_jobs.backtest.simulation import Fleet
from zeke_jobs.backtest.workload import Attempt, Workload

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

DEEP = bool(os.environ.get("ZEKE_TEST_DEEP"))
TOP = "limits: {pool: {concurrency: 2}, slow: {concurrency: 3, rate: 4/s}}"
TASKS = """
  free: {handler: 'H:echo', retry: {delay: 1s, jitter: 0}}
  one: {handler: 'H:echo', concurrency: 1, retry: {limit: 1, delay: 1s, jitter: 0}}
  pooled: {handler: 'H:echo', uses: [pool]}
  both: {handler: 'H:echo', uses: [pool, slow], concurrency: 2, priority: 1}
  keyed: {handler: 'H:echo', concurrency: {limit: 3, per_key: 1}, retry: {delay: 1s, jitter: 0}}
  wide: {handler: 'H:echo', uses: [slow], concurrency: {per_key: 2}}
  rated: {handler: 'H:echo', rate: 2/s, priority: 1}
  aside: {handler: 'H:echo', queue: other, uses: [pool]}
  still: {handler: 'H:echo', paused: true, priority: 9}
"""
NAMES = ("free", "one", "pooled", "both", "keyed", "wide", "rated", "aside", "still")

# Quarters of seconds: exact in floating point and in Postgres.
quarters = st.integers(0, 12).map(lambda n: n / 4)
attempts = st.builds(
    lambda tries, last: (*tries, last),
    st.lists(st.builds(Attempt, quarters, st.sampled_from(["retry", "died"]), st.none()), max_size=1)
    | st.lists(st.builds(Attempt, quarters, st.just("deferred"), quarters), max_size=1),
    st.builds(Attempt, quarters, st.sampled_from(["completed", "completed", "failed"]), st.none()),
)
jobs = st.fixed_dictionaries(
    {
        "task": st.sampled_from(NAMES),
        "sent": quarters,
        "attempts": attempts,
        "priority": st.sampled_from([None, None, 0, 5]),
        "key": st.sampled_from([None, "a", "b"]),
        "delay": st.sampled_from([0.0, 0.0, 0.0, 1.0]),
        "leaves": st.sampled_from([None, None, None, 0.5]),
        "parent": st.none() | st.integers(0, 5),
    }
)


def workload(many: list[dict[str, Any]]) -> Workload:
    made = Workload(end=4.0)
    for number, one in enumerate(many):
        parent = one["parent"]
        job = made.add(**{name: value for name, value in one.items() if name != "parent"})
        if parent is not None and parent < number:
            made.follows(parent, job, after=one["sent"])
        else:
            made.roots.append(job)
    made.roots.sort(key=made.sent.__getitem__)
    return made


@pytest.fixture
def sql(conn: Connection) -> Jobs:
    return Jobs(conn)


@settings(
    max_examples=400 if DEEP else 25,
    deadline=None,
    database=None,
    derandomize=not DEEP,
    print_blob=False,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
@given(many=st.lists(jobs, min_size=1, max_size=14), slots=st.integers(1, 5), seed=st.integers(0, 9))
def test_the_database_starts_the_jobs_that_the_rules_say(
    sql: Jobs, many: list[dict[str, Any]], slots: int, seed: int
) -> None:
    if not sql.rows("SELECT 1 FROM zeke_jobs.revision"):
        sql.use(TASKS, TOP)
    config = _config(sql)
    witnessed(sql, workload(many), config, Fleet(1, slots), seed=seed)


def _config(sql: Jobs) -> Any:
    from tests.zeke_jobs.engine.conftest import load

    return load(TASKS, TOP)
