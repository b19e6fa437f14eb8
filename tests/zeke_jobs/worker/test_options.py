"""The options of a send override those of its task. With debounce and replace, a later send changes a queued job."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.each import each
from tests.zeke_jobs.worker.conftest import NOON, Jobs, Running, at_once, ended, jobs_of
from zeke_jobs.errors import JobFailed
from zeke_jobs.postgres.pool import transaction
from zeke_jobs.worker.life import chores

TASKS = """
  plain: {handler: 'H:echo', unique: [story_id]}
  replace: {handler: 'H:echo', priority: 1, unique: {fields: [story_id], on_duplicate: replace}}
  postpone: {handler: 'H:echo', unique: {fields: [story_id], on_duplicate: postpone, at_most: 5m}}
  a: {handler: 'H:echo', retry: {limit: 2}, timeout: 5m, keep: {completed: 1d}}
  bounded: {handler: 'H:echo', per_send: {retry: 5, timeout: 10s, keep: 2d}}
  fail: {handler: 'H:fail', retry: {limit: 0}}
  wait-long: {handler: 'H:wait_async', retry: {limit: 0}}
"""


jobs = jobs_of(TASKS)


def send(task: str, n: int, story: str = "s", **options: Any) -> zeke_jobs.Sent:
    return zeke_jobs.send(task, {"n": n, "story_id": story}, **options)


def due(job: UUID) -> float:
    return (zeke_jobs.status(job).run_at - NOON).total_seconds()


def test_a_later_send_replaces_what_it_names_until_the_job_is_claimed_and_during_a_wait_for_a_retry(jobs: Jobs) -> None:
    first = send("replace", 1, delay=600, priority=7, retry=5, key="k")
    jobs.at(10)
    send("replace", 2, delay=60, timeout=30)
    row = jobs.row(first.id)
    assert due(first.id) == 70
    assert (row["priority"], row["key"]) == (7, "k")
    assert row["message"]["options"] == {"timeout": 30}
    assert (row["message"]["message_id"], row["message"]["actor_name"]) == (str(first.id), "replace")
    jobs.rows("INSERT INTO zeke_jobs.step (job, name, result) VALUES (%s, 'one', '1')", first.id)
    jobs.at(70)
    jobs.end("retry", delay=60.0)
    assert send("replace", 3).status == "retry"
    assert due(first.id) == 130
    assert jobs.rows("SELECT * FROM zeke_jobs.step") == []
    jobs.at(130)
    assert len(jobs.claim(jobs.me, 1)) == 1
    assert send("replace", 4).id != first.id
    assert zeke_jobs.status(first.id).data["n"] == 3


def test_a_postponed_job_moves_with_each_send_and_not_beyond_its_bound(jobs: Jobs) -> None:
    first = send("postpone", 0, delay=120)
    for passed, expected in ((60, 180), (150, 270), (240, 300), (299, 300)):
        jobs.at(passed)
        assert send("postpone", passed, delay=120).id == first.id
        assert due(first.id) == expected
    jobs.at(301)
    send("postpone", 1)  # A send for an earlier time does not move the job.
    assert due(first.id) == 300
    assert zeke_jobs.status(first.id).data["n"] == 1


def test_many_and_sql_replace_too_a_replaced_job_stays_in_its_batch_and_a_rollback_undoes_it(
    jobs: Jobs, other_conn: Connection
) -> None:
    first = send("replace", 1, "a")
    said = [{"n": n, "story_id": story} for n, story in ((2, "a"), (3, "b"), (4, "b"))]
    sent = zeke_jobs.send_many("replace", said)
    assert [one.replaced for one in sent] == [True, False, True]
    assert [zeke_jobs.status(one.id).data["n"] for one in (first, sent[1])] == [2, 4]
    assert jobs.add("replace", payload='{"n": 5, "story_id": "a"}') == [first.id]
    assert zeke_jobs.status(first.id).data["n"] == 5
    (batched,) = zeke_jobs.send_many("replace", [{"n": 1}], batch="b", then=("plain", {}))
    zeke_jobs.send("replace", {"n": 2})
    row = jobs.row(batched.id)
    assert (row["batch"], row["message"]["options"]) == ("b", {"batch": "b"})
    first = send("replace", 1, "c")
    with pytest.raises(ValueError, match="no"), transaction(other_conn):
        assert send("replace", 2, "c", connection=other_conn).replaced
        # Claims skip the job until the transaction with the new payload ends.
        assert first.id not in [claim["message_id"] for claim in jobs.claim(jobs.worker(), 9)]
        raise ValueError("no")
    assert zeke_jobs.status(first.id).data["n"] == 1


def test_of_many_senders_and_claims_at_once_no_edit_is_lost(jobs: Jobs, database: str) -> None:
    done: list[int] = []

    def work(own: Jobs, number: int) -> list[int]:
        """In thread 0, claim and complete jobs; in all other threads, send jobs."""
        for n in range(25 if number else 0):
            zeke_jobs.send("replace", {"n": number * 100 + n, "story_id": "s"}, connection=own.conn)
        done.append(number)
        runs, claims = list[int](), list[Any]()
        while not number and (claims or len(done) < 5 or (claims := own.claim(own.me, 1))):
            runs += [zeke_jobs.status(one["message_id"], connection=own.conn).data["n"] for one in claims]
            own.complete(own.me, claims)
            claims = own.claim(own.me, 1)
        return runs

    # The last send of all is the 25th of its thread (n = 24), and the last job must have its payload.
    assert at_once(database, 5, work)[0][-1] % 100 == 24


def test_a_send_grants_retries_names_their_delay_and_shortens_the_timeout(running: Running) -> None:
    with running(TASKS):
        job = ended(zeke_jobs.send("fail", retry={"limit": 2, "delay": 0.001}).id)
        with pytest.raises(JobFailed, match=r"it ran longer than its timeout of 0\.05 s"):
            zeke_jobs.wait(zeke_jobs.send("wait-long", timeout=timedelta(milliseconds=50)).id, 20)
    assert [one["outcome"] for one in job.attempts] == ["retry", "retry", "failed"]


def test_a_send_keeps_its_job_for_longer_or_shorter_however_it_ends(jobs: Jobs) -> None:
    long, short, usual, failed = (zeke_jobs.send("a", keep=keep).id for keep in (timedelta(days=3), 60, None, 60))
    claims = {claim["message_id"]: claim for claim in jobs.claim(jobs.me, 4)}
    jobs.finish(jobs.me, claims.pop(failed), "failed")
    jobs.complete(jobs.me, [*claims.values()])
    for days, left in ((61 / 86_400, {long, usual}), (2, {long}), (3.1, set())):
        jobs.at(days * 86_400)
        chores.purge(jobs.conn)
        assert {row["message_id"] for row in jobs.rows("SELECT message_id FROM zeke_jobs.queue")} == left
    states = {row["id"]: row["state"] for row in jobs.rows("SELECT id, state::text FROM zeke_jobs.history")}
    assert (states[failed], states[short]) == ("failed", "completed")


@each("option", [{"retry": 6}, {"retry": {"limit": 6}}, {"timeout": 11}, {"keep": timedelta(days=3)}])
def test_a_task_bounds_what_its_sends_may_ask(jobs: Jobs, option: Any) -> None:
    for send in (lambda: zeke_jobs.send("bounded", **option), lambda: zeke_jobs.send_many("bounded", [{}], **option)):
        with pytest.raises(ValueError, match="per_send of bounded"):
            send()
    zeke_jobs.send("bounded", retry=5, timeout=10, keep=timedelta(days=2), unique_key="the only one")
    with pytest.raises(psycopg2.errors.InvalidParameterValue, match="per_send of bounded"):
        jobs.add("bounded", options='{"retry": 6}')
    assert len(jobs.rows("SELECT 1 FROM zeke_jobs.queue")) == 1
