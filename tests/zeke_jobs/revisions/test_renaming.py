"""A task keeps its limits, schedule and pauses under a new name, while jobs still run under the old name."""

import select
from contextlib import closing
from uuid import UUID

import pytest
from psycopg2.extensions import connection as Connection

from tests.fleet import query
from tests.zeke_jobs.postgres.members import as_member, sign_up
from tests.zeke_jobs.revisions.world import apply
from tests.zeke_jobs.worker.conftest import Jobs, load
from zeke_jobs.control import actions
from zeke_jobs.errors import StrandedJobs
from zeke_jobs.postgres import roles
from zeke_jobs.postgres.pool import connect
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions import applying
from zeke_jobs.revisions.proposal import Orders

WORKER = UUID(int=7)
FEW = "limits: {few: {concurrency: 1}}"
LIMITS = [("", "concurrency: 1"), ("", "concurrency: {per_key: 1}"), ("", "rate: 1/h"), (FEW, "uses: [few]")]
KEYED = '{"key": "a"}'


@pytest.fixture
def jobs(conn: Connection) -> Jobs:
    jobs = Jobs(conn)
    jobs.worker(WORKER)
    return jobs


def renamed(jobs: Jobs, stanza: str = "concurrency: 1", top: str = "") -> UUID:
    """Claim a job, and then rename its task."""
    jobs.use(f"  old: {{handler: 'H:echo', {stanza}}}", top)
    (job,) = jobs.add("old", options=KEYED)
    assert len(jobs.claim(WORKER, 1)) == 1
    jobs.use(f"  new: {{handler: 'H:echo', aliases: [old], {stanza}}}", top)
    return job


@pytest.mark.parametrize(("top", "stanza"), LIMITS)
def test_a_limit_counts_what_still_runs_under_the_old_name(jobs: Jobs, top: str, stanza: str) -> None:
    job = renamed(jobs, stanza, top)
    (first, _) = jobs.add("new", 2, options=KEYED)
    assert jobs.claim(WORKER, 5) == []
    jobs.rows("UPDATE zeke_jobs.queue SET deaths = 2, attempt = 2 WHERE message_id = %s", first)
    assert jobs.claim(jobs.worker(), 8, ["new"]) == [], "nor does one that must run alone"
    if "rate" not in stanza:
        jobs.complete(WORKER, [jobs.row(job)])
        assert [one["message_id"] for one in jobs.claim(jobs.worker(), 5)] == [first]


def test_an_end_under_the_old_name_wakes_who_waits_for_the_limit(jobs: Jobs, other_conn: Connection) -> None:
    job = renamed(jobs)
    jobs.add("new")
    waiting = jobs.worker()
    SQL.run(jobs.conn, "worker/waits", worker=waiting, idle=["default"], limited=["task/new"])
    query(other_conn, 'LISTEN "zeke_jobs.wake"')
    jobs.complete(WORKER, [jobs.row(job)])
    select.select([other_conn], [], [], 2)
    other_conn.poll()
    assert [notify.payload.split() for notify in other_conn.notifies] == [[str(waiting), "default"]]


def test_what_is_shown_of_limits_and_tasks_has_the_old_name_in_it(jobs: Jobs) -> None:
    top = "limits: {few: {concurrency: 3}}"
    stanza = "uses: [few], concurrency: {limit: 2, per_key: 1}"
    job = renamed(jobs, stanza, top)
    used = "SELECT name, active FROM zeke_jobs.limit_use ORDER BY name"
    assert jobs.rows(used) == [{"name": "limit/few", "active": 1}, {"name": "task/new", "active": 1}]
    assert [row["active"] for row in SQL.all(jobs.conn, "limits/counts")] == [1]
    assert [row["active"] for row in SQL.all(jobs.conn, "top/tasks", most=9, sample=9)] == [1]
    assert jobs.rows("SELECT active FROM zeke_jobs.task_depth") == [{"active": 1}]
    jobs.use(f"  new: {{handler: 'H:echo', aliases: [old], {stanza}}}".replace("limit: 2", "limit: 1"), top)
    (row,) = SQL.all(jobs.conn, "why/limits", limits=["limit/few", "task/new"], most=5)
    assert (row["name"], [UUID(one["id"]) for one in row["holders"]]) == ("task/new", [job])
    assert [row["id"] for row in SQL.all(jobs.conn, "why/key", id=job)] == [job]


