from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.zeke_jobs.worker.conftest import NOON, Jobs
from zeke_jobs.postgres.pool import transaction
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.testing import set_clock

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

ONE = "  a: {handler: 'H:echo', retry: {limit: 5}}\n  once: {handler: 'H:echo', retry: {limit: 0}}"


@pytest.fixture
def jobs(jobs: Jobs) -> Jobs:
    jobs.use(ONE)
    set_clock(jobs.conn, NOON)
    return jobs


def rescue(jobs: Jobs, seconds: float) -> list[dict[str, Any]]:
    set_clock(jobs.conn, NOON + timedelta(seconds=seconds))
    return SQL.all(jobs.conn, "worker/rescue")


def test_a_worker_that_proves_life_keeps_its_jobs(jobs: Jobs) -> None:
    jobs.add("a")
    worker = jobs.worker()
    jobs.claim(worker, 1)
    set_clock(jobs.conn, NOON + timedelta(seconds=15))
    SQL.one(jobs.conn, "worker/heartbeat", worker=worker, busy=1, revision=1, stopping=False)
    assert rescue(jobs, 30) == []


def test_a_lost_workers_jobs_go_back_and_count_one_attempt_and_one_death(jobs: Jobs) -> None:
    (job,) = jobs.add("a")
    worker = jobs.worker()
    jobs.claim(worker, 1)
    assert [(r["message_id"], r["deaths"], r["outcome"]) for r in rescue(jobs, 21)] == [(job, 1, "rescued")]
    row = jobs.row(job)
    assert (row["state"], row["attempt"], row["deaths"], row["worker"]) == ("queued", 1, 1, None)
    assert row["attempts"][0]["error"]["type"] == "WorkerDied"
    assert rescue(jobs, 42) == []


def test_the_late_finish_of_a_rescued_job_changes_nothing(jobs: Jobs) -> None:
    (job,) = jobs.add("a")
    worker = jobs.worker()
    claims = jobs.claim(worker, 1)
    rescue(jobs, 21)
    assert jobs.complete(worker, claims) == []
    assert jobs.row(job)["state"] == "queued"


def test_a_process_that_was_taken_for_dead_is_told_so(jobs: Jobs) -> None:
    worker = jobs.worker()
    rescue(jobs, 21)
    row = SQL.one(jobs.conn, "worker/heartbeat", worker=worker, busy=0, revision=1, stopping=False)
    assert row is not None
    assert row["alive"] is False


def test_a_job_that_saw_a_death_is_claimed_only_alone(jobs: Jobs) -> None:
    (job,) = jobs.add("a")
    jobs.claim(jobs.worker(), 1)
    rescue(jobs, 21)
    worker = jobs.worker()
    assert jobs.claim(worker, 10) == []
    alone = jobs.claim_alone(worker)
    assert [c["message_id"] for c in alone] == [job]


def test_the_third_death_quarantines_with_the_reason(jobs: Jobs) -> None:
    (job,) = jobs.add("a")
    outcomes = []
    for n in range(3):
        set_clock(jobs.conn, NOON + timedelta(minutes=n))
        worker = jobs.worker()
        claimed = jobs.claim(worker, 1) or jobs.claim_alone(worker)
        assert len(claimed) == 1
        outcomes += [r["outcome"] for r in rescue(jobs, 60 * n + 21)]
    assert outcomes == ["rescued", "rescued", "quarantined"]
    row = jobs.row(job)
    assert (row["state"], row["deaths"]) == ("rejected", 3)
    assert "death 3 of this job, quarantined" in row["attempts"][-1]["error"]["message"]


def test_a_death_past_the_last_retry_fails_the_job(jobs: Jobs) -> None:
    (job,) = jobs.add("once")
    jobs.claim(jobs.worker(), 1)
    assert [r["outcome"] for r in rescue(jobs, 21)] == ["failed"]
    assert jobs.row(job)["state"] == "rejected"


def test_a_cancelled_job_of_a_lost_worker_is_cancelled(jobs: Jobs) -> None:
    (job,) = jobs.add("a")
    jobs.claim(jobs.worker(), 1)
    jobs.rows("UPDATE zeke_jobs.queue SET cancelled_on = zeke_jobs.now()")
    assert [r["outcome"] for r in rescue(jobs, 21)] == ["cancelled"]
    assert jobs.row(job)["state"] == "rejected"


