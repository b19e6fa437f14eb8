"""Each role uses its rights through the real interfaces, and the database refuses everything else."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from psycopg2.errors import InsufficientPrivilege
from psycopg2.extensions import connection as Connection
from pydantic import BaseModel

import zeke_jobs
from tests.each import each
from tests.zeke_jobs.postgres.members import MEMBERS, TASKS, refused
from tests.zeke_jobs.sql import change, rows, value
from tests.zeke_jobs.worker.conftest import load
from tests.zeke_jobs.working import working
from zeke_jobs.cli.root import app
from zeke_jobs.cli.run import run
from zeke_jobs.config import load_text
from zeke_jobs.errors import InvalidPayload, UnknownTask
from zeke_jobs.payload.model import Payload
from zeke_jobs.postgres import roles
from zeke_jobs.postgres.pool import connect
from zeke_jobs.revisions import applying
from zeke_jobs.scheduler import beat
from zeke_jobs.worker import builder


def test_a_client_sends_waits_and_reads_status(granted: str, log_in: Callable[[str], str]) -> None:
    with working(load(TASKS), granted, threads=2):
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
    """The handler does nothing."""


def test_nothing_that_a_reader_can_select_or_ask_shows_a_sensitive_field(
    log_in: Callable[[str], str], conn: Connection, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before, after = (
        f"version: 1\n{SERVICES}\ntasks: {KEPT.replace('word: w', word)}" for word in ("word: w", "word: x, n: 2")
    )
    applying.sync(conn, load_text(before, "jobs.yaml"))
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
        for command in (("why", str(job)), ("schedule",), ("limits",), ("doctor",), ("status", str(job)), ("jobs",), ("paused",), ("fleet",)):  # fmt: skip
            assert run(app, "zeke-jobs", [*command, "--json"]) in (0, 1)
            said = capsys.readouterr()
            assert "permission denied" not in said.err
            assert SECRET not in said.out
    changed = [[(one["key"], one["before"], one["after"]) for one in json.loads(text)["changes"]] for text in plans]
    keys = [f"cron.{name}payload.{key}" for name in ("", "payload.") for key in ("word", "n")]
    assert [one[0] for one in changed[1]] == keys
    assert changed[0] == changed[1]
    columns = rows(
        conn,
        f"""SELECT format('%I', a.attname), a.attrelid::regclass::text FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
        WHERE a.attnum > 0 AND c.relkind IN ('r', 'v') AND c.relnamespace IN ('zeke_jobs'::regnamespace, 'pgboss'::regnamespace)
        AND has_column_privilege('{roles.READER}', c.oid, a.attnum, 'SELECT')""",
    )
    assert len(columns) > 300
    with closing(connect(url)) as reading:
        for column, relation in columns:
            assert SECRET not in str(rows(reading, f"SELECT {column}::text FROM {relation}")), (relation, column)


def test_a_plan_judges_waiting_jobs_by_what_its_login_may_read(
    log_in: Callable[[str], str], conn: Connection, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "jobs.yaml"
    path.write_text(f"version: 1\ntasks: {KEPT}")
    applying.sync(conn, load_text(path.read_text(), "jobs.yaml"))
    for field in ("pin", "n"):
        job = zeke_jobs.send("keep", {"word": "w"}, key=field).id
        change(conn, job, f"message = jsonb_set(message, '{{kwargs,{field}}}', '[7]')")
    rows(conn, "UPDATE zeke_jobs.task SET payload_schema = '{}' WHERE id = 'keep'")
    for role, unfit in ((roles.OPERATOR, 2), (roles.READER, 1)):
        log_in(role)
        assert run(app, "zeke-jobs", ["plan", "--json", str(path)]) == 0
        (found,) = json.loads(capsys.readouterr().out)["touched"]
        assert (found["why"], found["queued"], found["name"]) == ("unfit", unfit, "keep")


def test_a_worker_and_a_scheduler_run_under_their_role(log_in: Callable[[str], str], conn: Connection) -> None:
    rows(conn, "DELETE FROM zeke_jobs.task; DELETE FROM zeke_jobs.revision")
    url = log_in(roles.WORKER)
    tasks = TASKS + "  chain: {handler: 'F:chain', concurrency: {limit: 2, per_key: 1}, rate: 100/s}\n"
    with working(load(tasks), url, threads=2) as broker:
        assert zeke_jobs.wait(zeke_jobs.send("echo", {"n": 3}).id, timeout=20)["n"] == 3
        assert zeke_jobs.wait(zeke_jobs.send("chain", {"n": 3}, key="a").id, timeout=20) is not None
        broker.lifecycle.heartbeat.beat(conn)
        # The beat runs in its own thread and stores its failures in the table of beats.
        beaten = threading.Thread(target=beat.beat, args=(url,))
        beaten.start()
        beaten.join(20)
        assert value(conn, "SELECT count(*) FROM zeke_jobs.schedule_beat") == 1


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
        (roles.READER, "SELECT message FROM zeke_jobs.queue", None),
        (roles.CLIENT, "SELECT 1 FROM zeke_jobs.queue", roles.READER),
        (roles.CLIENT, "SELECT 1 FROM zeke_jobs.tick", roles.READER),
        (roles.CLIENT, "SELECT 1 FROM zeke_jobs.task_wait", roles.READER),
    ],
)
def test_a_refused_right_names_the_login_and_the_grant_of_the_role_that_has_it(
    log_in: Callable[[str], str], member: str, statement: str, lacks: str | None
) -> None:
    with closing(connect(log_in(member))) as conn, pytest.raises(InsufficientPrivilege) as refusal:
        rows(conn, statement)
    said = roles.complaint(refusal.value)
    assert "got: permission denied for " in said
    if lacks:
        assert f", as {MEMBERS[member]}\n  help: GRANT {lacks} TO {MEMBERS[member]}; " in said
    else:  # The role may read only some columns of the table.
        assert "has that role, it needs zeke_jobs_operator for this, or its rights are older" in said
