"""Each finding of the doctor is provoked for real, names what to do, and clears again."""

import json
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

from tests.waiting import eventually
from tests.zeke_jobs.diagnosis.conftest import Scene
from tests.zeke_jobs.worker.conftest import NOON
from zeke_jobs.cli.root import app
from zeke_jobs.cli.run import run
from zeke_jobs.control import pausing
from zeke_jobs.core.wording import when
from zeke_jobs.diagnosis import fleet
from zeke_jobs.diagnosis.doctor import CHECKS, Report, examine, look
from zeke_jobs.diagnosis.findings import Finding, Patient
from zeke_jobs.diagnosis.snapshot import snapshot
from zeke_jobs.postgres.pool import connect, transaction
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions import applying, store
from zeke_jobs.revisions.store import Override
from zeke_jobs.scheduler import dispatch

PLAIN = "  plain: {handler: 'H:echo'}\n"


def look_at(conn: Connection, ahead: float = 0.0, **thresholds: Any) -> Report:
    """The doctor's findings; this machine's clock is some seconds ahead of the database's, which stands still."""
    with snapshot(conn):
        theirs = SQL.one(conn, "schedule/clock")
        assert theirs is not None
        moment = theirs["now"] + timedelta(seconds=ahead)
        return look(Patient(conn, clock=lambda: moment, **thresholds))


def found(conn: Connection, name: str, **how: Any) -> list[Finding]:
    return [one for one in look_at(conn, **how).findings if one.id == name]


def healthy(scene: Scene, tasks: str = PLAIN, top: str = "", **worker: Any) -> None:
    scene.use(tasks, top)
    scene.serve(**worker)


def test_a_healthy_system_has_no_findings(scene: Scene) -> None:
    healthy(scene)
    scene.add("plain", 3)
    report = look_at(scene.conn)
    assert report.findings == ()
    assert report.is_healthy
    assert report.fine == tuple(check.name for check in CHECKS)


# The server


@pytest.mark.parametrize(("ahead", "side"), [(3.0, "3s ahead of"), (-3.0, "3s behind")])
def test_a_clock_that_is_off_is_found(scene: Scene, ahead: float, side: str) -> None:
    healthy(scene)
    (one,) = found(scene.conn, "clock-skew", ahead=ahead)
    assert one.sentence == f"this machine's clock is {side} the database's"
    assert found(scene.conn, "clock-skew", ahead=0.9) == []


def test_autovacuum_that_is_off_for_a_table_is_found(scene: Scene) -> None:
    healthy(scene)
    scene.rows("ALTER TABLE zeke_jobs.queue SET (autovacuum_enabled = false)")
    (one,) = found(scene.conn, "autovacuum-off")
    assert (one.severity, one.subject) == ("critical", "zeke_jobs.queue")
    scene.rows(one.help)
    assert found(scene.conn, "autovacuum-off") == []


@pytest.mark.parametrize("place", ["DATABASE {database}", "ROLE postgres IN DATABASE {database}"])
@pytest.mark.parametrize(
    ("name", "settings"),
    [("synchronous_commit", {"synchronous_commit": "off"}), ("jit_above_cost", {"jit": "on", "jit_above_cost": "0"})],
)
def test_a_setting_that_costs_is_found_where_it_was_set(
    scene: Scene, database: str, place: str, name: str, settings: dict[str, str]
) -> None:
    healthy(scene)
    where = place.format(database=scene.conn.info.dbname)
    for setting, value in settings.items():
        scene.rows(f"ALTER {where} SET {setting} TO {value}")
    with closing(connect(database)) as after:
        (one,) = found(after, "costly-setting")
    assert (one.severity, one.subject, one.help) == ("notice", name, f"ALTER {where} RESET {name}")
    scene.rows(one.help)
    with closing(connect(database)) as after:
        assert found(after, "costly-setting") == []


def test_dead_rows_that_nobody_removes_are_found(scene: Scene, other_conn: Connection) -> None:
    healthy(scene)
    scene.rows("ALTER TABLE zeke_jobs.queue SET (autovacuum_enabled = false)")
    scene.add("plain", 300)
    with transaction(other_conn), other_conn.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM zeke_jobs.queue")  # an old snapshot, for which the rows must stay
        scene.rows("DELETE FROM zeke_jobs.queue")
        (one,) = eventually(lambda: found(scene.conn, "dead-rows", dead_rows=100))
        assert one.figures["dead"] >= 300
        assert found(scene.conn, "dead-rows") == []  # so few are nothing
        assert "VACUUM zeke_jobs.queue" in one.help
    scene.rows("ALTER TABLE zeke_jobs.queue RESET (autovacuum_enabled)")
    scene.rows("VACUUM zeke_jobs.queue")
    assert eventually(lambda: not found(scene.conn, "dead-rows", dead_rows=100))