def test_one_process_of_two_makes_itself_empty_for_a_suspect(jobs: Jobs) -> None:
    jobs.add("a")
    jobs.claim(jobs.worker(), 1)
    rescue(jobs, 21)
    workers = [jobs.worker(), jobs.worker()]
    said = [SQL.one(jobs.conn, "worker/heartbeat", worker=w, busy=0, revision=1, stopping=False) for w in workers]
    assert sorted(row["alone"] for row in said if row) == [False, True]
    (claim,) = jobs.claim_alone(workers[0])
    jobs.complete(workers[0], [claim])
    said = [SQL.one(jobs.conn, "worker/heartbeat", worker=w, busy=0, revision=1, stopping=False) for w in workers]
    assert [row["alone"] for row in said if row] == [False, False]


def suspect(jobs: Jobs, task: str, *, options: str = "{}", queue: str = "default") -> UUID:
    """A job that is due and saw a worker die."""
    (job,) = jobs.add(task, options=options)
    jobs.rows("UPDATE zeke_jobs.queue SET deaths = 1, attempt = 1 WHERE message_id = %s", job)
    assert jobs.row(job)["queue_name"] == queue
    return job


def claim_alone(jobs: Jobs, worker: UUID, *tasks: str, queue: str = "default") -> list[UUID]:
    return [row["message_id"] for row in jobs.claim_alone(worker, tasks=list(tasks), queue=queue)]


HELD = """
  held: {handler: 'H:echo', concurrency: 1}
  keyed: {handler: 'H:echo', concurrency: {per_key: 1}}
  paused: {handler: 'H:echo', paused: true}
  stopped: {handler: 'H:echo', uses: [pool]}
  other: {handler: 'H:echo'}
  elsewhere: {handler: 'H:echo', queue: elsewhere}"""


@pytest.mark.parametrize("task", ["held", "keyed", "paused", "stopped", "other"])
def test_a_suspect_that_may_not_start_now_empties_no_process(jobs: Jobs, task: str) -> None:
    jobs.use(HELD, "limits: {pool: {concurrency: 1}}")
    serves = ["held", "keyed", "paused", "stopped", "elsewhere"]
    for full in ("held", "keyed"):
        jobs.add(full, options='{"key": "k"}')
    assert len(jobs.claim(jobs.worker(), 9)) == 2
    jobs.rows("INSERT INTO zeke_jobs.pause (target, paused_by) VALUES ('limit/pool', 'test')")
    suspect(jobs, task, options='{"key": "k"}')
    workers = [jobs.worker(tasks=serves) for _ in range(3)]
    assert not any(jobs.beat(worker)["alone"] for worker in workers)


def test_a_process_runs_on_with_others_when_its_suspect_may_no_longer_start(jobs: Jobs) -> None:
    suspect(jobs, "a")
    worker = jobs.worker()
    assert jobs.beat(worker)["alone"]
    jobs.rows("INSERT INTO zeke_jobs.pause (target, paused_by) VALUES ('task/a', 'test')")
    assert not jobs.beat(worker)["alone"]


def test_a_process_stays_empty_until_its_suspect_has_ended(jobs: Jobs) -> None:
    suspect(jobs, "a")
    worker = jobs.worker()
    assert jobs.beat(worker)["alone"]
    (claim,) = jobs.claim_alone(worker)
    assert jobs.beat(worker)["alone"]
    jobs.complete(worker, [claim])
    assert not jobs.beat(worker)["alone"]


def test_a_suspect_waits_for_no_process_of_another_queue(jobs: Jobs) -> None:
    jobs.use(HELD, "limits: {pool: {concurrency: 1}}")
    suspect(jobs, "other")
    suspect(jobs, "elsewhere", queue="elsewhere")
    assert jobs.beat(jobs.worker())["alone"]
    assert jobs.beat(jobs.worker(queues=("elsewhere",)))["alone"]


def test_suspects_that_may_not_start_hide_none_that_may(jobs: Jobs) -> None:
    jobs.use(HELD, "limits: {pool: {concurrency: 1}}")
    jobs.add("held")
    jobs.claim(jobs.worker(), 1)
    for _ in range(20):
        suspect(jobs, "held")
    job = suspect(jobs, "other")
    worker = jobs.worker()
    assert jobs.beat(worker)["alone"]
    assert claim_alone(jobs, worker, "held", "other") == [job]


