"""The rules that the simulation runs on are those of the real claim: which job starts when, over small histories."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.zeke_jobs.backtest.witness import CLOCK, witnessed
from tests.zeke_jobs.engine.conftest import Jobs, load
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
moments = st.integers(0, 8).map(lambda n: n / 4)
lengths = st.integers(1, 8).map(lambda n: n / 4)
attempts = st.builds(
    lambda tries, last: (*tries, last),
    st.lists(
        st.builds(Attempt, lengths, st.sampled_from(["retry", "died"]), st.none())
        | st.builds(Attempt, lengths, st.just("deferred"), lengths),
        max_size=1,
    ),
    st.builds(Attempt, lengths, st.sampled_from(["completed", "completed", "failed"]), st.none()),
)


def jobs_of(names: list[str]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Jobs of a few tasks, which meet at their limits."""
    one = st.fixed_dictionaries(
        {
            "task": st.sampled_from(names),
            "sent": moments,
            "attempts": attempts,
            "priority": st.sampled_from([None, None, 0, 5]),
            "key": st.sampled_from([None, "a", "a", "b"]),
            "delay": st.sampled_from([0.0, 0.0, 0.5, 1.0]),
            "leaves": st.sampled_from([None, None, None, 0.5]),
            "parent": st.sampled_from([None, None, None, 0, 1]),
        }
    )
    return st.lists(one, min_size=6, max_size=14)


histories = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True).flatmap(jobs_of)


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
    jobs = Jobs(conn)
    jobs.use(TASKS, TOP)
    jobs.rows(CLOCK)
    return jobs


@settings(
    max_examples=400 if DEEP else 40,
    deadline=None,
    database=None,
    derandomize=not DEEP,
    print_blob=False,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.generate, *([Phase.shrink] if DEEP else [])],
)
@given(many=histories, slots=st.integers(1, 8), seed=st.integers(0, 9))
def test_the_database_starts_the_jobs_that_the_rules_say(
    sql: Jobs, many: list[dict[str, Any]], slots: int, seed: int
) -> None:
    witnessed(sql, workload(many), load(TASKS, TOP), Fleet(1, slots), seed=seed)