def test_a_transaction_left_open_is_found_and_its_end_clears_it(scene: Scene, other_conn: Connection) -> None:
    healthy(scene)
    soon = timedelta(milliseconds=1)
    with transaction(other_conn), other_conn.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.01)")
        (one,) = found(scene.conn, "open-transaction", open_transaction=soon)
        assert one.figures["pid"] == other_conn.info.backend_pid
        assert "idle in transaction" in one.sentence
        assert found(scene.conn, "open-transaction") == []  # not for five minutes yet
    assert found(scene.conn, "open-transaction", open_transaction=soon) == []


def test_claimed_jobs_that_a_live_worker_does_not_hold_are_found(scene: Scene) -> None:
    healthy(scene)
    (worker,) = (row["id"] for row in scene.rows("SELECT id FROM zeke_jobs.worker"))
    first, *_ = scene.add("plain", 3)
    claims = scene.claim(worker, 3)
    for seconds in (10, 10):
        scene.later(seconds)
        scene.beat(worker)
        assert found(scene.conn, "not-held") == []  # it is about to start them, or an answer is on its way
    scene.later(10)
    scene.beat(worker)
    (one,) = found(scene.conn, "not-held")
    assert (one.severity, one.subject, one.figures["jobs"]) == ("critical", "box:1", 3)
    assert one.sentence == "box:1 claimed 3 jobs of plain up to 30s ago, lives, and does not know of them"
    assert one.figures["first"] == sorted(str(claim["message_id"]) for claim in claims)
    assert "restart box:1" in one.help
    scene.start(worker, claims)
    scene.rows("UPDATE zeke_jobs.worker SET busy = 2")  # of three that run by the table
    (one,) = found(scene.conn, "not-held")
    assert one.figures["jobs"] == 1
    scene.rows("UPDATE zeke_jobs.worker SET busy = 3")
    assert found(scene.conn, "not-held") == []
    assert scene.row(first)["state"] == "consumed"


def test_claimed_jobs_of_a_worker_that_is_gone_are_found_when_nobody_takes_them_back(scene: Scene) -> None:
    healthy(scene)
    (worker,) = (row["id"] for row in scene.rows("SELECT id FROM zeke_jobs.worker"))
    scene.add("plain", 2)
    scene.claim(worker, 2)
    scene.later(60)
    assert found(scene.conn, "not-held") == []  # a minute for the others
    scene.later(31)
    (one,) = found(scene.conn, "not-held")
    assert one.sentence == "box:1 claimed 2 jobs of plain up to 1m31s ago and is gone; no process has rescued them"
    scene.rows("DELETE FROM zeke_jobs.worker")
    (one,) = found(scene.conn, "not-held")
    assert (
        one.sentence
        == "a worker that is gone claimed 2 jobs of plain up to 1m31s ago and is gone; no process has rescued them"
    )
    assert "start a worker" in one.help
    SQL.all(scene.conn, "worker/rescue")
    assert found(scene.conn, "not-held") == []


def test_a_user_that_sees_only_its_own_sessions_is_told_so(scene: Scene) -> None:
    (check,) = [check for check in CHECKS if check.name == "sessions-hidden"]
    role = f"zeke_test_{uuid.uuid4().hex[:8]}"
    scene.rows(f"CREATE ROLE {role}")
    try:
        scene.rows(f"SET ROLE {role}")
        (one,) = check.look(Patient(scene.conn))
        assert (one.severity, one.subject) == ("notice", role)
        scene.rows(f"RESET ROLE; {one.help}; SET ROLE {role}")
        assert check.look(Patient(scene.conn)) == []
    finally:
        scene.rows(f"RESET ROLE; DROP ROLE {role}")


def test_threads_beyond_the_servers_connections_are_found(scene: Scene) -> None:
    healthy(scene)
    many = scene.serve(pid=2, threads=400)
    (one,) = found(scene.conn, "connections")
    assert one.figures["needed"] == 400 + 8 + 2 * 4
    assert one.figures["needed"] + one.figures["others"] > one.figures["available"]
    scene.rows("DELETE FROM zeke_jobs.worker WHERE id = %s", many)
    assert found(scene.conn, "connections") == []


# The processes