def test_the_jobs_of_a_worker_without_a_row_are_returned_too(jobs: Jobs) -> None:
    (job,) = jobs.add("a")
    worker = jobs.worker()
    jobs.claim(worker, 1)
    jobs.rows("DELETE FROM zeke_jobs.worker")
    assert rescue(jobs, 50) == []
    assert [r["message_id"] for r in rescue(jobs, 61)] == [job]


def beat(jobs: Jobs, worker: UUID) -> None:
    SQL.one(jobs.conn, "worker/heartbeat", worker=worker, busy=1, revision=1, stopping=False)


def test_after_an_outage_of_the_database_nobody_is_lost_who_comes_back_in_time(jobs: Jobs) -> None:
    (job,) = jobs.add("a")
    quick, slow = jobs.worker(), jobs.worker()
    jobs.claim(slow, 1)
    set_clock(jobs.conn, NOON + timedelta(minutes=2))
    beat(jobs, quick)
    assert rescue(jobs, 121) == [], "the database was away for all; the slow one comes in a moment"
    for second in range(125, 145, 5):
        set_clock(jobs.conn, NOON + timedelta(seconds=second))
        beat(jobs, quick)
    assert [r["message_id"] for r in rescue(jobs, 144)] == [job], "by now it could have come"


def test_a_rescue_leaves_a_job_whose_row_is_locked_and_takes_it_later(jobs: Jobs, other_conn: Connection) -> None:
    free, locked = jobs.add("a", 2)
    worker = jobs.worker()
    claims = {c["message_id"]: c["claim"] for c in jobs.claim(worker, 2)}
    with transaction(other_conn):
        assert Jobs(other_conn).hold(worker, locked, claims[locked])
        jobs.rows("SET statement_timeout TO '10s'")
        assert [r["message_id"] for r in rescue(jobs, 21)] == [free]
    assert [r["message_id"] for r in rescue(jobs, 61)] == [locked]


def test_a_worker_that_stops_short_of_its_commit_is_not_waited_for(jobs: Jobs, other_conn: Connection) -> None:
    (job,) = jobs.add("a")
    worker = jobs.worker()
    (claim,) = jobs.claim(worker, 1)
    with transaction(other_conn), other_conn.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("0",)
        Jobs(other_conn).hold(worker, job, claim["claim"])
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("15s",)
    with other_conn.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("0",), "it ends with the transaction"


def test_a_claim_whose_answer_was_lost_goes_back_without_a_count(jobs: Jobs) -> None:
    known, lost = jobs.add("a", 2)
    worker = jobs.worker()
    jobs.claim(worker, 2)
    said = {"worker": worker, "held": [known], "claims": [1], "older": 10.0}
    assert SQL.all(jobs.conn, "job/disown", **said) == [], "its answer may be under way"
    set_clock(jobs.conn, NOON + timedelta(seconds=11))
    assert [row["message_id"] for row in SQL.all(jobs.conn, "job/disown", **said)] == [lost]
    row = jobs.row(lost)
    assert (row["state"], row["attempt"], row["deaths"], row["worker"]) == ("queued", 0, 0, None)
    assert jobs.row(known)["state"] == "consumed"


def died_with(jobs: Jobs, held: list[UUID]) -> dict[str, set[UUID]]:
    """The outcomes of jobs whose worker dies."""
    now = jobs.rows("SELECT zeke_jobs.now() AS now")[0]["now"]
    set_clock(jobs.conn, now + timedelta(seconds=21))
    outcomes: dict[str, set[UUID]] = {}
    for row in SQL.all(jobs.conn, "worker/rescue"):
        assert row["message_id"] in held
        outcomes.setdefault(row["outcome"], set()).add(row["message_id"])
    return outcomes


def ids(claims: list[dict[str, Any]]) -> list[UUID]:
    return [claim["message_id"] for claim in claims]


def test_a_job_that_may_start_only_once_never_starts_again(jobs: Jobs) -> None:
    (once,), others = jobs.add("once"), jobs.add("a", 7)
    assert len(jobs.claim(jobs.worker(), 8)) == 8
    assert died_with(jobs, [once, *others]) == {"failed": {once}, "rescued": set(others)}


