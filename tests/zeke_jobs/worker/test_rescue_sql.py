"""These tests of dead workers cover what ``test_states`` leaves out: locked rows, lost responses, and one faulty row."""

from uuid import UUID

import pytest
from psycopg2.extensions import connection as Connection

from tests.zeke_jobs.worker.conftest import Jobs, jobs_of
from zeke_jobs.postgres.pool import transaction
from zeke_jobs.postgres.queries import SQL

jobs = jobs_of("  a: {handler: 'H:echo', retry: {limit: 5}}")


def rescue(jobs: Jobs, seconds: float) -> dict[str, set[UUID]]:
    jobs.later(seconds)
    outcomes: dict[str, set[UUID]] = {}
    for row in SQL.all(jobs.conn, "worker/rescue"):
        outcomes.setdefault(row["outcome"], set()).add(row["message_id"])
    return outcomes


def reasons(jobs: Jobs, worker: UUID) -> list[str]:
    """Claim jobs for a process; return the reasons why the claim left due jobs in the queue."""
    return [row["reason"] for row in jobs.look(worker, 8) if row["kind"] == "held"]


def test_one_process_runs_what_must_run_alone_while_others_have_other_jobs(jobs: Jobs) -> None:
    jobs.add("a", 2)
    jobs.rows("UPDATE zeke_jobs.queue SET deaths = 2, queue_name = 'elsewhere' WHERE seq = 1")
    assert reasons(jobs, jobs.worker()) == [], "a job of another queue empties no process"
    jobs.add("a", 6)
    jobs.rows("UPDATE zeke_jobs.queue SET deaths = 2 WHERE seq BETWEEN 3 AND 6")
    one, other = jobs.worker(), jobs.worker()

    def deaths(worker: UUID) -> list[int]:
        return [row["deaths"] for row in jobs.claim(worker, 1, is_empty=True)]

    assert [deaths(one), deaths(other)] == [[2], [0]]
    jobs.beat(one)  # The process still runs the suspects between two jobs.
    assert [deaths(other), deaths(one)] == [[0], [2]]
    assert deaths(other) == [2], "nothing else is due"
    jobs.beat(one, stopping=True)
    assert reasons(jobs, other) == ["alone"]


def test_each_task_has_a_process_that_runs_its_jobs_alone(jobs: Jobs) -> None:
    jobs.use("".join(f"  {task}: {{handler: 'H:echo'}}\n" for task in "abc"))
    for task in "aaabc":
        jobs.add(task)
    jobs.rows("UPDATE zeke_jobs.queue SET deaths = 2")
    one, other, third = (jobs.worker(tasks=tasks) for tasks in (["a"], ["b"], ["a", "c"]))
    assert [row["task"] for row in jobs.claim(one, 1, ["a"], is_empty=True)] == ["a"]
    jobs.add("b", 5)
    assert [row["deaths"] for row in jobs.claim(other, 1, ["b"], is_empty=True)] == [2]
    assert [row["task"] for row in jobs.claim(third, 1, ["a", "c"], is_empty=True)] == ["c"], "a has its process"
    assert jobs.rows("SELECT id FROM zeke_jobs.worker WHERE NOT alone") == []


@pytest.mark.parametrize("has_learned", ["by a heartbeat", "by a look", "by a look that finds all limits full"])
def test_a_process_that_need_not_empty_itself_leaves_the_next_one_to_others(jobs: Jobs, has_learned: str) -> None:
    jobs.use("  a: {handler: 'H:echo', concurrency: 2}\n  b: {handler: 'H:echo'}")
    one, other = jobs.worker(), jobs.worker()
    jobs.add("a")
    jobs.claim(one, 1)
    suspect, _ = jobs.add("a", 2)
    jobs.rows("UPDATE zeke_jobs.queue SET deaths = 2 WHERE message_id = %s", suspect)
    assert reasons(jobs, one) == ["alone"]
    if has_learned == "by a heartbeat":
        jobs.rows("DELETE FROM zeke_jobs.queue WHERE message_id = %s", suspect)
        jobs.beat(one)
    else:
        assert len(jobs.claim(other, 8, is_empty=False)) == 1
        jobs.add("a", int(has_learned != "by a look"), options='{"priority": 1}')
        assert set(reasons(jobs, one)) == {"concurrency"}
    jobs.add("b")
    jobs.rows("UPDATE zeke_jobs.queue SET deaths = 2 WHERE task = 'b'")
    assert reasons(jobs, other)[-1:] == ["alone"]


