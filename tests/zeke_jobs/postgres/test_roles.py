"""The rights of each role through the real interfaces, and the database's refusals."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from psycopg2.errors import InsufficientPrivilege
from psycopg2.extensions import connection as Connection
from pydantic import BaseModel

import zeke_jobs
from tests.each import each
from tests.zeke_jobs.postgres.members import MEMBERS, TASKS, query, refused
from tests.zeke_jobs.worker.conftest import load
from tests.zeke_jobs.working import working
from zeke_jobs.cli.root import app
from zeke_jobs.cli.run import run
from zeke_jobs.config import load_text
from zeke_jobs.errors import InvalidPayload, UnknownTask
from zeke_jobs.payload.model import Payload
from zeke_jobs.postgres import roles
from zeke_jobs.postgres.pool import connect
from zeke_jobs.revisions import boot
from zeke_jobs.scheduler import beat
from zeke_jobs.worker import builder


@pytest.fixture
def worker(granted: str) -> Iterator[None]:
    """A worker of the owner, for tests that wait."""
    with working(load(TASKS), granted, threads=2):
        yield


@pytest.mark.usefixtures("worker")
def test_a_client_sends_waits_and_reads_status(log_in: Callable[[str], str]) -> None:
    log_in(roles.CLIENT)
    sent = zeke_jobs.send("parrot", {"n": 5}, key="a")
    assert zeke_jobs.wait(sent.id, timeout=20)["n"] == 5
    assert zeke_jobs.status(sent.id).status == "completed"
    assert len(zeke_jobs.send_many("echo", [{"n": 1}, {"n": 2}])) == 2
    assert zeke_jobs.send("echo", {"n": 5}, id=sent.id).duplicate
    with pytest.raises(UnknownTask, match="did you mean 'echo'"):
        zeke_jobs.send("ecco")
    with pytest.raises(InvalidPayload):
        zeke_jobs.send("echo", {"m": 1})


def test_a_client_cannot_stand_in_for_a_schedule(log_in: Callable[[str], str]) -> None:
    early = '{"scheduled_for": "2031-01-01Z", "run_at": "2999-01-01Z"}'
    refused(
        log_in(roles.CLIENT),
        f"SELECT zeke_jobs.send('tick', '{{}}', '{early}')",
        f"SELECT zeke_jobs.enqueue('tick', NULL, '{{}}', '{early}', gen_random_uuid()::text)",
    )


SECRET = "planted-secret-77"
KEPT = f"""
  keep:
    handler: 'tests.zeke_jobs.postgres.test_roles:keep'
    sensitive: [api_token, pin]
    concurrency: {{per_key: 1}}
    cron: {{at: '0 3 * * *', payload: {{apiToken: {SECRET}, word: w}}}}
  again:
    handler: 'tests.zeke_jobs.postgres.test_roles:keep'
    sensitive: [api_token, pin]
    cron: [{{name: payload, at: '0 3 * * *', payload: {{apiToken: {SECRET}, word: w}}}}]
