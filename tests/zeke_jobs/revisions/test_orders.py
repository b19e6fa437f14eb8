"""Orders for jobs of tasks that have left the file or are leaving it: each one is carried out once."""

from typing import Any

from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.zeke_jobs.revisions.world import BASE, apply, load, planned
from zeke_jobs.revisions import boot, store
from zeke_jobs.revisions.affected_jobs import Orders

WITHOUT = "\n".join(line for line in BASE.splitlines() if "analyze" not in line) + "\n"
CANCEL = Orders(cancel=frozenset({"analyze"}))
DRAIN = Orders(drain=frozenset({"analyze"}))


def run(conn: Connection, sql: str) -> list[tuple[Any, ...]]:
    with conn.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def begin(conn: Connection) -> None:
    """A revision in force, with a queued and an active job of ``analyze``."""
    boot.sync(conn, load())
    zeke_jobs.send_many("analyze", [{"n": n} for n in range(2)])
    run(conn, "UPDATE zeke_jobs.queue SET state = 'consumed' WHERE message #>> '{kwargs,n}' = '0'")


def cancelled(conn: Connection) -> int:
    return int(run(conn, "SELECT count(*) FROM zeke_jobs.queue WHERE cancelled_on IS NOT NULL")[0][0])


def test_jobs_of_a_task_that_is_gone_are_cancelled_although_nothing_else_changes(conn: Connection) -> None:
    boot.sync(conn, load(WITHOUT))
    message = "jsonb_build_object('actor_name', 'analyze', 'queue_name', 'default')"
    run(conn, f"INSERT INTO zeke_jobs.queue (message_id, queue_name, state, message, task, revision) VALUES (gen_random_uuid(), 'default', 'queued', {message}, 'analyze', 1)")  # fmt: skip
    plan = planned(conn, load(WITHOUT), orders=CANCEL)
    assert plan.is_pending
    assert [(one.why, one.name, one.queued) for one in plan.touched] == [("cancelled", "analyze", 1)]
    assert apply(conn, load(WITHOUT), orders=CANCEL).is_new
    assert cancelled(conn) == 1


def test_the_same_order_again_changes_nothing_while_the_active_ones_are_being_stopped(conn: Connection) -> None:
    begin(conn)
    assert apply(conn, load(WITHOUT), orders=CANCEL).is_new
    assert cancelled(conn) == 2
    assert not planned(conn, load(WITHOUT), orders=CANCEL).is_pending
    assert not apply(conn, load(WITHOUT), orders=CANCEL).is_new


def test_jobs_of_a_task_that_drains_can_be_cancelled_after_all(conn: Connection) -> None:
    begin(conn)
    apply(conn, load(WITHOUT), orders=DRAIN)
    done = apply(conn, load(WITHOUT), orders=CANCEL)
    assert "analyze" not in done.proposal.config.tasks
    assert cancelled(conn) == 2
    assert done.proposal.plan.overrides == ()


def test_a_task_that_drains_can_be_renamed_after_all(conn: Connection) -> None:
    begin(conn)
    apply(conn, load(WITHOUT), orders=DRAIN)
    new = load(WITHOUT + "  analyse: {handler: 'H:work'}\n")
    done = apply(conn, new, orders=Orders(rename={"analyze": "analyse"}))
    assert [one.label for one in done.proposal.plan.overrides] == ["analyse.aliases"]
    assert run(conn, "SELECT task FROM zeke_jobs.queue WHERE state = 'queued'") == [("analyse",)]
    assert zeke_jobs.send("analyze").task_id == "analyse"


def test_a_task_that_drains_goes_on_draining_without_another_order(conn: Connection) -> None:
    begin(conn)
    apply(conn, load(WITHOUT), orders=DRAIN)
    done = apply(conn, load(WITHOUT + "  # more\n"))
    assert "analyze" in done.proposal.config.tasks
    latest = store.latest(conn)
    assert latest is not None
    assert store.draining(latest.overrides) == {"analyze"}
