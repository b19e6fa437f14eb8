"""A task with jobs is removed with --cancel, --drain or --rename. A renamed task keeps its limits and pauses."""

from collections.abc import Callable
from contextlib import closing
from uuid import UUID

import pytest
from psycopg2.extensions import connection as Connection
from structlog.testing import capture_logs

import zeke_jobs
from tests.each import each
from tests.fleet import query, scalar
from tests.zeke_jobs.postgres.members import as_member, sign_up
from tests.zeke_jobs.revisions.conftest import BASE, TOP, apply, latest, load, planned
from tests.zeke_jobs.worker.conftest import Jobs, load as load_echo
from zeke_jobs.config import Config
from zeke_jobs.control import actions
from zeke_jobs.diagnosis.why import why
from zeke_jobs.postgres import roles
from zeke_jobs.postgres.pool import connect, transaction
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions import applying, store
from zeke_jobs.revisions.proposal import Orders
from zeke_jobs.worker.life import chores

WITHOUT = "\n".join(line for line in BASE.splitlines() if "analyze" not in line) + "\n"
CANCEL = Orders(cancel=frozenset({"analyze"}))
DRAIN = Orders(drain=frozenset({"analyze"}))
RENAME = Orders(rename={"analyze": "analyse"})
WORKER = UUID(int=7)
FEW = "limits: {few: {concurrency: 1}}"
LIMITS = [("", "concurrency: 1"), ("", "concurrency: {per_key: 1}"), ("", "rate: 1/h"), (FEW, "uses: [few]")]
KEYED = '{"key": "a"}'
CRON = "  {name}: {{handler: 'H:echo', aliases: [{aliases}], cron: '* * * * *'}}"
OTHER = "  other: {handler: 'H:echo'}"


def cancelled(conn: Connection) -> int:
    return int(scalar(conn, "SELECT count(*) FROM zeke_jobs.queue WHERE cancelled_on IS NOT NULL"))


def test_removing_a_task_with_unfinished_jobs_is_refused_and_cancel_ends_them(base: Config, conn: Connection) -> None:
    with pytest.raises(zeke_jobs.errors.StrandedJobs, match=r"analyze: 3 queued and 1 active(?s:.*)--drain analyze"):
        apply(conn, load(WITHOUT))
    with pytest.raises(zeke_jobs.errors.StrandedJobs):
        applying.sync(conn, load(WITHOUT))
    assert store.latest_number(conn) == 1
    assert zeke_jobs.send("analyze").status == "created"
    assert apply(conn, load(WITHOUT), orders=CANCEL).is_new
    ended = "SELECT state::text, count(*), min(extra ->> 'cancel_reason') FROM zeke_jobs.queue WHERE cancelled_on IS NOT NULL GROUP BY 1 ORDER BY 1"
    why = "its task was removed from jobs.yaml"
    assert query(conn, ended) == [("consumed", 1, why), ("rejected", 4, why)]
    with pytest.raises(zeke_jobs.errors.UnknownTask):
        zeke_jobs.send("analyze")
    assert not planned(conn, load(WITHOUT), orders=CANCEL).is_pending
    assert not apply(conn, load(WITHOUT), orders=CANCEL).is_new


def test_a_job_committed_after_its_task_is_cancelled(base: Config, conn: Connection, other_conn: Connection) -> None:
    with transaction(other_conn):
        stray = zeke_jobs.send("score", {"n": 1}, connection=other_conn)
        apply(conn, load(BASE.replace("  score:", "  other:")))
    said = "no task in force is called score, so a worker cancels it within a minute"
    assert why(conn, stray.id).reasons[0].sentence == said
    assert query(conn, "SELECT zeke_jobs.chores(true)") == [(["gather"],)]
    with capture_logs() as lines:
        chores.do(conn, {"gather"})
    assert [line["event"] for line in lines] == ["jobs cancelled: no task in force has their name"]
    job = zeke_jobs.status(stray.id)
    assert (job.status, job.cancel_reason) == ("cancelled", "its task was removed from jobs.yaml")
    assert "its task was removed from jobs.yaml" in why(conn, stray.id).reasons[0].sentence
    audit = query(conn, "SELECT target, said_by, jobs FROM zeke_jobs.audit WHERE action = 'cancel'")
    assert audit == [("task/score", "zeke-jobs", [stray.id])]
    # When the task is in jobs.yaml again, its cancelled job can be retried.
    apply(conn, base)
    zeke_jobs.retry(stray.id)
    assert query(conn, "SELECT zeke_jobs.chores(true)") == [([],)]
    assert zeke_jobs.status(stray.id).status == "created"