def test_a_death_that_several_may_have_caused_uses_up_nobodys_retry(jobs: Jobs) -> None:
    held = jobs.add("a", 2)
    jobs.claim(jobs.worker(), 2)
    assert died_with(jobs, held) == {"rescued": set(held)}
    assert [(row["attempt"], row["attempt_base"], row["deaths"]) for row in map(jobs.row, held)] == [(1, 1, 1)] * 2


def test_a_death_among_several_suspects_halves_them_and_counts_for_none(jobs: Jobs) -> None:
    held = jobs.add("a", 8)
    jobs.claim(jobs.worker(), 8)
    died_with(jobs, held)
    for size in (4, 2):
        group = ids(jobs.claim_alone(jobs.worker()))
        assert len(group) == size
        assert died_with(jobs, group) == {"rescued": set(group)}
        rows = [jobs.row(job) for job in group]
        assert {(row["deaths"], row["group_size"]) for row in rows} == {(1, size // 2)}
        assert {row["attempt"] - row["attempt_base"] for row in rows} == {0}, "it uses up no retry"
        assert "counts for none of them" in rows[0]["attempts"][-1]["error"]["message"]
        jobs.rows("UPDATE zeke_jobs.queue SET run_at = run_at - interval '1 minute' WHERE message_id = ANY (%s)", group)
    (alone,) = ids(jobs.claim_alone(jobs.worker()))
    died_with(jobs, [alone])
    row = jobs.row(alone)
    assert (row["deaths"], row["attempt"], row["attempt_base"]) == (2, 4, 3)


@pytest.mark.parametrize("place", [0, 40, 99])
def test_the_killer_among_many_is_found_by_halves_and_nobody_else_is_quarantined(jobs: Jobs, place: int) -> None:
    jobs.use("  a: {handler: 'H:echo', retry: {limit: 1}}")
    many = jobs.add("a", 100)
    killer = many[place]
    worker = jobs.worker()
    claims = jobs.claim(worker, 100)
    deaths = 0
    while claims:
        if killer in ids(claims):
            deaths += 1
            died_with(jobs, ids(claims))
        else:
            assert sorted(jobs.complete(worker, claims)) == sorted(ids(claims))
        worker = jobs.worker()
        claims = jobs.claim_alone(worker, 64)
    rows = {row["message_id"]: row for row in jobs.rows("SELECT message_id, state, deaths FROM zeke_jobs.queue")}
    assert deaths <= 1 + 6 + 2, "with the others, by halves of 100, and twice alone"
    assert rows.pop(killer)["state"] == "rejected"
    assert {(row["state"], row["deaths"]) for row in rows.values()} == {("done", 1)}


def test_a_suspect_that_runs_to_an_end_is_none_any_more_unless_it_died_alone(jobs: Jobs) -> None:
    doubtful, bad = (suspect(jobs, "a") for _ in range(2))
    jobs.rows("UPDATE zeke_jobs.queue SET deaths = 2 WHERE message_id = %s", bad)
    worker = jobs.worker()
    for _ in range(2):
        (claim,) = jobs.claim_alone(worker)
        jobs.finish(worker, claim, "retry")
    assert ids(jobs.claim(worker, 9)) == [doubtful]
    assert jobs.row(bad)["deaths"] == 2


def test_a_group_takes_no_more_than_its_process_has_threads_for_and_its_limits_let_through(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo'}\n  held: {handler: 'H:echo', concurrency: 2}")
    suspects = [suspect(jobs, task) for task in ("held", "held", "held", "a", "a", "a")]
    jobs.rows("UPDATE zeke_jobs.queue SET group_size = 6")
    claims = jobs.claim_alone(jobs.worker(), 4)
    assert ids(claims) == [suspects[0], suspects[1], suspects[3], suspects[4]]


def test_as_many_processes_make_themselves_empty_as_there_are_groups(jobs: Jobs) -> None:
    for _ in range(6):
        suspect(jobs, "a")
    jobs.rows("UPDATE zeke_jobs.queue SET group_size = 3")
    workers = [jobs.worker() for _ in range(6)]
    assert [jobs.beat(worker)["alone"] for worker in workers] == [True, True, False, False, False, False]
