"""Changes of jobs.yaml on a database with jobs: the plan, the refusals, the effects."""

import select
import threading
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection
from structlog.testing import capture_logs

import zeke_jobs
from tests.each import each
from tests.zeke_jobs.revisions.world import BASE, TOP, apply, load, planned
from zeke_jobs.config import Config
from zeke_jobs.diagnosis.why import why
from zeke_jobs.errors import ConfigurationError, Contended, QueueFull, StrandedJobs, UnknownTask
from zeke_jobs.postgres import lock_waits
from zeke_jobs.postgres.pool import transaction
from zeke_jobs.revisions import applying, boot, store
from zeke_jobs.revisions.affected_jobs import Orders
from zeke_jobs.revisions.proposal import Request
from zeke_jobs.worker.life import chores


@pytest.fixture
def base(conn: Connection) -> Config:
    """A revision in force, with three jobs of ``analyze`` in the queue and one active."""
    config = load()
    boot.sync(conn, config)
    zeke_jobs.send_many("analyze", [{"n": n} for n in range(4)])
    run(conn, "UPDATE zeke_jobs.queue SET state = 'consumed' WHERE message #>> '{kwargs,n}' = '0'")
    return config


def run(conn: Connection, sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with conn.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else []


def said(config: Config, conn: Connection, **options: Any) -> list[str]:
    """The changes and touched jobs of a plan, each in short."""
    plan = planned(conn, config, **options)
    return [
        *(f"{c.how} {c.kind} {c.name}" + (f" {c.key} {c.before} → {c.after}" if c.key else "") for c in plan.changes),
        *(f"{t.why} {t.name} {t.queued}+{t.active}" for t in plan.touched),
    ]


@each(
    ("old", "new", "expected"),
    [
        ("concurrency: 5", "concurrency: 8", ["changed task analyze concurrency 5 → 8"]),
        ("concurrency: 2,", "", ["changed task pull concurrency 2 → None"]),
        ("retry: {limit: 3}", "retry: {limit: 5, delay: 2s}", ["changed task analyze retry.limit 3 → 5", "changed task analyze retry.delay 1s → 2s"]),
        ("uses: [ai]", "uses: [ai], timeout: 90s", ["changed task analyze timeout 5m → 1m30s"]),
        ("uses: [ai]", "uses: [ai], rate: 60/m", ["changed task analyze rate None → 60/m"]),
        ("uses: [ai], ", "", ["changed task analyze uses ['ai'] → None"]),
        ("uses: [ai]", "uses: [ai], priority: 7", ["changed task analyze priority 0 → 7", "priority analyze 3+0"]),
        ("uses: [ai]", "uses: [ai], paused: true", ["changed task analyze paused False → True"]),
        ("uses: [ai]", "uses: [ai], keep: {failed: 1d}", ["changed task analyze keep.failed 30d → 1d"]),
        ("uses: [ai]", "uses: [ai], queue: slow", ["changed task analyze queue default → slow", "moved analyze 3+0"]),
        ('"*/5 * * * *"', '{at: "*/5 * * * *", timezone: Europe/Paris}', ["changed task pull cron.timezone UTC → Europe/Paris"]),
        ('"*/5 * * * *"', '"0 * * * *"', ["changed task pull cron */5 * * * * → 0 * * * *"]),
        (', cron: "*/5 * * * *"', "", ["changed task pull cron.timezone UTC → None", "changed task pull cron */5 * * * * → None"]),
        ("words: [one, two]", "words: [one, three]", ["changed task score settings.words ['one', 'two'] → ['one', 'three']"]),
        ("  score:", "  extra: {handler: 'H:work'}\n  score:", ["added task extra"]),
        ("  pull: {", "  fetch: {aliases: [pull], ", ["renamed task fetch"]),
        ("  analyze: {", "  analyse: {aliases: [analyze], ", ["renamed task analyse", "renamed analyse 3+1"]),
        ('analyze: {handler: "H:work"', 'analyze: {handler: "H:strict"', ["changed task analyze handler H:work → H:strict", "unfit analyze 3+0"]),
        ('  pull: {handler: "H:work", concurrency: 2, cron: "*/5 * * * *"}\n', "", ["removed task pull"]),
        ('  analyze: {handler: "H:work", concurrency: 5, uses: [ai], retry: {limit: 3}}\n', "", ["removed task analyze", "stranded analyze 3+1"]),
        ('  analyze: {handler: "H:work", concurrency: 5, uses: [ai], retry: {limit: 3}}\n  score: {', "  score: {aliases: [analyze], ", ["removed task analyze", "changed task score aliases None → ['analyze']", "renamed score 3+1"]),
        ("  score:", "  # a remark\n  score:", []),
    ],
)  # fmt: skip
def test_a_plan_says_each_edit_and_the_jobs_that_it_touches(
    base: Config, conn: Connection, old: str, new: str, expected: list[str]
) -> None:
    assert old in BASE
    found = said(load(BASE.replace(old, new, 1)), conn)
    found = [one.replace("tests.zeke_jobs.revisions.world:", "H:") for one in found]
    assert sorted(found) == sorted(expected)


@each(
    ("top", "expected"),
    [
        ("limits: {ai: {concurrency: 4}}", ["changed limit ai concurrency 8 → 4"]),
        ("limits: {ai: {concurrency: 8, rate: 60/m}}", ["changed limit ai rate None → 60/m"]),
        ("limits: {ai: {concurrency: 8}, hosts: {rate: 2/s}}", ["added limit hosts"]),
        (TOP + "\nservices: {web: {use: 'H:Address', url: http://a}}", ["added service web"]),
        (TOP + "\ndefaults: {timeout: 1m}", [f"changed task {name} timeout 5m → 1m" for name in ("analyze", "pull", "score")]),
    ],
)  # fmt: skip
def test_a_plan_says_what_changes_beside_the_tasks(
    base: Config, conn: Connection, top: str, expected: list[str]
) -> None:
    assert sorted(said(load(top=top), conn)) == expected


def test_a_limit_below_what_is_active_is_said(base: Config, conn: Connection) -> None:
    run(conn, "UPDATE zeke_jobs.queue SET state = 'consumed'")
    found = said(load(BASE.replace("concurrency: 5", "concurrency: 1"), "limits: {ai: {concurrency: 3}}"), conn)
    assert "above analyze 0+4" in found
    assert "above limits.ai 0+4" in found


def test_the_plan_of_the_file_in_force_is_empty_and_applying_it_makes_no_revision(
    base: Config, conn: Connection
) -> None:
    assert not planned(conn, base).is_pending
    assert not apply(conn, base).is_new
    assert store.latest_number(conn) == 1


def test_a_plan_changes_nothing(base: Config, conn: Connection) -> None:
    before = run(conn, "SELECT * FROM zeke_jobs.task"), run(conn, "SELECT * FROM zeke_jobs.revision")
    planned(conn, load("  other: {handler: 'H:work'}"))
    assert before == (run(conn, "SELECT * FROM zeke_jobs.task"), run(conn, "SELECT * FROM zeke_jobs.revision"))


def test_what_needs_a_restart_is_said(base: Config, conn: Connection) -> None:
    plan = planned(conn, load(BASE + "  extra: {handler: 'H:strict', queue: slow}\n"))
    assert [one.partition(":")[0] for one in plan.restarts] == ["queue slow", "extra"]
    assert planned(conn, load(BASE + "  extra: {handler: 'H:work'}\n")).restarts == ()  # its code is known to run


def test_a_revision_keeps_who_why_when_and_the_whole_file(base: Config, conn: Connection) -> None:
    config = load(BASE + "  # the end\n")
    done = apply(conn, config)
    kept = store.find(conn, done.revision)
    assert (kept.applied_by, kept.message, kept.origin) == ("me", "why", "apply")
    assert (kept.source, kept.digest) == (config.text, config.digest)


# what becomes of the jobs of removed tasks

WITHOUT = BASE.replace('  analyze: {handler: "H:work", concurrency: 5, uses: [ai], retry: {limit: 3}}\n', "")


def test_removing_a_task_with_unfinished_jobs_is_refused_in_words(base: Config, conn: Connection) -> None:
    with pytest.raises(StrandedJobs) as caught:
        apply(conn, load(WITHOUT))
    assert "analyze: 3 queued and 1 active" in str(caught.value)
    assert "--drain analyze" in str(caught.value)
    assert store.latest_number(conn) == 1
    assert zeke_jobs.send("analyze").status == "created"


def test_a_booting_process_is_refused_alike(base: Config, conn: Connection) -> None:
    with pytest.raises(StrandedJobs):
        boot.sync(conn, load(WITHOUT))


def test_cancel_ends_queued_jobs_and_marks_active_ones(base: Config, conn: Connection) -> None:
    apply(conn, load(WITHOUT), orders=Orders(cancel=frozenset({"analyze"})))
    rows = run(
        conn,
        "SELECT state::text, count(*), min(extra ->> 'cancel_reason') FROM zeke_jobs.queue WHERE cancelled_on IS NOT NULL GROUP BY 1 ORDER BY 1",
    )
    assert rows == [("consumed", 1, "its task was removed from jobs.yaml"), ("rejected", 3, "its task was removed from jobs.yaml")]  # fmt: skip
    with pytest.raises(UnknownTask):
        zeke_jobs.send("analyze")


def test_a_job_that_is_committed_after_its_task_was_removed_ends_with_the_reason(
    base: Config, conn: Connection, other_conn: Connection
) -> None:
    with transaction(other_conn):
        stray = zeke_jobs.send("score", {"n": 1}, connection=other_conn)
        apply(conn, load(BASE.replace("  score:", "  other:")))
    assert (
        why(conn, stray.id).reasons[0].sentence
        == "no task in force is called score, so a worker cancels it within a minute"
    )
    assert run(conn, "SELECT zeke_jobs.chores(true)") == [(["gather"],)]
    with capture_logs() as lines:
        chores.do(conn, {"gather"})
    assert [line["event"] for line in lines] == ["jobs cancelled: no task in force has their name"]
    job = zeke_jobs.status(stray.id)
    assert (job.status, job.cancel_reason) == ("cancelled", "its task was removed from jobs.yaml")
    assert "its task was removed from jobs.yaml" in why(conn, stray.id).reasons[0].sentence
    assert run(conn, "SELECT action, target, said_by, jobs FROM zeke_jobs.audit WHERE action = 'cancel'") == [
        ("cancel", "task/score", "zeke-jobs", [stray.id])
    ]
    # The task comes back, and its job with it when somebody asks for it.
    apply(conn, base)
    zeke_jobs.retry(stray.id)
    assert run(conn, "SELECT zeke_jobs.chores(true)") == [([],)]
    assert zeke_jobs.status(stray.id).status == "created"


def test_rename_moves_queued_jobs_and_keeps_the_old_name_for_senders(base: Config, conn: Connection) -> None:
    new = WITHOUT + "  analyse: {handler: 'H:work', queue: slow}\n"
    run(conn, "UPDATE zeke_jobs.queue SET priority = 9 WHERE state = 'queued'")
    done = apply(conn, load(new), orders=Orders(rename={"analyze": "analyse"}))
    rows = run(conn, "SELECT DISTINCT task, queue_name, priority, message ->> 'actor_name' FROM zeke_jobs.queue WHERE state = 'queued'")  # fmt: skip
    assert rows == [("analyse", "slow", 9, "analyse")]
    assert zeke_jobs.send("analyze").task_id == "analyse"
    assert [one.label for one in done.proposal.plan.overrides] == ["analyse.aliases"]


def test_a_unique_job_stays_the_one_under_its_tasks_new_name(base: Config, conn: Connection) -> None:
    first = zeke_jobs.send("analyze", {"n": 1}, unique=True)
    other = zeke_jobs.send("analyze", {"n": 1}, unique=True)
    assert other.id == first.id
    apply(conn, load(WITHOUT + "  analyse: {handler: 'H:work'}\n"), orders=Orders(rename={"analyze": "analyse"}))
    assert zeke_jobs.send("analyse", {"n": 1}, unique=True).id == first.id
    run(conn, "UPDATE zeke_jobs.queue SET state = 'consumed' WHERE message_id = %s", str(first.id))
    second = zeke_jobs.send("analyse", {"n": 1}, unique=True)
    assert not second.duplicate
    assert zeke_jobs.send("analyze", {"n": 1}, unique=True).id == second.id


@pytest.mark.parametrize(
    ("orders", "said"),
    [
        (Orders(drain=frozenset({"analyze"}), cancel=frozenset({"analyze"})), "got --drain and --cancel"),
        (Orders(cancel=frozenset({"analyze"}), rename={"analyze": "score"}), "got --cancel and --rename"),
    ],
)
def test_two_orders_for_one_task_are_refused(base: Config, conn: Connection, orders: Orders, said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"expected one order for analyze, {said}"):
        apply(conn, load(WITHOUT), orders=orders)
    assert run(conn, "SELECT count(*) FROM zeke_jobs.queue WHERE cancelled_on IS NOT NULL") == [(0,)]


def test_a_job_sent_under_the_old_name_while_the_name_changed_follows_later(base: Config, conn: Connection) -> None:
    apply(conn, load(BASE.replace("  analyze: {", "  analyse: {aliases: [analyze], ")))
    run(conn, "UPDATE zeke_jobs.queue SET state = 'queued', deaths = 1 WHERE state = 'consumed'")
    assert run(conn, "SELECT was, task, jobs FROM zeke_jobs.gather(100)") == [("analyze", "analyse", 1)]
    assert run(conn, "SELECT count(*) FROM zeke_jobs.gather(100)") == [(0,)]


def test_drain_keeps_the_task_until_its_jobs_have_ended_and_takes_no_new_ones(base: Config, conn: Connection) -> None:
    done = apply(conn, load(WITHOUT), orders=Orders(drain=frozenset({"analyze"})))
    assert "analyze" in done.proposal.config.tasks
    with pytest.raises(QueueFull):
        zeke_jobs.send("analyze", {"n": 9})
    assert applying.revert_due(conn) is None
    run(conn, "UPDATE zeke_jobs.queue SET state = 'done', completed_on = zeke_jobs.now()")
    reverted = applying.revert_due(conn)
    assert reverted is not None
    assert list(reverted.proposal.config.tasks) == ["pull", "score"]
    assert store.find(conn, 3).message == "analyze has drained"
    assert applying.revert_due(conn) is None


def test_a_limit_stays_in_the_file_while_a_task_that_uses_it_drains(base: Config, conn: Connection) -> None:
    with pytest.raises(ConfigurationError, match=r"expected limits\.ai to stay in the file while analyze"):
        apply(conn, load(WITHOUT, top="timezone: UTC"), orders=Orders(drain=frozenset({"analyze"})))
    assert store.latest_number(conn) == 1


@each(
    "orders",
    [
        Orders(drain=frozenset({"pull"})),
        Orders(cancel=frozenset({"pull"})),
        Orders(drain=frozenset({"unheard-of"})),
        Orders(cancel=frozenset({"unheard-of"})),
        Orders(rename={"analyze": "unheard-of"}),
    ],
)
def test_an_order_about_a_task_that_is_not_so_is_refused(base: Config, conn: Connection, orders: Orders) -> None:
    with pytest.raises(ConfigurationError, match="expected"):
        apply(conn, load(WITHOUT), orders=orders)


# effects beside the tasks' rows


def test_queued_jobs_follow_a_new_priority_and_a_new_queue(base: Config, conn: Connection) -> None:
    zeke_jobs.send("analyze", {"n": 5}, priority=50)
    apply(conn, load(BASE.replace("uses: [ai]", "uses: [ai], priority: 7, queue: slow")))
    rows = run(conn, "SELECT DISTINCT priority, queue_name FROM zeke_jobs.queue WHERE state = 'queued' ORDER BY 1")
    assert rows == [(7, "slow"), (50, "slow")]


@pytest.mark.parametrize("task", ["analyze", "score"])  # one with limits, one without
def test_no_claim_passes_between_new_limits_and_their_revision(
    base: Config, conn: Connection, other_conn: Connection, task: str
) -> None:
    zeke_jobs.send_many("score", [{}] * 3)
    with transaction(conn):
        applying.apply_locked(conn, Request(load(BASE.replace("concurrency: 5", "concurrency: 1")), "me"))
        run(other_conn, "SET lock_timeout = '50ms'")
        with pytest.raises(Exception, match="lock timeout"):
            run(other_conn, "SELECT kind FROM zeke_jobs.claim(gen_random_uuid(), 'default', %s, 9)", [task])


@pytest.mark.parametrize(
    ("task", "edit", "expected"),
    [
        ("analyze", ("uses: [ai]", "uses: [ai, few]"), 1),
        ("score", ("[one, two]}", "[one, two]}, uses: [few]"), 1),
        ("score", ("[one, two]}", "[one, two]}, concurrency: 1"), 1),
        ("score", ("[one, two]}", "[one, two]}, rate: 1/h"), 1),
        ("score", ("[one, two]}", "[one, two]}, concurrency: {per_key: 1}"), 2),
        ("analyze", ("uses: [ai]", "uses: [ai], paused: true"), 0),
        ("analyze", ("uses: [ai]", "uses: []"), 3),
    ],
)
def test_a_claim_that_began_before_a_revision_obeys_it(
    base: Config, conn: Connection, other_conn: Connection, task: str, edit: tuple[str, str], expected: int
) -> None:
    top = TOP.replace("{ai:", "{few: {concurrency: 1}, ai:")
    apply(conn, load(top=top))
    run(conn, "UPDATE zeke_jobs.queue SET state = 'queued'")
    run(conn, "DELETE FROM zeke_jobs.queue WHERE message #>> '{kwargs,n}' = '0'")
    zeke_jobs.send_many("score", [{}] * 3, keys=["a", "a", "b"])
    claimed: list[Any] = []

    def claim() -> None:
        look = "SELECT kind, reason FROM zeke_jobs.claim(gen_random_uuid(), 'default', %s, 9)"
        if (found := run(other_conn, look, [task])) == [("held", "revision")]:
            found = run(other_conn, look, [task])
        claimed.extend(kind for kind, _ in found if kind == "job")

    worker = threading.Thread(target=claim)
    with transaction(conn):
        applying.apply_locked(conn, Request(load(BASE.replace(*edit), top), "me"))
        worker.start()
        pid = other_conn.info.backend_pid
        while not run(conn, "SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted", pid):
            assert worker.is_alive()
    worker.join(30)
    assert len(claimed) == expected


def test_each_new_revision_is_announced(base: Config, conn: Connection, other_conn: Connection) -> None:
    run(other_conn, 'LISTEN "zeke_jobs.revision"')
    apply(conn, load(BASE + "  # more\n"))
    select.select([other_conn], [], [], 5)
    other_conn.poll()
    assert [notify.payload for notify in other_conn.notifies] == ["2"]


# in the way of workers


def test_a_change_waits_for_no_job_that_somebody_else_has_locked(
    base: Config, conn: Connection, other_conn: Connection
) -> None:
    new = load(BASE.replace("uses: [ai]", "uses: [ai], priority: 7"))
    run(conn, "SET lock_timeout = '2s'")
    with transaction(other_conn):
        locked = run(other_conn, "SELECT message_id FROM zeke_jobs.queue WHERE state = 'queued' LIMIT 1 FOR UPDATE")
        state = boot.sync(conn, new)
        assert (state.revision, state.is_file) == (2, True)
    rows = run(conn, "SELECT message_id FROM zeke_jobs.queue WHERE state = 'queued' AND priority <> 7")
    assert rows == locked


@pytest.mark.parametrize(
    "lock", ["SELECT zeke_jobs.lock_catalogue()", "SELECT FROM zeke_jobs.bucket WHERE name = 'limit/ai' FOR UPDATE"]
)
def test_a_change_that_somebody_holds_up_gives_up_and_names_that_session(
    base: Config, conn: Connection, other_conn: Connection, monkeypatch: pytest.MonkeyPatch, lock: str
) -> None:
    monkeypatch.setattr(lock_waits, "PATIENCE", 0)
    monkeypatch.setattr(applying, "_TURN", 0.1)
    monkeypatch.setattr(boot, "_PATIENCE", 0.1)
    other = load(BASE + "  more: {handler: 'H:work'}\n")
    with transaction(other_conn):
        run(other_conn, lock)
        for change in (lambda: apply(conn, other), lambda: boot.sync(conn, other)):
            with pytest.raises(Contended, match=f"a transaction of session {other_conn.info.backend_pid} "):
                change()
    assert apply(conn, other).revision == 2


def test_a_restart_after_a_crash_puts_no_changed_file_in_force(
    base: Config, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = load(BASE.replace("concurrency: 5", "concurrency: 1"))
    monkeypatch.setenv("ZEKE_JOBS_RESTART", "1")
    again = boot.sync(conn, draft)
    assert (again.revision, again.config.digest, again.is_file, again.file_revision) == (1, base.digest, False, None)
    assert store.latest_number(conn) == 1
    assert boot.sync(conn, base).is_file
    monkeypatch.delenv("ZEKE_JOBS_RESTART")
    assert boot.sync(conn, draft).revision == 2


def test_a_first_file_is_put_in_force_by_a_restart_too(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEKE_JOBS_RESTART", "1")
    assert boot.sync(conn, load()).revision == 1
