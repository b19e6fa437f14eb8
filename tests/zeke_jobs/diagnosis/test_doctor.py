"""Each finding of the doctor appears in a real situation, names a remedy, and disappears when the cause is gone."""

import re
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from psycopg2.extensions import connection as Connection

from tests.each import cases
from tests.waiting import eventually
from tests.zeke_jobs.commands import Cli
from tests.zeke_jobs.diagnosis.conftest import Scene
from tests.zeke_jobs.worker.conftest import NOON
from zeke_jobs.control import actions
from zeke_jobs.core.wording import when
from zeke_jobs.diagnosis import fleet_checks
from zeke_jobs.diagnosis.doctor import CHECKS, Report, examine, look
from zeke_jobs.diagnosis.reasons import Finding
from zeke_jobs.postgres.pool import connect, transaction
from zeke_jobs.postgres.queries import SQL, snapshot
from zeke_jobs.revisions import applying, store
from zeke_jobs.revisions.store import Override
from zeke_jobs.scheduler import dispatch
from zeke_jobs.testing import release_clock

PLAIN = "  plain: {handler: 'H:echo'}\n"
MORE = PLAIN + "  more: {handler: 'H:echo', queue: more}\n"


@pytest.fixture(autouse=True)
def no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEKE_JOBS_CONFIG", str(tmp_path / "jobs.yaml"))


def look_at(conn: Connection, ahead: float = 0.0, **bounds: Any) -> Report:
    """Return the doctor's findings while this machine's clock is ``ahead`` seconds ahead of the database's."""
    with snapshot(conn), pytest.MonkeyPatch.context() as patch:
        moment = SQL.value(conn, "schedule/clock") + timedelta(seconds=ahead)
        patch.setattr(fleet_checks, "_here", lambda: moment)
        for name, bound in bounds.items():
            patch.setattr(fleet_checks, name, bound)
        return look(conn)


def found(conn: Connection, name: str, **how: Any) -> list[Finding]:
    return [one for one in look_at(conn, **how).findings if one.id == name]


def the(conn: Connection, name: str, **how: Any) -> Finding:
    (one,) = found(conn, name, **how)
    return one


def healthy(scene: Scene, tasks: str = PLAIN) -> UUID:
    scene.use(tasks)
    return scene.serve()


def test_a_healthy_system_has_no_findings_and_an_empty_one_says_so(
    scene: Scene, other_conn: Connection, new_database: Callable[..., str]
) -> None:
    report = examine(new_database())
    assert [(one.id, one.help.startswith("zeke-jobs migrate")) for one in report.findings] == [("not-migrated", True)]
    assert report.skipped == tuple(check.name for check in CHECKS)
    assert "no jobs.yaml was ever in force" in the(scene.conn, "no-revision").sentence
    healthy(scene)
    with snapshot(other_conn):
        for _ in range(2):
            assert "unserved" in look(other_conn).fine
            scene.rows("DELETE FROM zeke_jobs.worker")  # The snapshot hides this commit of another session.
    assert "unserved" not in look_at(scene.conn).fine
    scene.serve()
    scene.add("plain", 3)
    report = look_at(scene.conn)
    assert (report.findings, report.is_healthy) == ((), True)
    assert report.fine == tuple(check.name for check in CHECKS)