@pytest.mark.parametrize("drains", [False, True], ids=["", "after a drain"])
def test_rename_moves_jobs_and_senders_keep_the_old_name(base: Config, conn: Connection, *, drains: bool) -> None:
    if drains:
        apply(conn, load(WITHOUT), orders=DRAIN)
    new = WITHOUT + "  analyse: {handler: 'H:work', queue: slow}\n"
    query(conn, "UPDATE zeke_jobs.queue SET priority = 9 WHERE state = 'queued'")
    done = apply(conn, load(new), orders=RENAME)
    moved = "SELECT DISTINCT task, queue_name, priority, message ->> 'actor_name' FROM zeke_jobs.queue"
    assert query(conn, f"{moved} WHERE state = 'queued'") == [("analyse", "slow", 9, "analyse")]
    assert zeke_jobs.send("analyze").task_id == "analyse"
    assert [one.label for one in done.proposal.plan.overrides] == ["analyse.aliases"]


def test_a_unique_job_stays_the_one_under_its_tasks_new_name(base: Config, conn: Connection) -> None:
    first = zeke_jobs.send("analyze", {"n": 1}, unique=True)
    assert zeke_jobs.send("analyze", {"n": 1}, unique=True).id == first.id
    apply(conn, load(WITHOUT + "  analyse: {handler: 'H:work'}\n"), orders=RENAME)
    assert zeke_jobs.send("analyse", {"n": 1}, unique=True).id == first.id
    query(conn, "UPDATE zeke_jobs.queue SET state = 'consumed' WHERE message_id = %s", str(first.id))
    second = zeke_jobs.send("analyse", {"n": 1}, unique=True)
    assert not second.duplicate
    assert zeke_jobs.send("analyze", {"n": 1}, unique=True).id == second.id


def test_a_job_sent_under_the_old_name_while_the_name_changed_follows_later(base: Config, conn: Connection) -> None:
    apply(conn, load(BASE.replace("  analyze: {", "  analyse: {aliases: [analyze], ")))
    query(conn, "UPDATE zeke_jobs.queue SET state = 'queued', deaths = 1 WHERE state = 'consumed'")
    assert query(conn, "SELECT was, task, jobs FROM zeke_jobs.gather(100)") == [("analyze", "analyse", 1)]
    assert query(conn, "SELECT count(*) FROM zeke_jobs.gather(100)") == [(0,)]


def test_drain_keeps_the_task_until_its_jobs_have_ended_and_takes_no_new_ones(base: Config, conn: Connection) -> None:
    assert "analyze" in apply(conn, load(WITHOUT), orders=DRAIN).proposal.config.tasks
    with pytest.raises(zeke_jobs.errors.QueueFull):
        zeke_jobs.send("analyze", {"n": 9})
    assert applying.revert_due(conn) is None
    query(conn, "UPDATE zeke_jobs.queue SET state = 'done', completed_on = zeke_jobs.now()")
    reverted = applying.revert_due(conn)
    assert reverted is not None
    assert list(reverted.proposal.config.tasks) == ["pull", "score"]
    assert store.find(conn, 3).message == "analyze has drained"
    assert applying.revert_due(conn) is None


@each(
    "orders said",
    (Orders(drain=frozenset({"pull"})), "expected"),
    (Orders(cancel=frozenset({"unheard-of"})), "expected"),
    (Orders(rename={"analyze": "unheard-of"}), "expected"),
    (Orders(drain=frozenset({"analyze"}), cancel=frozenset({"analyze"})), "one order for analyze, got --drain and --cancel"),
    (Orders(cancel=frozenset({"analyze"}), rename={"analyze": "score"}), "one order for analyze, got --cancel and --rename"),
    (DRAIN, r"expected limits\.ai to stay in the file while analyze"),
)  # fmt: skip
def test_an_order_that_makes_no_sense_is_refused(base: Config, conn: Connection, orders: Orders, said: str) -> None:
    with pytest.raises(zeke_jobs.errors.ConfigurationError, match=said):
        apply(conn, load(WITHOUT, top="timezone: UTC" if orders is DRAIN else TOP), orders=orders)
    assert store.latest_number(conn) == 1
    assert cancelled(conn) == 0