def test_a_scheduler_that_is_missing_is_found(scene: Scene) -> None:
    healthy(scene, "  pull: {handler: 'H:echo', cron: '*/5 * * * *'}\n")
    scene.later(200)
    (one,) = found(scene.conn, "no-scheduler")
    assert (one.severity, one.sentence) == (
        "critical",
        "no scheduler has completed a beat for 3m20s; cron jobs are not sent",
    )
    SQL.run(scene.conn, "schedule/beaten", scheduler=scene.worker(kind="scheduler"))
    assert found(scene.conn, "no-scheduler") == []


def test_a_task_that_no_worker_has_is_found(scene: Scene) -> None:
    scene.use(PLAIN + "  other: {handler: 'H:echo', queue: ai}\n")
    scene.serve(tasks=["plain"])
    (one,) = found(scene.conn, "unserved")
    assert (one.severity, one.subject, one.figures["tasks"]) == ("warning", "queue/ai", ["other"])
    scene.add("other")
    (one,) = found(scene.conn, "unserved")
    assert (one.severity, one.figures["queued"]) == ("critical", 1)
    other = scene.serve()
    assert found(scene.conn, "unserved") == []
    scene.beat(other, stopping=True)
    assert found(scene.conn, "unserved")


def test_a_queue_that_a_job_which_runs_alone_keeps_is_noticed_and_warned_of_after_a_minute(scene: Scene) -> None:
    scene.use(PLAIN + "  other: {handler: 'H:echo'}\n  slow: {handler: 'H:echo', queue: slow}\n")
    suspect = scene.suspect("slow")
    worker = scene.serve(pid=9)
    scene.empty(worker, "slow")
    assert found(scene.conn, "kept-by-suspect") == []  # nothing waits
    scene.add("plain", 2)
    scene.add("other")
    scene.add("other", options='{"delay": 3600}')
    (one,) = found(scene.conn, "kept-by-suspect")
    assert f"box:9 finishes its other jobs to run slow {suspect} alone" in one.sentence
    scene.run_alone(worker, "slow")
    scene.later(59)
    scene.beat(worker)
    (one,) = found(scene.conn, "kept-by-suspect")
    assert (one.severity, one.subject) == ("notice", "queue/default")
    assert one.sentence == (
        f"no live worker claims other and plain of queue default: box:9 runs slow {suspect} alone "
        "since 2026-03-10 12:00:00 UTC (59s), because 2 workers died while running it; 3 jobs due"
    )
    assert one.help.startswith(f"wait until it has ended, or: zeke-jobs cancel {suspect}; with more processes")
    assert one.figures == {
        "queue": "default",
        "tasks": ["other", "plain"],
        "due": 3,
        "jobs": [str(suspect)],
        "seconds": 59.0,
    }
    scene.later(1)
    (one,) = found(scene.conn, "kept-by-suspect")
    assert one.severity == "warning"
    scene.serve(pid=10)
    assert found(scene.conn, "kept-by-suspect") == []


def test_a_limit_above_the_threads_that_serve_it_is_noticed(scene: Scene) -> None:
    healthy(scene, "  wide: {handler: 'H:echo', concurrency: 12}\n")
    (one,) = found(scene.conn, "too-few-threads")
    assert one.sentence == "task/wide may have 12 active jobs, but its workers run 8 at once"
    assert look_at(scene.conn).is_healthy
    scene.serve(pid=2)
    assert found(scene.conn, "too-few-threads") == []


def test_a_process_that_runs_by_something_else_is_found(scene: Scene) -> None:
    healthy(scene)
    scene.use(PLAIN + "  more: {handler: 'H:echo'}\n")
    one = found(scene.conn, "drift")[0]
    assert one.sentence.startswith("the worker box:1: runs by revision 1")
    scene.rows("UPDATE zeke_jobs.worker SET revision = 2, file_revision = 2")
    assert found(scene.conn, "drift") == []


# The jobs


def test_an_empty_catalogue_is_found(scene: Scene) -> None:
    (one,) = found(scene.conn, "no-revision")
    assert "no jobs.yaml was ever in force" in one.sentence
    healthy(scene)
    assert found(scene.conn, "no-revision") == []


def test_queued_jobs_of_a_task_that_nobody_knows_are_found(scene: Scene) -> None:
    healthy(scene)
    scene.add("plain", 2)
    scene.rows("UPDATE zeke_jobs.task SET id = 'new-name'")  # as a foreign producer's old name
    (one,) = found(scene.conn, "unknown-task")
    assert one.sentence == "2 queued jobs of plain (queue default), which is no task in force"
    assert "--rename plain=NEW" in one.help
    scene.rows("UPDATE zeke_jobs.task SET aliases = '{plain}'")
    assert found(scene.conn, "unknown-task") == []


