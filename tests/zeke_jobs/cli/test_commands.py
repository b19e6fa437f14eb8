"""The commands that send, ask and change: answers, JSON, exit statuses, errors in one grammar."""

import io
import re
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from psycopg2.extensions import connection as Connection
from pydantic import Field

import zeke_jobs
from tests.conftest import databases
from tests.each import each
from tests.zeke_jobs.commands import Ran
from zeke_jobs.cli.root import app
from zeke_jobs.cli.run import run
from zeke_jobs.client.many import Change
from zeke_jobs.payload.model import Payload


class Oneoff(Payload):
    url: str
    depth: int = 1
    tags: list[str] = Field(default_factory=list)


@pytest.fixture
def tasks(make_task: Callable[..., None]) -> None:
    make_task("ingest-oneoff", Oneoff, aliases=["oneoff"], definition='{"concurrency": {"limit": 2}}')
    make_task("pull", None, cron='{"at": "*/5 * * * *"}')


def change(conn: Connection, job_id: object, changes: str) -> None:
    with conn.cursor() as cursor:
        cursor.execute(f"UPDATE zeke_jobs.queue SET {changes} WHERE message_id = %s", (str(job_id),))


# send


@pytest.mark.usefixtures("tasks")
def test_a_payload_is_given_as_fields_whose_text_is_read_as_the_task_needs_it(cli: Callable[..., Ran]) -> None:
    ran = cli("send", "oneoff", "url=123", "depth=2", 'tags=["a"]', "--priority", 5, "--delay", "1h", "--json")
    assert ran.status == 0
    assert ran.json["task_id"] == "ingest-oneoff"
    job = zeke_jobs.status(ran.json["id"])
    assert (job.data, job.priority) == ({"url": "123", "depth": 2, "tags": ["a"]}, 5)
    assert (job.run_at - job.created_on).total_seconds() == 3600


@pytest.mark.usefixtures("tasks")
def test_a_payload_is_given_as_json_or_from_standard_input(
    cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"url": "from stdin"}'))
    assert cli("send", "oneoff", '{"url": "u"}').out.endswith("sent: ingest-oneoff\n")
    assert cli("send", "oneoff", "-").status == 0
    assert [job.data["url"] for job in zeke_jobs.jobs()] == ["from stdin", "u"]


@pytest.mark.usefixtures("tasks")
def test_a_send_estimates_units(cli: Callable[..., Ran], conn: Connection) -> None:
    with conn.cursor() as cursor:
        units = "('limit/ai', 'tokens', 1000, '1 min'), ('limit/ai', 'pages', 2, '1 min')"
        cursor.execute(f"INSERT INTO zeke_jobs.bucket (name, unit, amount, period) VALUES {units}")
        cursor.execute("UPDATE zeke_jobs.task SET limits = '{limit/ai}' WHERE id = 'pull'")
        ran = cli("send", "pull", "--units", "tokens=900", "--units", "pages=1.5", "--json")
        cursor.execute("SELECT extra -> 'units' FROM zeke_jobs.queue WHERE message_id = %s", (ran.json["id"],))
        assert cursor.fetchone() == ({"tokens": 900, "pages": 1.5},)


@pytest.mark.usefixtures("tasks")
def test_an_option_of_zero_is_sent(cli: Callable[..., Ran], conn: Connection) -> None:
    with conn.cursor() as cursor:
        cursor.execute("UPDATE zeke_jobs.task SET retry_limit = 3 WHERE id = 'pull'")
        sent = cli("send", "pull", "--retries", "0", "--json").json["id"]
        cursor.execute("SELECT retry_limit FROM zeke_jobs.job WHERE id = %s", (sent,))
        assert cursor.fetchone() == (0,)


@pytest.mark.usefixtures("tasks")
def test_a_second_send_says_that_the_job_was_there(cli: Callable[..., Ran]) -> None:
    cli("send", "pull", "--idempotency-key", "k")
    ran = cli("send", "pull", "--idempotency-key", "k")
    assert ran.status == 0
    assert "was there already: pull, created" in ran.out