def test_an_idle_process_helps_also_while_the_other_due_jobs_may_not_start(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo'}\n  b: {handler: 'H:echo', rate: 1/h}")
    jobs.add("b", 3)
    jobs.add("a", 2)
    jobs.rows("UPDATE zeke_jobs.queue SET deaths = 2 WHERE task = 'a'")
    one, other = jobs.worker(), jobs.worker()
    assert [jobs.claim(who, 1, is_empty=True)[0]["deaths"] for who in (one, other, other)] == [2, 0, 2]


def test_one_wrong_row_does_not_stop_the_rescue_and_a_job_cancelled_with_its_task_stays_so(jobs: Jobs) -> None:
    bad, good = jobs.add("a", 2)
    jobs.claim(jobs.worker(), 2)
    check = "CHECK (message_id <> %s OR state = 'consumed') NOT VALID"
    jobs.rows(f"ALTER TABLE zeke_jobs.queue ADD CONSTRAINT broken {check}", bad)
    assert rescue(jobs, 21) == {"rescued": {good}}
    assert any(str(bad) in notice for notice in jobs.conn.notices)
    jobs.rows("ALTER TABLE zeke_jobs.queue DROP CONSTRAINT broken")
    assert rescue(jobs, 40) == {"rescued": {bad}}
    (claim,) = jobs.claim(worker := jobs.worker(), 1)
    jobs.start(worker, [claim])
    assert jobs.rows("SELECT retry_count FROM zeke_jobs.job WHERE attempt = 2") == [{"retry_count": 0}], "no retry"
    jobs.rows("SELECT zeke_jobs.cancel_all('a', 'gone', 'me')")
    jobs.rows("DELETE FROM zeke_jobs.task WHERE id = 'a'")
    assert rescue(jobs, 21) == {"cancelled": {claim["message_id"]}}


def test_a_worker_that_stops_short_of_its_commit_is_not_waited_for(jobs: Jobs, other_conn: Connection) -> None:
    free, locked = jobs.add("a", 2)
    claims = {c["message_id"]: c["claim"] for c in jobs.claim(jobs.me, 2)}
    theirs = Jobs(other_conn)
    limit = "SELECT current_setting('idle_in_transaction_session_timeout') AS it"
    with transaction(other_conn):
        assert theirs.fence(jobs.me, locked, claims[locked])
        jobs.rows("SET statement_timeout TO '10s'")
        assert rescue(jobs, 21) == {"rescued": {free}}
        assert not jobs.beat(jobs.me)["alive"], "the rescue leaves a locked job, and its process learns of it"
        assert theirs.rows(limit) == [{"it": "15s"}]
    assert rescue(jobs, 40) == {"rescued": {locked}}
    assert theirs.rows(limit) == [{"it": "0"}], "it ends with the transaction"


def test_a_process_that_beats_while_it_is_being_searched_for_is_not_lost(jobs: Jobs) -> None:
    jobs.add("a")
    jobs.claim(jobs.worker(), 1)
    # The search for dead workers now finds all workers, as if it had begun before their last heartbeats.
    finds = "RETURNS SETOF zeke_jobs.worker LANGUAGE sql AS 'SELECT * FROM zeke_jobs.worker'"
    jobs.rows(f"CREATE OR REPLACE FUNCTION zeke_jobs.lost_processes(p_now timestamptz) {finds}")
    assert rescue(jobs, 0) == {}


@pytest.mark.parametrize("comes", ["new", "thawed", "registered again"])
def test_after_an_outage_the_others_have_twenty_seconds_to_come_back(jobs: Jobs, comes: str) -> None:
    """The first process that returns after an outage cannot know whether the others ended or are about to return."""
    (job,) = jobs.add("a")
    jobs.claim(jobs.worker(), 1)
    first = jobs.worker()
    jobs.at(3600)
    if comes == "thawed":
        jobs.beat(first)
    else:
        first = jobs.worker(None if comes == "new" else first)
    assert (rescue(jobs, 1), rescue(jobs, 18)) == ({}, {})
    jobs.beat(first)
    assert rescue(jobs, 2) == {"rescued": {job}}


def test_claims_that_the_process_does_not_know_go_back_without_a_count(jobs: Jobs) -> None:
    """A process does not know a claim if the claim's response was lost, or if it knows only an earlier claim of the job."""
    known, lost, earlier = jobs.add("a", 3)
    jobs.claim(jobs.me, 3)
    said = {"worker": jobs.me, "held": [known, earlier], "claims": [1, 0], "older": 10.0}
    assert SQL.all(jobs.conn, "job/disown", **said) == [], "its answer may be under way"
    jobs.at(11)
    assert {row["message_id"] for row in SQL.all(jobs.conn, "job/disown", **said)} == {lost, earlier}
    row = jobs.row(lost)
    assert (row["state"], row["attempt"], row["deaths"], row["worker"]) == ("queued", 0, 0, None)
    assert jobs.row(known)["state"] == "consumed"