def work(scene: Scene, task: str, *, jobs: int, seconds: float, every: float) -> None:
    """Send a job every so many seconds; one at a time is worked off, each of which takes so long."""
    worker = scene.serve()
    busy_until = 0.0
    for n in range(jobs):
        scene.later(every)
        scene.add(task)
        scene.beat(worker)
        if n * every >= busy_until and work_off(scene, worker, seconds):
            busy_until = n * every + seconds


def work_off(scene: Scene, worker: UUID, seconds: float) -> bool:
    """Claim a job, and complete it as one that took so long."""
    claims = scene.claim(worker, 1)
    for claim in claims:
        scene.rows(
            "UPDATE zeke_jobs.queue SET state = 'done', worker = NULL, attempt = 1, completed_on = zeke_jobs.now(), "
            "started_on = zeke_jobs.now() - make_interval(secs => %s) WHERE message_id = %s",
            seconds,
            claim["message_id"],
        )
    return bool(claims)


@pytest.mark.parametrize(
    ("task", "top", "subject", "why", "help_"),
    [
        ("concurrency: 1", "", "task/slow", "task/slow allows 1; the oldest waits ", "zeke-jobs set slow.concurrency=2"),
        ("uses: [ai]", "limits: {ai: {concurrency: 1}}", "limit/ai", "limit/ai allows 1; the oldest waits ", "zeke-jobs set limits.ai.concurrency=2"),
        ("priority: 0", "", "queue/default", "", "run at least 2 threads for it"),
        ("uses: [ai], units: {tokens: 1000}", "limits: {ai: {tokens: {rate: 5000/m}}}", "limit/ai", "which use 6,000 tokens a minute; limit/ai allows 5,000", ""),
        ("rate: 3/m", "", "task/slow", "the rate of task/slow allows 3.0", ""),
    ],
    ids=["limit", "shared limit", "threads", "units", "rate"],
)  # fmt: skip
def test_what_cannot_keep_up_with_arrivals_is_found(
    scene: Scene, task: str, top: str, subject: str, why: str, help_: str
) -> None:
    tasks = f"  slow: {{handler: 'H:echo', {task}}}\n"
    scene.use(tasks, top)
    work(scene, "slow", jobs=30, seconds=16.0, every=10.0)
    if subject.startswith("queue"):
        scene.rows("UPDATE zeke_jobs.worker SET threads = 1")
    (one,) = found(scene.conn, "falling-behind")
    assert one.subject == subject
    assert one.sentence.startswith("6.0 jobs a minute of slow arrive")
    assert why in one.sentence
    assert one.help.startswith(help_)
    pausing.pause(scene.conn, "task/slow", by="ann")  # a paused task may be late
    assert found(scene.conn, "falling-behind") == []
    pausing.resume(scene.conn, "task/slow")
    scene.use(tasks.replace("concurrency: 1", "concurrency: 2"), top.replace("concurrency: 1", "concurrency: 2"))
    assert bool(found(scene.conn, "falling-behind")) == ("concurrency: 1" not in tasks + top)


def test_a_limit_that_keeps_up_is_not_found_and_neither_is_a_burst_of_the_hour(scene: Scene) -> None:
    scene.use("  extract-highlights: {handler: 'H:echo', concurrency: 1}\n")
    work(scene, "extract-highlights", jobs=10, seconds=8.0, every=9.0)
    assert found(scene.conn, "falling-behind") == []
    scene.later(3600)
    scene.add("extract-highlights", 100)
    worker = scene.serve()
    for _ in range(8):
        scene.later(8)
        scene.beat(worker)
        assert work_off(scene, worker, 8.0)
    assert found(scene.conn, "falling-behind") == []


def test_a_wait_beyond_max_wait_is_found_until_a_worker_takes_the_job(scene: Scene) -> None:
    healthy(scene, "  plain: {handler: 'H:echo', max_wait: 2m}\n")
    scene.add("plain")
    scene.later(120)
    assert found(scene.conn, "max-wait") == []
    scene.later(10)
    (one,) = found(scene.conn, "max-wait")
    assert one.sentence == "the oldest due job of plain waits 2m10s; its max_wait is 2m"
    pausing.pause(scene.conn, "task/plain", by="ann")
    assert found(scene.conn, "max-wait") == []
    pausing.resume(scene.conn, "task/plain")
    scene.claim(scene.serve(), 1)
    assert found(scene.conn, "max-wait") == []