@pytest.mark.usefixtures("tasks")
@each(
    ("arguments", "message"),
    [
        (["send", "onof", "url=u"], "error: expected the name of a task, got 'onof'; did you mean 'oneoff'?"),
        (
            ["send", "oneoff", "ulr=u"],
            "error: payload of ingest-oneoff does not fit:\n  ulr: expected a field of the payload",
        ),
        (["send", "oneoff", "depth=x", "url=u"], "depth: expected an integer, got 'x'"),
        (["send", "oneoff", "url"], "error: expected field=value or a JSON object, got 'url'"),
        (["send", "oneoff", "[1]"], "got '[1]'"),
        (["send", "oneoff", "{url}"], "got a fault in it"),
        (["send", "pull", "--delay", "soon"], "expected a duration such as 30s, 5m or 1h30m, got 'soon'"),
        (["send", "pull", "--run-at", "soon"], "expected a time such as"),
        (["send", "pull", "--units", "tokens"], "expected --units as unit=amount, such as tokens=900, got 'tokens'"),
        (["send", "pull", "--units", "tokens=-1"], "expected units of at least 0, got tokens=-1"),
        (["send", "pull", "--id", "7"], "expected id as a UUID, got '7'"),
        (["send"], "error: missing argument"),
        (["send", "pull", "--dealy", "1s"], "error: no such option"),
        (["status", "7"], "expected at least 4 characters of a job's id, got '7'"),
        (["jobs", "--status", "done"], "expected a status (created, retry"),
        (
            ["retry"],
            "expected ids, or filters (--task, --status, --newer, --older, --key, --error, --queue, --parent, --batch), got neither",
        ),
        (["retry", str(uuid.uuid4()), "--task", "pull"], "got both"),
        (
            ["prioritise", "--task", "pull", "--priority", "99999999999"],
            "expected priority of 32 bits, got 99999999999",
        ),
        (
            ["prioritise", "--task", "pull", "--priority", "-2147483649"],
            "expected priority of 32 bits, got -2147483649",
        ),
        (["batch", "--limit", "99999999999"], "expected limit of 31 bits, got 99999999999"),
        (["retry", "--status", "active"], "expected status failed, cancelled of jobs to retry, got active"),
        (["up", "--port", "3001"], "expected --port with --dashboard, whose port it is, got --port alone"),
        (["nope"], "error: no such command 'nope'"),
    ],
)
def test_a_users_mistake_is_one_message_and_status_2(
    cli: Callable[..., Ran], arguments: list[str], message: str
) -> None:
    ran = cli(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert message in ran.err
    assert ran.err.startswith("error: ")
    assert "Traceback" not in ran.err
    assert list(zeke_jobs.jobs()) == []


@pytest.mark.usefixtures("tasks")
def test_send_and_wait_prints_the_output_or_times_out(cli: Callable[..., Ran]) -> None:
    ran = cli("send", "pull", "--timeout", "10ms")
    assert ran.status == 1
    (job,) = zeke_jobs.jobs()
    assert ran.err.endswith(f"to end within 0.01 s, got created still\n  help: zeke-jobs why {job.id}\n")


# status


@pytest.mark.usefixtures("tasks")
def test_status_shows_the_job_its_attempts_and_what_it_sent(cli: Callable[..., Ran], conn: Connection) -> None:
    sent = zeke_jobs.send("oneoff", {"url": "https://example.org/[a]"})
    child = zeke_jobs.send("pull", parent=sent.id)
    attempts = '[{"attempt": 1, "outcome": "failed", "ended_on": "2026-01-02T03:04:05", "error": {"type": "OSError", "message": "no route"}}]'
    change(conn, sent.id, f"state = 'rejected', attempt = 1, attempts = '{attempts}', completed_on = now()")
    ran = cli("status", sent.id)
    assert ran.status == 0
    for part in (
        str(sent.id),
        "failed · OSError: no route",
        '{"url": "https://example.org/[a]"}',
        f"{child.id} pull created",
    ):
        assert part in ran.out
    assert "  attempt 1: failed: OSError: no route\n" in ran.out


@pytest.mark.usefixtures("tasks")
def test_status_shows_a_key_only_if_one_was_sent(cli: Callable[..., Ran], make_task: Callable[..., None]) -> None:
    make_task("per-key", None, per_key=1)
    with_key, without = zeke_jobs.send("per-key", key="x"), zeke_jobs.send("per-key")
    assert "\n  key       x\n" in cli("status", with_key.id).out
    assert "\n  key " not in cli("status", without.id).out
    assert zeke_jobs.status(without.id).key is None


@pytest.mark.usefixtures("tasks")
def test_status_as_json_has_every_field_and_the_children(cli: Callable[..., Ran]) -> None:
    sent = zeke_jobs.send("oneoff", {"url": "u"})
    child = zeke_jobs.send("pull", parent=sent.id)
    found = cli("status", sent.id, "--json").json
    assert (found["id"], found["status"], found["data"]) == (str(sent.id), "created", {"url": "u"})
    assert found["children"] == [{"id": str(child.id), "task_id": "pull", "status": "created"}]


@pytest.mark.usefixtures("tasks")
def test_waiting_for_a_failed_job_shows_it_and_exits_with_1(cli: Callable[..., Ran]) -> None:
    sent = zeke_jobs.send("pull")
    zeke_jobs.cancel(sent.id, "not needed")
    ran = cli("status", sent.id, "--wait")
    assert ran.status == 1
    assert "cancelled · Cancelled: not needed" in ran.out


# jobs, tasks


@pytest.mark.usefixtures("tasks")
def test_jobs_are_listed_and_filtered(cli: Callable[..., Ran], conn: Connection) -> None:
    first = zeke_jobs.send("oneoff", {"url": "u"})
    second = zeke_jobs.send("pull", parent=first.id, delay=3600)
    change(conn, first.id, "state = 'consumed', cancelled_on = now()")
    ran = cli("jobs")
    assert [line.split()[0] for line in ran.out.splitlines()] == ["id", str(second.id), str(first.id)]
    assert "being cancelled" in ran.out
    assert "not before" in ran.out
    for filters in (
        ["--task", "oneoff"],
        ["--status", "active"],
        ["--parent", first.id],
        ["--newer", "1h", "--limit", "1"],
    ):
        (only,) = cli("jobs", "--json", *filters).json
        assert only["id"] == str(second.id if "--parent" in filters or "--newer" in filters else first.id)
    assert cli("jobs", "--older", "1h").out == "no such jobs\n"


@pytest.mark.usefixtures("tasks")
def test_tasks_are_listed_with_their_jobs_limit_and_cron(cli: Callable[..., Ran], conn: Connection) -> None:
    zeke_jobs.send("oneoff", {"url": "u"})
    change(conn, zeke_jobs.send("pull").id, "state = 'consumed'")
    oneoff, pull = cli("tasks", "--json").json
    assert (oneoff["id"], oneoff["queued"], oneoff["active"], oneoff["limit"]) == ("ingest-oneoff", 1, 0, 2)
    assert (pull["id"], pull["queued"], pull["active"], pull["cron"]) == ("pull", 0, 1, "*/5 * * * *")
    assert pull["timezone"] == "UTC"
    assert "ingest-oneoff" in cli("tasks").out
    assert "  */5 * * * * (UTC)" in cli("tasks").out


# cancel, retry


@pytest.mark.usefixtures("tasks")
def test_cancel_says_what_it_did_and_exits_with_1_where_it_could_not(cli: Callable[..., Ran]) -> None:
    sent = zeke_jobs.send("pull")
    ran = cli("cancel", sent.id, "--reason", "not needed")
    assert (ran.status, ran.out) == (0, f"{sent.id}: cancelled before it started\n")
    assert zeke_jobs.status(sent.id).cancel_reason == "not needed"
    again = cli("cancel", sent.id, "--json")
    assert again.status == 1
    assert again.json[0]["changed"] is False


@pytest.mark.usefixtures("tasks")
def test_retry_works_by_id_and_by_filter(cli: Callable[..., Ran]) -> None:
    sent = [zeke_jobs.send("pull") for _ in range(3)]
    for one in sent:
        zeke_jobs.cancel(one.id)
    assert cli("retry", sent[0].id).out == f"{sent[0].id}: queued again, with a fresh retry limit\n"
    assert cli("retry", "--task", "pull", "--status", "cancelled").out == "2 jobs are queued again\n"


def counts(ran: Ran) -> dict[tuple[str, str], int]:
    return {(one["task_id"], one["status"]): one["jobs"] for one in ran.json}


@pytest.mark.usefixtures("tasks")
@pytest.mark.parametrize("after_failure", ["hold", "send"])
def test_a_dry_run_of_a_whole_batch_counts_what_is_changed(
    cli: Callable[..., Ran], conn: Connection, after_failure: Any
) -> None:
    jobs = zeke_jobs.send_many("pull", [{}] * 5, batch="b", then=("pull", {}), after_failure=after_failure)
    failed, ordered, active, stopped, _ = (one.id for one in jobs)
    change(conn, failed, "state = 'rejected', attempt = 1, completed_on = now()")
    change(conn, ordered, "state = 'rejected', attempt = 1, completed_on = now(), order_hold = true")
    change(conn, active, "state = 'consumed', attempt = 1, started_on = now()")
    change(conn, stopped, "state = 'consumed', attempt = 1, started_on = now(), cancelled_on = now()")

    def both(verb: str) -> dict[tuple[str, str], int]:
        found = counts(cli(verb, "--batch", "b", "--dry-run", "--json"))
        assert len(cli(verb, "--batch", "b", "--json").json) == sum(found.values())
        return found

    queued = {("pull", "created"): 1, ("pull", "active"): 1}
    assert both("cancel") == (queued | {("pull", "failed"): 2} if after_failure == "hold" else queued)
    for job_id in (active, stopped):
        change(conn, job_id, "state = 'rejected', completed_on = now()")
    assert sum(both("retry").values()) == 5
    ran = cli("cancel", "--batch", "nope", "--dry-run")
    assert (ran.status, ran.err) == (1, "error: expected the id of a batch, got 'nope'\n")


@pytest.mark.usefixtures("tasks")
def test_an_interrupted_change_says_at_least_how_many(cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeke_jobs.client.many._AT_ONCE", 2)
    zeke_jobs.send_many("pull", [{}] * 6)
    step, calls = Change._change, []

    def interrupted(*arguments: Any) -> Any:
        answer = step(*arguments)
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt  # committed, and the answer is lost
        return answer

    monkeypatch.setattr(Change, "_change", interrupted)
    ran = cli("cancel", "--task", "pull")
    assert (ran.status, ran.err) == (
        130,
        "at least 2 jobs changed before it was interrupted; run it again for the rest\n",
    )
    assert sum(job.status == "cancelled" for job in zeke_jobs.jobs()) == 4


@pytest.mark.usefixtures("tasks")
def test_a_retry_of_nothing_exits_with_1_and_names_a_task_that_is_misspelt(cli: Callable[..., Ran]) -> None:
    none = cli("retry", "--task", "pull", "--json")
    assert (none.status, none.json) == (1, [])
    said = cli("retry", "--task", "pull", "--newer", "1h")
    assert (said.status, said.out) == (1, "0 jobs are queued again\n")
    wrong = cli("retry", "--task", "pul")
    assert (wrong.status, wrong.out) == (2, "")
    assert wrong.err.startswith("error: expected the name of a task, got 'pul'; did you mean 'pull'?")


def test_jobs_of_a_task_that_left_the_file_are_retried(
    cli: Callable[..., Ran], conn: Connection, make_task: Callable[..., None]
) -> None:
    make_task("old")
    zeke_jobs.cancel(zeke_jobs.send("old").id)
    with conn.cursor() as cursor:
        cursor.execute("DELETE FROM zeke_jobs.task")
    assert cli("retry", "--task", "old", "--status", "cancelled").out == "1 job is queued again\n"


# The frame


@pytest.fixture(scope="module")
def empty_database(server_url: str) -> Iterator[str]:
    """A database without tables, which nothing here makes."""
    with databases(server_url) as make:
        yield make()


def commands(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, sub in getattr(command, "commands", {}).items():
        yield f"{path} {name}".strip(), sub
        yield from commands(sub, f"{path} {name}".strip())


def test_a_command_is_listed_with_a_whole_sentence_that_fits_the_line() -> None:
    for path, command in commands(typer.main.get_command(app())):
        said = command.get_short_help_str(61)
        assert re.fullmatch(r".{,58}[^.]\.", said), path


def test_no_command_shows_the_whole_help_and_is_wrong_use(cli: Callable[..., Ran]) -> None:
    asked, ran = cli("--help"), cli()
    assert "Commands" in asked.out
    assert (ran.status, ran.out, ran.err) == (2, "", asked.out)


def test_the_version_is_shown(cli: Callable[..., Ran]) -> None:
    assert cli("--version").out == f"zeke-jobs {zeke_jobs.__version__}\n"


JOB = "01a21011-c430-7126-bdde-a981c5582429"
NEED_TABLES = {
    "plan": "plan",
    "apply": "apply",
    "rollback": "rollback 1",
    "set": "set a.concurrency=3 -m why",
    "history": "history",
    "show": "show 1",
    "diff": "diff 1",
    "audit": "audit",
    "compare": "compare 1",
    "backtest": "backtest",
    "capacity": "capacity",
    "fleet": "fleet",
    "send": "send a",
    "status": f"status {JOB}",
    "top": "top --once",
    "why": f"why {JOB}",
    "jobs": "jobs",
    "tasks": "tasks",
    "limits": "limits",
    "cancel": f"cancel {JOB}",
    "retry": "retry --task a",
    "prioritise": "prioritise --task a --priority 5",
    "reschedule": "reschedule --task a --delay 1h",
    "pause": "pause task/a",
    "resume": "resume task/a",
    "paused": "paused",
    "schedule": "schedule",
    "schedule run": "schedule run a",
    "schedule backfill": "schedule backfill a --from 2026-01-01 --to 2026-01-02",
    "roles": "roles --apply",
    "batch": "batch import-42",
    "emit": "emit callback/42",
    "import pg-boss": "import pg-boss",
    "logs": "logs 01a21011-c430-7126-bdde-a981c5582429",
}
#: They make the tables or take them away, ask nothing of them, or say in their own way that they are not there.
OTHERS = {
    "import",
    "init",
    "check",
    "schema",
    "migrate",
    "up",
    "reload",
    "doctor",
    "health",
    "mcp",
    "metrics",
    "uninstall",
}


def test_each_command_is_known_to_need_tables_or_not() -> None:
    known = {path for path, _ in commands(typer.main.get_command(app()))}
    assert known == {*NEED_TABLES, *OTHERS}


@pytest.mark.parametrize("line", NEED_TABLES.values())
def test_each_command_on_a_database_without_tables_names_what_makes_them(
    cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, empty_database: str, tmp_path: Path, line: str
) -> None:
    (tmp_path / "jobs.yaml").write_text("version: 1\ntasks: {a: {handler: 'tests.zeke_jobs.revisions.world:work'}}\n")
    monkeypatch.setenv("ZEKE_JOBS_CONFIG", str(tmp_path / "jobs.yaml"))
    monkeypatch.setenv("DATABASE_URL", empty_database)
    ran = cli(*line.split())
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert "run: zeke-jobs migrate" in ran.err


@pytest.mark.parametrize("line", ["doctor", "health worker", "metrics", "uninstall --yes"])
def test_what_asks_whether_all_is_well_without_tables_says_no_or_goes(
    cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, empty_database: str, line: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database)
    assert cli(*line.split()).status in (1, 2)


def test_a_bug_of_ours_is_status_3_and_asks_for_a_report(
    cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: Any) -> None:
        raise AssertionError("cannot happen")

    monkeypatch.setattr("zeke_jobs.jobs", broken)
    monkeypatch.setenv("DATABASE_URL", "postgresql:///none")
    ran = cli("jobs")
    assert ran.status == 3
    assert "AssertionError: cannot happen" in ran.err
    assert "please report it" in ran.err


@pytest.mark.parametrize(("raised", "status"), [(KeyboardInterrupt, 130)])
def test_an_interrupt_and_a_reader_that_left_are_no_bugs(
    cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, raised: type[BaseException], status: int
) -> None:
    def interrupted(**_: Any) -> None:
        raise raised

    monkeypatch.setattr("zeke_jobs.jobs", interrupted)
    monkeypatch.setattr("sys.stdout", io.StringIO())
    monkeypatch.setenv("DATABASE_URL", "postgresql:///none")
    assert run(app, "zeke-jobs", ["jobs"]) == status


# migrate, check


def test_migrate_applies_what_is_missing_and_check_says_what_would_be(
    cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, new_database: Callable[..., str], tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", new_database())
    (tmp_path / "jobs.yaml").write_text(
        "version: 1\nmigrations: [actors.store]\ntasks:\n  a:\n    handler: not_yet.importable:a\n"
    )
    monkeypatch.setenv("ZEKE_JOBS_CONFIG", str(tmp_path / "jobs.yaml"))
    waiting = cli("migrate", "--check", "--json")
    assert waiting.status == 4
    assert waiting.json["pending"][0] == "zeke_jobs/0000_dramatiq_pg.sql"
    assert any(name.startswith("actors.store/") for name in waiting.json["pending"])
    applied = cli("migrate")
    assert applied.status == 0
    assert applied.out.endswith(
        f"{len(waiting.json['pending'])} applied; the database is up to date with zeke_jobs, actors.store\n"
    )
    assert cli("migrate", "--check").status == 0
    assert cli("migrate", "--json").json == {"applied": []}


def test_migrate_finds_packages_in_the_current_folder(
    cli: Callable[..., Ran], new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "found_here" / "migrations"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "0001_one.sql").write_text("CREATE TABLE found_here ();")
    (tmp_path / "jobs.yaml").write_text(
        "version: 1\nmigrations: [found_here]\ntasks:\n  a:\n    handler: not_yet.importable:a\n"
    )
    monkeypatch.setenv("DATABASE_URL", new_database())
    monkeypatch.delenv("ZEKE_JOBS_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [entry for entry in sys.path if entry])
    applied = cli("migrate")
    assert (applied.status, applied.err) == (0, "")
    assert "applied found_here/0001_one.sql" in applied.out


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("jobs.yml", "jobs.yml, got no such file"),
        (".", "expected a readable file at ., got Is a directory"),
        ("latin.yaml", "latin.yaml:1:3: error: expected UTF-8, got the byte 0xe9"),
    ],
)
@pytest.mark.parametrize("check", [[], ["--check"]])
def test_migrate_refuses_a_jobs_yaml_that_cannot_be_read(
    cli: Callable[..., Ran], database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str, said: str,
    check: list[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("# \xe9\nversion: 1\n".encode("latin-1"))
    monkeypatch.setenv("ZEKE_JOBS_CONFIG", named)
    ran = cli("migrate", *check)
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err


def test_migrate_needs_no_jobs_yaml_where_none_is_named(
    cli: Callable[..., Ran], database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ZEKE_JOBS_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    assert cli("migrate", "--check").status == 0