def test_jobs_of_a_task_that_is_gone_are_cancelled_although_nothing_else_changes(conn: Connection) -> None:
    applying.sync(conn, load(WITHOUT))
    message = "jsonb_build_object('actor_name', 'analyze', 'queue_name', 'default')"
    row = f"gen_random_uuid(), 'default', 'queued', {message}, 'analyze', 1"
    query(conn, f"INSERT INTO zeke_jobs.queue (message_id, queue_name, state, message, task, revision) SELECT {row}")
    plan = planned(conn, load(WITHOUT), orders=CANCEL)
    assert plan.is_pending
    assert [(one.why, one.name, one.queued) for one in plan.touched] == [("cancelled", "analyze", 1)]
    assert apply(conn, load(WITHOUT), orders=CANCEL).is_new
    assert cancelled(conn) == 1


def test_a_task_that_drains_goes_on_draining_until_it_is_cancelled_after_all(base: Config, conn: Connection) -> None:
    apply(conn, load(WITHOUT), orders=DRAIN)
    assert "analyze" in apply(conn, load(WITHOUT + "  # more\n")).proposal.config.tasks
    assert store.draining(latest(conn).overrides) == {"analyze"}
    done = apply(conn, load(WITHOUT), orders=CANCEL).proposal
    assert ("analyze" in done.config.tasks, cancelled(conn), done.plan.overrides) == (False, 4, ())


@pytest.fixture
def jobs(conn: Connection) -> Jobs:
    jobs = Jobs(conn)
    jobs.worker(WORKER)
    return jobs


def renamed(jobs: Jobs, stanza: str = "concurrency: 1", top: str = "") -> UUID:
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


def test_an_end_under_the_old_name_wakes_who_waits_for_the_limit(jobs: Jobs, woken: Callable[[], list[str]]) -> None:
    job = renamed(jobs)
    jobs.add("new")
    waiting = jobs.worker()
    SQL.run(jobs.conn, "worker/waits", worker=waiting, idle=["default"], limited=["task/new"])
    woken()
    jobs.complete(WORKER, [jobs.row(job)])
    assert [payload.split() for payload in woken()] == [[str(waiting), "default"]]


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


def test_a_rescue_and_the_overlap_of_schedules_see_the_run_under_the_old_name(jobs: Jobs) -> None:
    job = renamed(jobs, "retry: {limit: 3}, cron: '* * * * *'")
    tick = {"task": "old", "scheduled_for": "2026-03-10T12:00Z", "outcome": "sent", "reason": "", "origin": "schedule"}
    SQL.run(jobs.conn, "schedule/record", job=job, **tick)
    schedule = SQL.one(jobs.conn, "schedule/in_force", schedule="new")
    assert schedule is not None
    found = SQL.one(jobs.conn, "schedule/unfinished", names=schedule["names"])
    assert found is not None
    assert (found["job"], found["status"]) == (job, "active")
    jobs.rows("UPDATE zeke_jobs.worker SET heartbeat_on = heartbeat_on - interval '1 hour'")
    (rescued,) = SQL.all(jobs.conn, "worker/rescue")
    assert (rescued["message_id"], rescued["outcome"]) == (job, "rescued")


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
        applying.sync(worker, load_echo("  newest: {handler: 'H:echo', aliases: [new]}"))
    assert [one.target for one in actions.paused(jobs.conn)] == ["task/newest"]


def test_what_runs_under_a_tasks_former_name_holds_up_its_drain(jobs: Jobs) -> None:
    job = renamed(jobs)
    with pytest.raises(zeke_jobs.errors.StrandedJobs, match="new: 0 queued and 1 active"):
        jobs.use(OTHER)
    apply(jobs.conn, load_echo(OTHER), orders=Orders(drain=frozenset({"new"})))
    assert applying.revert_due(jobs.conn) is None
    jobs.finish(WORKER, jobs.row(job), "retry", delay=60.0)
    assert applying.revert_due(jobs.conn) is None
    jobs.rows("SELECT zeke_jobs.gather(9)")
    assert applying.revert_due(jobs.conn) is None
    jobs.rows("DELETE FROM zeke_jobs.queue")
    assert applying.revert_due(jobs.conn) is not None


def test_cancel_stops_what_runs_under_the_former_name(jobs: Jobs) -> None:
    job = renamed(jobs)
    apply(jobs.conn, load_echo(OTHER), orders=Orders(cancel=frozenset({"new"})))
    assert jobs.row(job)["cancelled_on"] is not None