def test_a_pause_in_force_is_noticed_with_its_end(scene: Scene) -> None:
    healthy(scene)
    jobs = scene.add("plain", 2)
    pausing.pause(scene.conn, "task/plain", by="ann", reason="the door is shut")
    scene.later(90)
    (one,) = found(scene.conn, "paused")
    assert re.fullmatch(
        r"task/plain is paused by ann since .* UTC \(1m30s\): the door is shut; 2 queued jobs wait", one.sentence
    )
    assert (one.help, one.severity) == ("zeke-jobs resume task/plain", "notice")
    pausing.resume(scene.conn, "task/plain")
    assert found(scene.conn, "paused") == []
    until = NOON + timedelta(minutes=31, seconds=30)
    lunch = Override(("tasks", "plain", "paused"), True, "bob", "lunch", NOON, until)
    applying.set_by_hand(scene.conn, lambda _file, _before: [lunch], by="bob", message="lunch")
    (one,) = found(scene.conn, "paused")
    assert one.help == "zeke-jobs set --clear plain.paused"
    assert one.sentence == (
        f"task/plain is paused by bob since {when(NOON)} (1m30s), until {when(until)} (in 30m): lunch; 2 queued jobs wait"
    )
    assert one.help in [reason.help for reason in scene.why(jobs[0]).reasons]


def test_a_schedule_that_cannot_be_read_is_found(scene: Scene) -> None:
    healthy(scene, "  plain: {handler: 'H:echo', cron: '* * * * *'}\n")
    assert found(scene.conn, "unreadable-schedule") == []
    scene.rows("SELECT zeke_jobs.put_schedule('plain/never', 'plain', '0 0 30 2 *')")
    (one,) = found(scene.conn, "unreadable-schedule")
    assert one.sentence.startswith("expected a schedule that can be read, got plain/never: expected a day that comes")


def test_a_schedule_that_skips_ticks_because_of_one_queued_job_is_found(scene: Scene) -> None:
    healthy(scene, "  plain: {handler: 'H:echo', cron: {at: '* * * * *', overlap: skip}}\n")
    dispatch.beat(scene.conn)
    for _ in range(3):
        scene.later(60)
        dispatch.beat(scene.conn)
    (one,) = found(scene.conn, "skipped-ticks")
    assert one.sentence.startswith("the schedule of plain has skipped 2 ticks, because its job ")
    job = one.figures["job"]
    assert one.help == f"zeke-jobs why {job} shows why it waits"
    scene.rows("UPDATE zeke_jobs.queue SET state = 'done' WHERE message_id = %s", job)
    assert found(scene.conn, "skipped-ticks") == []


def test_a_jobs_yaml_that_was_not_applied_is_noticed(scene: Scene, tmp_path: Path) -> None:
    healthy(scene)
    file = tmp_path / "jobs.yaml"
    in_force = store.latest(scene.conn)
    assert in_force is not None
    file.write_text(in_force.source)
    assert fleet.unapplied(scene.conn, file) is None
    file.write_text(in_force.source + "# changed\n")
    with snapshot(scene.conn):
        report = look(Patient(scene.conn, file=file))
    (one,) = [one for one in report.findings if one.id == "not-applied"]
    assert one.sentence == f"{file} was changed and not applied; in force is revision {in_force.number}"
    assert one.severity == "notice"
    file.write_text("version: 1\ntasks:\n  a: {handler: 'os:getcwd', concurency: 3}\n")
    with snapshot(scene.conn):
        report = look(Patient(scene.conn, file=file))
    (one,) = [one for one in report.findings if one.id == "not-applied"]
    assert f"It is wrong: {file}:3:29: error: expected a key of a task, got 'concurency'" in one.sentence
    assert one.severity == "warning"


# The command


def test_the_command_says_what_is_wrong_and_its_status_is_for_monitors(
    scene: Scene, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from zeke_jobs.testing import release_clock

    monkeypatch.chdir(tmp_path)  # where no jobs.yaml is
    release_clock(scene.conn)
    scene.use(PLAIN)
    assert run(app, "zeke-jobs", ["doctor"]) == 1
    out = capsys.readouterr().out
    assert "warning  unserved: no live worker runs plain of queue default; 0 jobs queued\n" in out
    assert "fine     max-wait: " in out
    assert run(app, "zeke-jobs", ["doctor", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["healthy"], [one["id"] for one in told["findings"]]) == (False, ["unserved"])
    scene.serve()
    assert run(app, "zeke-jobs", ["doctor"]) == 0
    assert "warning" not in capsys.readouterr().out


def test_a_database_that_is_not_migrated_is_a_finding(new_database: Callable[..., str]) -> None:
    report = examine(new_database())
    assert [one.id for one in report.findings] == ["not-migrated"]
    assert report.findings[0].help.startswith("zeke-jobs migrate")
    assert report.skipped == tuple(check.name for check in CHECKS)