"""


class Kept(Payload):
    api_token: str = ""
    word: str = ""
    n: int = 0
    pin: int = 0


class Mail(BaseModel):
    token: str = ""

    def open(self) -> Mail:
        return self


SERVICES = f"services: {{mail: {{use: 'tests.zeke_jobs.postgres.test_roles:Mail', token: {SECRET}}}}}"


def keep(payload: Kept, ctx: zeke_jobs.Context) -> None:
    """A handler."""


def test_nothing_that_a_reader_can_select_or_ask_shows_a_sensitive_field(
    log_in: Callable[[str], str], conn: Connection, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before, after = (
        f"version: 1\n{SERVICES}\ntasks: {KEPT.replace('word: w', word)}" for word in ("word: w", "word: x, n: 2")
    )
    boot.sync(conn, load_text(before, "jobs.yaml"))
    given = {"apiToken": SECRET}
    job = zeke_jobs.send("keep", {**given, "word": "w"}, key=f"k-{SECRET}").id
    zeke_jobs.schedules.put("keep/own", task="keep", at="0 4 * * *", payload=given, key=f"k-{SECRET}")
    log_in(roles.OPERATOR)
    for override in (f"keep.cron.payload.apiToken={SECRET}2", "keep.priority=3"):
        assert run(app, "zeke-jobs", ["set", override, "-m", "a test"]) == 0, capsys.readouterr().err
    path = tmp_path / "jobs.yaml"
    path.write_text(after)
    plans = []
    for role in (roles.OPERATOR, roles.READER):
        url = log_in(role)
        capsys.readouterr()
        assert run(app, "zeke-jobs", ["plan", "--json", str(path)]) == 4
        plans.append(capsys.readouterr().out)
        assert SECRET not in plans[-1]
        for command in (
            ("why", str(job)),
            ("schedule",),
            ("limits",),
            ("doctor",),
            ("status", str(job)),
            ("jobs",),
            ("paused",),
            ("fleet",),
        ):
            assert run(app, "zeke-jobs", [*command, "--json"]) in (0, 1)
            said = capsys.readouterr()
            assert "permission denied" not in said.err
            assert SECRET not in said.out
    changed = [[(one["key"], one["before"], one["after"]) for one in json.loads(text)["changes"]] for text in plans]
    assert [one[0] for one in changed[1]] == [
        f"cron.{name}payload.{key}" for name in ("", "payload.") for key in ("word", "n")
    ]
    assert changed[0] == changed[1]
    columns = query(conn, f"SELECT format('%I', a.attname), a.attrelid::regclass::text FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid WHERE a.attnum > 0 AND c.relkind IN ('r', 'v') AND c.relnamespace IN ('zeke_jobs'::regnamespace, 'pgboss'::regnamespace) AND has_column_privilege('{roles.READER}', c.oid, a.attnum, 'SELECT')")  # fmt: skip
    assert len(columns) > 300
    with closing(connect(url)) as reading, reading.cursor() as cursor:
        for column, relation in columns:
            cursor.execute(f"SELECT {column}::text FROM {relation}")
            assert SECRET not in str(cursor.fetchall()), (relation, column)


def test_a_plan_judges_waiting_jobs_by_what_its_login_may_read(
    log_in: Callable[[str], str], conn: Connection, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "jobs.yaml"
    path.write_text(f"version: 1\ntasks: {KEPT}")
    boot.sync(conn, load_text(path.read_text(), "jobs.yaml"))
    for field in ("pin", "n"):
        job = zeke_jobs.send("keep", {"word": "w"}, key=field).id
        query(conn, f"UPDATE zeke_jobs.queue SET message = jsonb_set(message, '{{kwargs,{field}}}', '[7]') WHERE message_id = '{job}' RETURNING 1")  # fmt: skip
    query(conn, "UPDATE zeke_jobs.task SET payload_schema = '{}' WHERE id = 'keep' RETURNING 1")
    for role, unfit in ((roles.OPERATOR, 2), (roles.READER, 1)):
        log_in(role)
        assert run(app, "zeke-jobs", ["plan", "--json", str(path)]) == 0
        (found,) = json.loads(capsys.readouterr().out)["touched"]
        assert (found["why"], found["queued"], found["name"]) == ("unfit", unfit, "keep")


def test_a_worker_and_a_scheduler_run_under_their_role(log_in: Callable[[str], str], conn: Connection) -> None:
    with conn.cursor() as cursor:
        cursor.execute("DELETE FROM zeke_jobs.task")
        cursor.execute("DELETE FROM zeke_jobs.revision")
    url = log_in(roles.WORKER)
    tasks = TASKS + "  chain: {handler: 'F:chain', concurrency: {limit: 2, per_key: 1}, rate: 100/s}\n"
    with working(load(tasks), url, threads=2) as broker:
        assert zeke_jobs.wait(zeke_jobs.send("echo", {"n": 3}).id, timeout=20)["n"] == 3
        assert zeke_jobs.wait(zeke_jobs.send("chain", {"n": 3}, key="a").id, timeout=20) is not None
        broker.lifecycle.heartbeat.beat(conn)
        # The beat has its own thread, so its failures would be in the table of beats.
        beaten = threading.Thread(target=beat.beat, args=(url,))
        beaten.start()
        beaten.join(20)
        with conn.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM zeke_jobs.schedule_beat")
            assert cursor.fetchone() == (1,)


def test_an_operator_looks_and_turns(
    log_in: Callable[[str], str], conn: Connection, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    log_in(roles.OPERATOR)
    job = zeke_jobs.send("echo", {"n": 1}).id
    path = tmp_path / "jobs.yaml"
    path.write_text(load(TASKS).text.replace("max_wait: 1m", "max_wait: 1m, concurrency: {limit: 4, per_key: 1}"))

    def zeke(*arguments: object) -> None:
        status = run(app, "zeke-jobs", [str(argument) for argument in arguments])
        said = capsys.readouterr()
        assert (status, said.err) == (0, ""), f"{arguments}: {said.out}"

    for command in (
        ("status", job), ("jobs",), ("tasks",), ("limits",), ("fleet",), ("history",), ("paused",), ("why", job),
        ("cancel", job), ("retry", job), ("pause", "task/echo"), ("resume", "task/echo"),
        ("prioritise", job, "--priority", 2), ("reschedule", "--task", "echo", "--delay", "1h"),
        ("reschedule", job, "--delay", "0s"), ("cancel", "--task", "echo", "--dry-run"),
        ("apply", path), ("set", "echo.priority=3", "-m", "a test"), ("rollback", 1), ("diff", 1, 2), ("compare", 1, 2),
        ("pause", "schedule/tick"), ("resume", "schedule/tick"), ("schedule", "run", "tick"),
        ("schedule", "backfill", "tick", "--from", "2026-01-01T00:00", "--to", "2026-01-01T00:02"), ("diff", 1, 3),
    ):  # fmt: skip
        zeke(*command)
    assert run(app, "zeke-jobs", ["plan", str(path)]) == 4
    assert run(app, "zeke-jobs", ["doctor"]) in (0, 1)  # no workers here, which it says
    assert "permission denied" not in "".join(capsys.readouterr())


def test_a_worker_whose_user_may_not_work_ends_with_what_to_do(
    log_in: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    import dramatiq

    broker = builder.build(load(TASKS), log_in(roles.READER))
    with pytest.raises(SystemExit, match="2"):
        dramatiq.Worker(broker, worker_threads=1).start()
    assert "expected a database user with this right, got: permission denied" in capsys.readouterr().err


def test_roles_prints_what_it_would_run_and_grants_it_and_a_stranger_is_told_who_may(
    log_in: Callable[[str], str], capsys: pytest.CaptureFixture[str], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database)
    assert run(app, "zeke-jobs", ["roles"]) == 0
    assert capsys.readouterr().out == roles.script()
    assert run(app, "zeke-jobs", ["roles", "--apply"]) == 0
    assert "granted: zeke_jobs_client" in capsys.readouterr().out
    log_in(roles.OPERATOR)
    assert run(app, "zeke-jobs", ["roles", "--apply"]) == 1
    assert "help: let such a user run it: zeke-jobs roles | psql" in capsys.readouterr().err


@each(
    ("member", "statement", "lacks"),
    [
        (roles.CLIENT, "SELECT zeke_jobs.count_changes('cancel', '{}', '{}', 1)", roles.OPERATOR),
        (roles.READER, "SELECT zeke_jobs.enqueue('echo', '1', '{}', '{}', 'x')", roles.CLIENT),
        (roles.OPERATOR, "SELECT zeke_jobs.forget_audit()", roles.WORKER),
        (roles.READER, "SELECT 1 FROM zeke_jobs.job_log", roles.OPERATOR),
        (roles.CLIENT, "SELECT 1 FROM zeke_jobs.queue", roles.READER),
        (roles.CLIENT, "SELECT 1 FROM zeke_jobs.tick", roles.READER),
        (roles.CLIENT, "SELECT 1 FROM zeke_jobs.task_wait", roles.READER),
    ],
)
def test_a_refused_right_names_the_login_and_the_grant_of_the_role_that_has_it(
    log_in: Callable[[str], str], member: str, statement: str, lacks: str
) -> None:
    with (
        closing(connect(log_in(member))) as conn,
        conn.cursor() as cursor,
        pytest.raises(InsufficientPrivilege) as refusal,
    ):
        cursor.execute(statement)
    said = roles.complaint(refusal.value)
    assert "got: permission denied for " in said
    assert f", as {MEMBERS[member]}\n  help: GRANT {lacks} TO {MEMBERS[member]}; " in said


def test_a_reader_who_asks_for_more_of_a_table_is_told_of_the_operator(log_in: Callable[[str], str]) -> None:
    with closing(connect(log_in(roles.READER))) as conn, pytest.raises(InsufficientPrivilege) as refusal:
        query(conn, "SELECT message FROM zeke_jobs.queue")
    assert "has that role, it needs zeke_jobs_operator for this, or its rights are older" in roles.complaint(
        refusal.value
    )