Step = Callable[[Scene], Any] | str
#: Each finding has tasks, a cause, the expected words, and an end; cause and end are SQL or a function.
TROUBLES: dict[str, tuple[str, Step, str, Step]] = {
    "autovacuum-off": (
        PLAIN,
        "ALTER TABLE zeke_jobs.queue SET (autovacuum_enabled = false)",
        "critical autovacuum is off for zeke_jobs.queue",
        "ALTER TABLE zeke_jobs.queue RESET (autovacuum_enabled)",
    ),
    "connections": (
        PLAIN,
        lambda scene: scene.serve(pid=2, threads=400),
        # Two processes have 400 + 8 threads, and each process needs 4 more connections.
        "2 worker processes with 408 threads may need 416",
        "DELETE FROM zeke_jobs.worker WHERE pid = 2",
    ),
    "no-scheduler": (
        "  pull: {handler: 'H:echo', cron: '*/5 * * * *'}\n",
        lambda scene: scene.later(200),
        "critical no scheduler has completed a beat for 3m20s; cron jobs are not sent",
        lambda scene: SQL.run(scene.conn, "schedule/beaten", scheduler=scene.worker(kind="scheduler")),
    ),
    "too-few-threads": (
        PLAIN,
        lambda scene: scene.use("  plain: {handler: 'H:echo', concurrency: 12}\n"),
        "notice task/plain may have 12 active jobs, but its workers run 8 at once",
        lambda scene: scene.serve(pid=2),
    ),
    "drift": (
        PLAIN,
        lambda scene: scene.use(MORE),
        "warning the worker box:1: runs by revision 1",
        "UPDATE zeke_jobs.worker SET revision = 2, file_revision = 2, queues = '{default,more}'",
    ),
    "unserved": (
        PLAIN,
        # A worker that is stopping serves no task, and a worker without the task's code does not serve it.
        lambda scene: [
            scene.use(MORE),
            scene.beat(scene.serve(pid=2), stopping=True),
            scene.serve(pid=4, tasks=["plain"]),
            scene.add("more"),
        ],
        "critical no live worker runs more of queue more; 1 job queued",
        lambda scene: scene.serve(pid=3),
    ),
    "unknown-task": (
        PLAIN,
        lambda scene: [scene.add("plain", 2), scene.rows("UPDATE zeke_jobs.task SET id = 'new-name'")],
        "warning 2 queued jobs of plain (queue default), which is not a task in force; --rename plain=NEW",
        "UPDATE zeke_jobs.task SET aliases = '{plain}'",
    ),
    "max-wait": (
        "  plain: {handler: 'H:echo', max_wait: 2m}\n",
        "SELECT zeke_jobs.send('plain'); UPDATE zeke_jobs.queue SET run_at = run_at - interval '130 s'",
        "warning the oldest due job of plain waits 2m10s; its max_wait is 2m",
        lambda scene: scene.claim(scene.serve(), 1),
    ),
    "unreadable-schedule": (
        "  plain: {handler: 'H:echo', cron: '* * * * *'}\n",
        "SELECT zeke_jobs.put_schedule('plain/never', 'plain', '0 0 30 2 *')",
        "expected a schedule that can be read, got plain/never: expected a day that comes",
        "DELETE FROM zeke_jobs.stored_schedule",
    ),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_a_trouble_is_found_while_it_is_there(scene: Scene, name: str) -> None:
    tasks, begin, said, end = TROUBLES[name]
    healthy(scene, tasks)
    for step, is_there in (("SELECT", False), (begin, True), (end, False)):
        _ = scene.rows(step) if isinstance(step, str) else step(scene)
        findings = found(scene.conn, name)
        assert bool(findings) == is_there
        if is_there:
            shown = f"{findings[0].severity} {findings[0].sentence} {findings[0].help}"
            assert [part for part in said.split("; ") if part not in shown] == []


def test_a_clock_that_is_off_and_a_setting_that_costs_are_found(scene: Scene, database: str) -> None:
    healthy(scene)
    for ahead, side in ((3.0, "3s ahead of"), (-3.0, "3s behind")):
        one = the(scene.conn, "clock-skew", ahead=ahead)
        assert one.sentence == f"this machine's clock is {side} the database's"
    assert found(scene.conn, "clock-skew", ahead=0.9) == []
    for place, name, value in (("", "synchronous_commit", "off"), ("ROLE postgres IN ", "jit_above_cost", "0")):
        where = f"{place}DATABASE {scene.conn.info.dbname}"
        scene.rows(f"ALTER {where} SET jit TO on; ALTER {where} SET {name} TO {value}")
        with closing(connect(database)) as after:
            one = the(after, "costly-setting")
        assert (one.severity, one.subject, one.help) == ("notice", name, f"ALTER {where} RESET {name}")
        scene.rows(one.help)
        with closing(connect(database)) as after:
            assert found(after, "costly-setting") == []


def test_an_open_transaction_and_dead_rows_that_nobody_removes_are_found(scene: Scene, other_conn: Connection) -> None:
    healthy(scene)
    scene.rows("ALTER TABLE zeke_jobs.queue SET (autovacuum_enabled = false)")
    scene.add("plain", 300)
    with transaction(other_conn), other_conn.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM zeke_jobs.queue")  # The old snapshot prevents the removal of dead rows.
        opened = the(scene.conn, "open-transaction", _OPEN=timedelta(0))
        assert opened.subject == str(other_conn.info.backend_pid)
        assert "idle in transaction" in opened.sentence
        assert found(scene.conn, "open-transaction") == []  # The transaction is open for less than five minutes.
        scene.rows("DELETE FROM zeke_jobs.queue")
        (one,) = eventually(lambda: found(scene.conn, "dead-rows", _DEAD_ROWS=100))
        assert re.search(r"has [3-9]\d\d dead rows", one.sentence)
        assert found(scene.conn, "dead-rows") == []  # Few dead rows are no finding.
        assert "VACUUM zeke_jobs.queue" in one.help
    assert found(scene.conn, "open-transaction", _OPEN=timedelta(0)) == []
    scene.rows("ALTER TABLE zeke_jobs.queue RESET (autovacuum_enabled)")
    scene.rows("VACUUM zeke_jobs.queue")
    assert eventually(lambda: not found(scene.conn, "dead-rows", _DEAD_ROWS=100))


def test_claimed_jobs_that_a_live_worker_does_not_hold_or_one_that_is_gone_had_are_found(scene: Scene) -> None:
    worker = healthy(scene)
    scene.add("plain", 3)
    claims = scene.claim(worker, 3)
    for _ in range(2):
        scene.later(10)
        scene.beat(worker)
        # The worker may be about to start the jobs, or may not have received the answer to its claim.
        assert found(scene.conn, "not-held") == []
    scene.later(10)
    scene.beat(worker)
    one = the(scene.conn, "not-held")
    assert (one.severity, one.subject) == ("critical", "box:1")
    assert one.sentence == "box:1 claimed 3 jobs of plain up to 30s ago, lives, and does not know of them"
    assert "restart box:1" in one.help
    scene.start(worker, claims)
    # The worker reports two busy threads, but the table has three running jobs.
    scene.rows("UPDATE zeke_jobs.worker SET busy = 2")
    assert "box:1 claimed 1 job of plain" in the(scene.conn, "not-held").sentence
    scene.rows("UPDATE zeke_jobs.worker SET busy = 3")
    assert found(scene.conn, "not-held") == []
    scene.complete(worker, claims[2:])
    scene.later(30)
    assert found(scene.conn, "not-held") == []  # The worker is gone, and the others get a minute.
    scene.later(31)
    said = "claimed 2 jobs of plain up to 1m31s ago and is gone; no process has rescued them"
    assert the(scene.conn, "not-held").sentence == f"box:1 {said}"
    scene.rows("DELETE FROM zeke_jobs.worker")
    one = the(scene.conn, "not-held")
    assert (one.sentence, "start a worker" in one.help) == (f"a worker that is gone {said}", True)
    SQL.all(scene.conn, "worker/rescue")
    assert found(scene.conn, "not-held") == []


def test_a_user_that_sees_only_its_own_sessions_is_told_so(scene: Scene) -> None:
    (check,) = [check for check in CHECKS if check.name == "sessions-hidden"]
    role = f"zeke_test_{uuid.uuid4().hex[:8]}"
    scene.rows(f"CREATE ROLE {role}")
    try:
        scene.rows(f"SET ROLE {role}")
        (one,) = check.faults(scene.conn)
        assert (check.severity, one.subject) == ("notice", role)
        scene.rows(f"RESET ROLE; {one.help}; SET ROLE {role}")
        assert list(check.faults(scene.conn)) == []
    finally:
        scene.rows(f"RESET ROLE; DROP ROLE {role}")


def test_a_queue_that_a_job_which_runs_alone_keeps_is_warned_of_after_a_minute_and_why_says_so(scene: Scene) -> None:
    scene.use(PLAIN + "  other: {handler: 'H:echo'}\n  slow: {handler: 'H:echo', queue: slow}\n")
    suspect = scene.suspect("slow")
    worker = scene.serve(pid=9)
    (first,) = scene.add("plain")
    assert "kept-by-suspect" not in scene.reasons(first)  # The worker continues until its next claim.
    scene.rows("DELETE FROM zeke_jobs.queue WHERE message_id = %s", first)
    scene.empty(worker, "slow")
    assert found(scene.conn, "kept-by-suspect") == []  # No job waits.
    job, later = scene.add("plain", 2)
    scene.add("other")
    scene.add("other", options='{"delay": 3600}')
    finishes = f"box:9 finishes its other jobs to run slow {suspect} alone"
    assert finishes in the(scene.conn, "kept-by-suspect").sentence
    assert list(scene.reasons(later)) == ["kept-by-suspect", "ahead"]
    keeps, died = "the one process for queue default claims nothing else", "because 2 workers died while running it"
    ready = f"{keeps}: {finishes}, which has been ready since {when(NOON)} (0ms), {died}"
    assert scene.reasons(later)["kept-by-suspect"] == ready
    claim = scene.run_alone(worker, "slow")
    scene.later(59)
    scene.beat(worker)
    (reason,) = scene.why(job).reasons
    alone = f"box:9 runs slow {suspect} alone since {when(NOON)} (59s), {died}"
    assert reason.sentence == f"{keeps}: {alone}"
    more = "with more processes, one at least goes on with the rest: dramatiq zeke_jobs.actors --processes N"
    one = the(scene.conn, "kept-by-suspect")
    assert one.help == reason.help == f"wait until it has ended, or: zeke-jobs cancel {suspect}; {more}"
    assert (one.severity, one.subject) == ("notice", "queue/default")
    assert one.sentence == f"no live worker claims other and plain of queue default: {alone}; 3 jobs due"
    scene.later(1)
    assert the(scene.conn, "kept-by-suspect").severity == "warning"
    other = scene.serve(pid=10)
    assert found(scene.conn, "kept-by-suspect") == []
    scene.rows("DELETE FROM zeke_jobs.worker WHERE id = %s", other)
    scene.complete(worker, [claim])
    assert list(scene.reasons(job)) == ["starts-next"]


def work_off(scene: Scene, seconds: float) -> None:
    """Complete the oldest queued job as if it had run for ``seconds``."""
    done = "state = 'done', attempt = 1, completed_on = zeke_jobs.now(), started_on = zeke_jobs.now() - make_interval(secs => %s)"
    oldest = "SELECT min(seq) FROM zeke_jobs.queue WHERE state = 'queued'"
    scene.rows(f"UPDATE zeke_jobs.queue SET {done} WHERE seq = ({oldest})", seconds)


def work(scene: Scene, task: str, *, jobs: int, seconds: float, every: float) -> None:
    """Send jobs at regular intervals, and complete one job at a time, which takes ``seconds``."""
    worker, busy_until = scene.serve(), 0.0
    for n in range(jobs):
        scene.later(every)
        scene.add(task)
        if n * every >= busy_until:
            busy_until = n * every + seconds
            work_off(scene, seconds)
    scene.beat(worker)


@cases(
    "task top subject why help_",
    ("concurrency: 1", "", "task/slow", "task/slow allows 1; the oldest waits ", "zeke-jobs set slow.concurrency=2"),
    ("uses: [ai]", "limits: {ai: {concurrency: 1}}", "limit/ai", "limit/ai allows 1; the oldest waits ", "zeke-jobs set limits.ai.concurrency=2"),
    ("priority: 0", "", "queue/default", "", "run at least 2 threads for it"),
    ("uses: [ai], units: {tokens: 1000}", "limits: {ai: {tokens: {rate: 5000/m}}}", "limit/ai", "which use 6,000 tokens a minute; limit/ai allows 5,000", ""),
    ("rate: 3/m", "", "task/slow", "the rate of task/slow allows 3.0", ""),
    ids=["limit", "shared limit", "threads", "units", "rate"],
)  # fmt: skip
def test_what_cannot_keep_up_is_found(scene: Scene, task: str, top: str, subject: str, why: str, help_: str) -> None:
    tasks = f"  slow: {{handler: 'H:echo', {task}}}\n"
    scene.use(tasks, top)
    work(scene, "slow", jobs=30, seconds=16.0, every=10.0)
    if subject.startswith("queue"):
        scene.rows("UPDATE zeke_jobs.worker SET threads = 1")
    one = the(scene.conn, "falling-behind")
    assert one.sentence.startswith("6.0 jobs a minute of slow arrive")
    assert (one.subject, why in one.sentence, one.help.startswith(help_)) == (subject, True, True)
    actions.pause(scene.conn, "task/slow", by="ann")  # A paused task may be late.
    assert found(scene.conn, "falling-behind") == []
    actions.resume(scene.conn, "task/slow")
    scene.use(tasks.replace("concurrency: 1", "concurrency: 2"), top.replace("concurrency: 1", "concurrency: 2"))
    assert bool(found(scene.conn, "falling-behind")) == ("concurrency: 1" not in tasks + top)


def test_a_limit_that_keeps_up_is_not_found_and_neither_is_a_burst_of_the_hour(scene: Scene) -> None:
    scene.use("  extract-highlights: {handler: 'H:echo', concurrency: 1}\n")
    work(scene, "extract-highlights", jobs=10, seconds=8.0, every=9.0)
    assert found(scene.conn, "falling-behind") == []
    scene.later(3600)
    scene.add("extract-highlights", 100)
    for _ in range(8):
        scene.later(8)
        work_off(scene, 8.0)
    scene.serve()
    assert found(scene.conn, "falling-behind") == []


def test_a_pause_in_force_is_noticed_with_its_end(scene: Scene) -> None:
    healthy(scene)
    (job, _) = scene.add("plain", 2)
    actions.pause(scene.conn, "task/plain", by="ann", reason="the door is shut")
    scene.later(90)
    one = the(scene.conn, "paused")
    said = f"task/plain is paused by ann since {when(NOON)} (1m30s): the door is shut; 2 queued jobs wait"
    assert (one.sentence, one.help, one.severity) == (said, "zeke-jobs resume task/plain", "notice")
    actions.resume(scene.conn, "task/plain")
    assert found(scene.conn, "paused") == []
    until = NOON + timedelta(minutes=31, seconds=30)
    lunch = Override(("tasks", "plain", "paused"), True, "bob", "lunch", NOON, until)
    applying.set_by_hand(scene.conn, lambda _file, _before: [lunch], by="bob", message="lunch")
    one = the(scene.conn, "paused")
    said = f"task/plain is paused by bob since {when(NOON)} (1m30s), until {when(until)} (in 30m): lunch; 2 queued jobs wait"
    assert (one.sentence, one.help) == (said, "zeke-jobs set --clear plain.paused")
    assert one.help in [reason.help for reason in scene.why(job).reasons]


def test_a_schedule_that_skips_ticks_because_of_one_queued_job_is_found(scene: Scene) -> None:
    healthy(scene, "  plain: {handler: 'H:echo', cron: {at: '* * * * *', overlap: skip}}\n")
    dispatch.beat(scene.conn)
    for _ in range(3):
        scene.later(60)
        dispatch.beat(scene.conn)
    one = the(scene.conn, "skipped-ticks")
    assert one.sentence.startswith("the schedule of plain has skipped 2 ticks, because its job ")
    (job,) = scene.rows("SELECT message_id FROM zeke_jobs.queue")
    assert one.help == f"zeke-jobs why {job['message_id']} shows why it waits"
    scene.rows("UPDATE zeke_jobs.queue SET state = 'done'")
    assert found(scene.conn, "skipped-ticks") == []


def test_a_jobs_yaml_that_was_not_applied_is_noticed(scene: Scene, tmp_path: Path) -> None:
    healthy(scene)
    file, in_force = tmp_path / "jobs.yaml", store.latest(scene.conn)
    assert in_force is not None

    def noticed(text: str) -> list[tuple[str, str, bool]]:
        file.write_text(text)
        findings = found(scene.conn, "not-applied")
        return [(one.severity, one.sentence, "a process that starts" in one.help) for one in findings]

    assert noticed(in_force.source) == []
    changed = f"{file} was changed and not applied; in force is revision {in_force.number}"
    assert noticed(in_force.source + "# changed\n") == [("notice", changed, True)]
    [(severity, said, concerns_starts)] = noticed("version: 1\ntasks:\n  a: {handler: 'os:getcwd', concurency: 3}\n")
    assert (severity, concerns_starts) == ("warning", True)
    assert f"It is wrong: {file}:3:29: error: expected a key of a task, got 'concurency'" in said
    scene.use(PLAIN + "  more: {handler: 'H:echo'}\n")
    [(_, said, concerns_starts)] = noticed(in_force.source)
    assert f"is that of revision {in_force.number}" in said
    assert not concerns_starts, "an old text changes nothing"


def test_the_command_says_what_is_wrong_and_its_status_is_for_monitors(scene: Scene, cli: Cli) -> None:
    release_clock(scene.conn)
    scene.use(PLAIN)
    ran = cli("doctor")
    assert ran.status == 1
    assert "warning  unserved: no live worker runs plain of queue default; 0 jobs queued\n" in ran.out
    assert "fine     max-wait: " in ran.out
    told = cli("doctor", "--json").json
    assert not told["healthy"]
    assert [(one["id"], one["subject"]) for one in told["findings"]] == [("unserved", "queue/default")]
    scene.serve()
    ran = cli("doctor")
    assert (ran.status, "warning" in ran.out) == (0, False)
