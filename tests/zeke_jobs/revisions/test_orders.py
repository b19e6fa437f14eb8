"""If a task leaves the file, its jobs cause a refusal, or an order decides about the jobs and is carried out once."""

import pytest
from psycopg2.extensions import connection as Connection
from structlog.testing import capture_logs

import zeke_jobs
from tests.each import each
from tests.fleet import query, scalar
from tests.zeke_jobs.revisions.world import BASE, TOP, apply, latest, load, planned
from zeke_jobs.config import Config
from zeke_jobs.diagnosis.why import why
from zeke_jobs.errors import ConfigurationError, QueueFull, StrandedJobs, UnknownTask
from zeke_jobs.postgres.pool import transaction
from zeke_jobs.revisions import applying, store
from zeke_jobs.revisions.proposal import Orders
from zeke_jobs.worker.life import chores

WITHOUT = "\n".join(line for line in BASE.splitlines() if "analyze" not in line) + "\n"
CANCEL = Orders(cancel=frozenset({"analyze"}))
DRAIN = Orders(drain=frozenset({"analyze"}))
RENAME = Orders(rename={"analyze": "analyse"})


def cancelled(conn: Connection) -> int:
    return int(scalar(conn, "SELECT count(*) FROM zeke_jobs.queue WHERE cancelled_on IS NOT NULL"))


def test_removing_a_task_with_unfinished_jobs_is_refused_in_words(base: Config, conn: Connection) -> None:
    with pytest.raises(StrandedJobs, match=r"analyze: 3 queued and 1 active(?s:.*)--drain analyze"):
        apply(conn, load(WITHOUT))
    with pytest.raises(StrandedJobs):
        applying.sync(conn, load(WITHOUT))
    assert store.latest_number(conn) == 1
    assert zeke_jobs.send("analyze").status == "created"


def test_cancel_ends_queued_jobs_marks_active_ones_and_is_done_once(base: Config, conn: Connection) -> None:
    assert apply(conn, load(WITHOUT), orders=CANCEL).is_new
    ended = "SELECT state::text, count(*), min(extra ->> 'cancel_reason') FROM zeke_jobs.queue WHERE cancelled_on IS NOT NULL GROUP BY 1 ORDER BY 1"
    why = "its task was removed from jobs.yaml"
    assert query(conn, ended) == [("consumed", 1, why), ("rejected", 3, why)]
    with pytest.raises(UnknownTask):
        zeke_jobs.send("analyze")
    assert not planned(conn, load(WITHOUT), orders=CANCEL).is_pending
    assert not apply(conn, load(WITHOUT), orders=CANCEL).is_new


def test_a_job_committed_after_its_task_ends_with_the_reason(
    base: Config, conn: Connection, other_conn: Connection
) -> None:
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
    # The task returns to the file, and its cancelled job can be retried.
    apply(conn, base)
    zeke_jobs.retry(stray.id)
    assert query(conn, "SELECT zeke_jobs.chores(true)") == [([],)]
    assert zeke_jobs.status(stray.id).status == "created"


@pytest.mark.parametrize("drains", [False, True], ids=["", "after a drain"])
def test_rename_moves_queued_jobs_and_senders_keep_the_old_name(
    base: Config, conn: Connection, *, drains: bool
) -> None:
    if drains:
        apply(conn, load(WITHOUT), orders=DRAIN)
    new = WITHOUT + "  analyse: {handler: 'H:work', queue: slow}\n"
    query(conn, "UPDATE zeke_jobs.queue SET priority = 9 WHERE state = 'queued'")
    done = apply(conn, load(new), orders=RENAME)
    moved = "SELECT DISTINCT task, queue_name, priority, message ->> 'actor_name' FROM zeke_jobs.queue"
    rows = query(conn, f"{moved} WHERE state = 'queued'")
    assert rows == [("analyse", "slow", 9, "analyse")]
    assert zeke_jobs.send("analyze").task_id == "analyse"
    assert [one.label for one in done.proposal.plan.overrides] == ["analyse.aliases"]


def test_a_unique_job_stays_the_one_under_its_tasks_new_name(base: Config, conn: Connection) -> None:
    first = zeke_jobs.send("analyze", {"n": 1}, unique=True)
    other = zeke_jobs.send("analyze", {"n": 1}, unique=True)
    assert other.id == first.id
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
    done = apply(conn, load(WITHOUT), orders=DRAIN)
    assert "analyze" in done.proposal.config.tasks
    with pytest.raises(QueueFull):
        zeke_jobs.send("analyze", {"n": 9})
    assert applying.revert_due(conn) is None
    query(conn, "UPDATE zeke_jobs.queue SET state = 'done', completed_on = zeke_jobs.now()")
    reverted = applying.revert_due(conn)
    assert reverted is not None
    assert list(reverted.proposal.config.tasks) == ["pull", "score"]
    assert store.find(conn, 3).message == "analyze has drained"
    assert applying.revert_due(conn) is None


@each(
    ("orders", "said"),
    [
        (Orders(drain=frozenset({"pull"})), "expected"),
        (Orders(cancel=frozenset({"pull"})), "expected"),
        (Orders(drain=frozenset({"unheard-of"})), "expected"),
        (Orders(cancel=frozenset({"unheard-of"})), "expected"),
        (Orders(rename={"analyze": "unheard-of"}), "expected"),
        (Orders(drain=frozenset({"analyze"}), cancel=frozenset({"analyze"})), "one order for analyze, got --drain and --cancel"),
        (Orders(cancel=frozenset({"analyze"}), rename={"analyze": "score"}), "one order for analyze, got --cancel and --rename"),
        (DRAIN, r"expected limits\.ai to stay in the file while analyze"),
    ],
)  # fmt: skip
def test_an_order_that_makes_no_sense_is_refused(base: Config, conn: Connection, orders: Orders, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
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
