"""The steps of ``zeke_jobs.claim``, each by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from zeke_jobs.postgres.pool import transaction

if TYPE_CHECKING:
    from tests.zeke_jobs.worker.conftest import Jobs

TOP = "limits: {pool: {concurrency: 4}}"
TASKS = """
  a: {handler: 'H:echo', uses: [pool]}
  b: {handler: 'H:echo', uses: [pool], concurrency: 1}
  c: {handler: 'H:echo', rate: 3/h}
  free: {handler: 'H:echo'}
"""

DUE = """
SELECT array_agg(ROW(d.task, 0, t.gates, t.per_key, '-infinity', 0, false)::zeke_jobs.candidate ORDER BY d.n)
FROM unnest(%s::text[]) WITH ORDINALITY AS d (task, n) JOIN zeke_jobs.task AS t ON t.id = d.task"""


@pytest.fixture
def steps(jobs: Jobs) -> Jobs:
    jobs.use(TASKS, TOP)
    return jobs


def rooms(jobs: Jobs, *tasks: str, free: int | None = None) -> dict[str, dict[str, Any]]:
    found = jobs.rows(
        f"SELECT * FROM unnest(zeke_jobs.count_rooms(({DUE}), 'default', %s, 8, zeke_jobs.now()))", list(tasks), free
    )
    return {row["gate"]: row for row in found}


def shared(jobs: Jobs, due: list[str], rooms: list[tuple[str, int]], left: int, **said: Any) -> dict[str, int]:
    """How many jobs each of these tasks gets, by their gates' room."""
    found = jobs.rows(
        f"""
        SELECT d.task, s.quota FROM (SELECT ({DUE}) AS due) AS x
        CROSS JOIN LATERAL zeke_jobs.share_out(
          x.due, ARRAY(SELECT generate_series(1, cardinality(x.due))), ARRAY(
            SELECT ROW(r.gate, r.room, r.room, false, 0, false)::zeke_jobs.room FROM unnest(%s::text[], %s::integer[]) AS r (gate, room)),
          %s, %s, %s::text[], NULL) AS o
        CROSS JOIN LATERAL unnest(o.chosen, o.quotas) AS s (i, quota)
        CROSS JOIN LATERAL (SELECT (x.due)[s.i].task) AS d""",
        due, [gate for gate, _ in rooms], [room for _, room in rooms], left, said.get("free", 8), said.get("short"),
    )  # fmt: skip
    return {row["task"]: row["quota"] for row in found}


def test_only_tasks_with_a_limit_have_gates_to_lock(steps: Jobs) -> None:
    with transaction(steps.conn):
        assert not steps.rows(f"SELECT zeke_jobs.lock_gates(({DUE})) AS limited", ["free"])[0]["limited"]
        assert steps.rows(f"SELECT zeke_jobs.lock_gates(({DUE})) AS limited", ["a", "free"])[0]["limited"]


def test_rooms_are_counted_by_gate(steps: Jobs) -> None:
    steps.add("a", 3)
    steps.claim(steps.worker(), 3)
    found = rooms(steps, "a", "b", "c")
    assert {gate: row["room"] for gate, row in found.items()} == {"limit/pool": 1, "task/b": 1, "task/c": 3}


def test_a_share_of_a_limit_is_no_more_than_the_workers_part_of_it(steps: Jobs) -> None:
    steps.worker()
    steps.worker()
    found = rooms(steps, "a", "c", free=1)
    assert (found["limit/pool"]["share"], found["limit/pool"]["room"]) == (1, 4)
    assert (found["task/c"]["share"], found["task/c"]["room"]) == (1, 3)


def test_tasks_get_equal_shares(steps: Jobs) -> None:
    assert shared(steps, ["free", "c"], [("task/c", 9)], left=8) == {"free": 4, "c": 4}


def test_what_a_limit_takes_from_one_task_is_left_for_the_next_round(steps: Jobs) -> None:
    assert shared(steps, ["free", "c"], [("task/c", 1)], left=8) == {"free": 4, "c": 1}


def test_a_shared_limit_is_divided_among_its_tasks(steps: Jobs) -> None:
    assert shared(steps, ["a", "b"], [("limit/pool", 3), ("task/b", 9)], left=8) == {"a": 2, "b": 1}


def test_a_task_whose_gate_is_full_gets_nothing(steps: Jobs) -> None:
    assert shared(steps, ["a", "free"], [("limit/pool", 0)], left=8) == {"free": 8}


def test_of_long_tasks_no_more_is_chosen_than_threads_are_free(steps: Jobs) -> None:
    assert shared(steps, ["free"], [], left=8, free=2, short=[]) == {"free": 2}
    assert shared(steps, ["free"], [], left=8, free=0, short=["free"]) == {"free": 8}


def test_picked_jobs_are_marked_in_their_order(steps: Jobs) -> None:
    ids = steps.add("free", 4)
    worker = steps.worker()
    with transaction(steps.conn):
        found = steps.rows(
            f"""
            SELECT m.message_id, m.claim FROM unnest(zeke_jobs.mark(
              (zeke_jobs.pick('default', ({DUE}), '{{1}}', '{{3}}', zeke_jobs.now())).places, %s, false, NULL)) AS m""",
            ["free"], worker,
        )  # fmt: skip
    assert [row["message_id"] for row in found] == ids[:3]
    assert {steps.row(job)["state"] for job in ids} == {"consumed", "queued"}