def test_a_job_whose_worker_died_is_rescued_by_the_retries_of_the_new_name(jobs: Jobs) -> None:
    job = renamed(jobs, "retry: {limit: 3}")
    jobs.rows("UPDATE zeke_jobs.worker SET heartbeat_on = heartbeat_on - interval '1 hour'")
    (rescued,) = SQL.all(jobs.conn, "worker/rescue")
    assert (rescued["message_id"], rescued["outcome"]) == (job, "rescued")


def test_overlap_sees_the_run_under_the_old_name(jobs: Jobs) -> None:
    job = renamed(jobs, "cron: '* * * * *'")
    tick = {"task": "old", "scheduled_for": "2026-03-10T12:00Z", "outcome": "sent", "reason": "", "origin": "schedule"}
    SQL.run(jobs.conn, "schedule/record", job=job, **tick)
    schedule = SQL.one(jobs.conn, "schedule/in_force", schedule="new")
    assert schedule is not None
    found = SQL.one(jobs.conn, "schedule/unfinished", names=schedule["names"])
    assert found is not None
    assert (found["job"], found["status"]) == (job, "active")


CRON = "  {name}: {{handler: 'H:echo', aliases: [{aliases}], cron: '* * * * *'}}"


@pytest.mark.parametrize("target", ["task/old", "schedule/old"])
def test_what_was_paused_under_the_old_name_stays_so(jobs: Jobs, target: str) -> None:
    jobs.use(CRON.format(name="old", aliases=""))
    actions.pause(jobs.conn, target, by="ann@desk", reason="the model is down")
    before = actions.paused(jobs.conn)[0]
    jobs.use(CRON.format(name="new", aliases="old"))
    (one,) = actions.paused(jobs.conn)
    assert one.target == target.replace("old", "new")
    assert (one.paused_by, one.paused_on, one.reason) == (before.paused_by, before.paused_on, before.reason)
    jobs.add("new")
    assert len(jobs.claim(WORKER, 1)) == (0 if target == "task/old" else 1)
    assert actions.resume(jobs.conn, target)


def test_of_two_pauses_the_first_stands_and_a_worker_that_boots_takes_it_along(jobs: Jobs, database: str) -> None:
    jobs.use("  old: {handler: 'H:echo'}\n  new: {handler: 'H:echo'}\n  older: {handler: 'H:echo'}")
    for name in ("older", "old", "new"):
        actions.pause(jobs.conn, f"task/{name}", by=name)
    jobs.use("  new: {handler: 'H:echo', aliases: [old, older]}")
    assert [(one.target, one.paused_by) for one in actions.paused(jobs.conn)] == [("task/new", "older")]
    sign_up(jobs.conn)
    with closing(connect(as_member(database, roles.WORKER))) as worker:
        applying.sync(worker, load("  newest: {handler: 'H:echo', aliases: [new]}"))
    assert [one.target for one in actions.paused(jobs.conn)] == ["task/newest"]


WITHOUT = "  other: {handler: 'H:echo'}"


def test_a_task_drains_until_what_runs_under_its_former_name_has_ended(jobs: Jobs) -> None:
    job = renamed(jobs)
    with pytest.raises(StrandedJobs, match="new: 0 queued and 1 active"):
        jobs.use(WITHOUT)
    apply(jobs.conn, load(WITHOUT), orders=Orders(drain=frozenset({"new"})))
    assert applying.revert_due(jobs.conn) is None
    jobs.finish(WORKER, jobs.row(job), "retry", delay=60.0)
    assert applying.revert_due(jobs.conn) is None
    jobs.rows("SELECT zeke_jobs.gather(9)")
    assert applying.revert_due(jobs.conn) is None
    jobs.rows("DELETE FROM zeke_jobs.queue")
    assert applying.revert_due(jobs.conn) is not None


def test_cancel_stops_what_runs_under_the_former_name(jobs: Jobs) -> None:
    job = renamed(jobs)
    apply(jobs.conn, load(WITHOUT), orders=Orders(cancel=frozenset({"new"})))
    assert jobs.row(job)["cancelled_on"] is not None
