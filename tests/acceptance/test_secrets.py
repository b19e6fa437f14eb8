"""Secrets are put into every input, and searched for in every output; each command refuses a wrong DATABASE_URL."""

import fcntl
import subprocess
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import psutil
import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.conftest import FOLDER
from tests.fleet import Fleet, eventually, query, scalar
from tests.zeke_jobs.commands import Cli
from zeke_jobs.postgres import server_programs

TOKEN, PASSWORD, FIELD = "tk-planted-93F1", "pw-planted-77C2", 'field-planted-"55A0'
TASKS = """
  version: 1
  services:
    vault: {use: "H:Service", token: "${VAULT_TOKEN}"}
  tasks:
    log-in:
      handler: "H:log_in"
      sensitive: [password]
      retry: {limit: 0}
      settings: {token: "${VAULT_TOKEN}"}
    nightly:
      handler: "H:log_in"
      sensitive: [password]
      settings: {token: "${VAULT_TOKEN}"}
      cron: {at: "0 3 * * *", payload: {user: root, password: not-planted}}
"""


def shown(text: str) -> list[str]:
    return [secret for secret in (TOKEN, PASSWORD, FIELD, FIELD.replace('"', r"\"")) if secret in text]


def test_planted_secrets_come_out_nowhere(fleet: Fleet, conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet.database = urlunsplit(urlsplit(fleet.database)._replace(netloc=f"postgres:{PASSWORD}@"))
    monkeypatch.setenv("DATABASE_URL", fleet.database)
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    fleet.serve(TASKS, conn)
    fleet.scheduler()
    given = {"user": "u", "password": FIELD}
    jobs = {way: zeke_jobs.send("log-in", {**given, "fail": way}).id for way in ("", "raise", "chain", "reject")}
    ends = {"completed", "failed"}
    eventually(lambda: {zeke_jobs.status(job).status for job in jobs.values()} <= ends, 60, fleet)

    # Any user can see the command lines of all processes.
    visible = [" ".join(one.info["cmdline"] or ()) for one in psutil.process_iter(["cmdline"])]
    assert any("zeke_jobs.actors" in line for line in visible)
    assert shown("\n".join(visible)) == []

    # A caller of ``wait`` gets the whole output of a job, but views mask the output.
    assert zeke_jobs.wait(jobs[""], timeout=5)["password"] == FIELD
    said = [fleet.zeke(*map(str, command), status=None) for command in (
        ("check",), ("plan",), ("tasks",), ("jobs", "--json"), ("fleet", "--json"), ("history",), ("show", 1), ("schedule",),
        *(("status", job, "--json") for job in jobs.values()), *(("why", job) for job in jobs.values()),
        ("send", "log-in", "user=u", f"password={FIELD}", "wrong=1"),
    )]  # fmt: skip
    assert [command for command in said if shown(command)] == []
    assert "${VAULT_TOKEN}" in fleet.zeke("status", str(jobs["raise"]))
    logs = "\n".join(command.text() for command in fleet.commands)
    assert "logging in" in logs
    assert "written by hand: *** ${VAULT_TOKEN}" in logs
    assert "POST /login password=*** token=${VAULT_TOKEN}" in logs
    assert shown(logs) == []

    for view in ("zeke_jobs.job", "pgboss.job", "zeke_jobs.finished", "zeke_jobs.schedule"):
        assert shown(scalar(conn, f"SELECT coalesce(string_agg(v::text, ''), '') FROM {view} AS v")) == [], view

    # The database stores a sensitive field only in the job's payload and output.
    dump_all_else = [str(server_programs.binaries() / "pg_dump"), "--data-only", "--exclude-table=zeke_jobs.queue"]
    dump = subprocess.run([*dump_all_else, fleet.database], capture_output=True, text=True, check=True).stdout
    assert "log-in" in dump
    assert shown(dump) == []
    rest = "(to_jsonb(q) - 'message' - 'result')::text || (q.message - 'kwargs')::text"
    assert shown(scalar(conn, f"SELECT string_agg({rest}, '') FROM zeke_jobs.queue AS q")) == []


# ── addresses: each command refuses a wrong DATABASE_URL with one line and status 2, and prints no password

ASKED_FOR = "pw-pl@nted-31B7"
COMMANDS = ["jobs", "migrate", "doctor", "health worker"]
NO_ADDRESS = f"postgresql+psycopg://me:{ASKED_FOR}@box:http/news"
JOBS = "work: {handler: 'H:work'}"


def at(database: str, *, user: str = "postgres", password: str = "", name: str = "") -> str:
    parts = urlsplit(database)
    credentials = f"{user}:{password}@" if password else f"{user}@"
    return urlunsplit(parts._replace(netloc=credentials, path=f"/{name}" if name else parts.path))


@pytest.fixture
def role(conn: Connection) -> Iterator[str]:
    rules = FOLDER / "data" / "pg_hba.conf"
    with (FOLDER / "rules.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # The run's other processes share the server.
        before = rules.read_text()
        rules.write_text(f"local all t_asked scram-sha-256\n{before}")
        query(conn, "CREATE ROLE t_asked LOGIN SUPERUSER PASSWORD %s", ASKED_FOR)
        query(conn, "SELECT pg_reload_conf()")
        yield "t_asked"
        query(conn, "DROP ROLE t_asked")
        rules.write_text(before)
        query(conn, "SELECT pg_reload_conf()")


def told(cli: Cli, command: str) -> tuple[int, str]:
    ran = cli(*command.split())
    shown = ran.out + ran.err
    assert not any(part in shown for part in ("Traceback", "pl@nted", "nted-31B7"))
    return ran.status, shown


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_tells_a_wrong_address_password_host_and_database_from_one_that_is_away(
    command: str, role: str, database: str, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    monkeypatch.setenv("DATABASE_URL", NO_ADDRESS)
    status, shown = told(cli, command)
    assert (status, shown.count("\n"), shown.startswith("error: expected ")) == (2, 1, True), shown
    for expected, address in {
        "a user and a password that the server accepts": at(database, user=role, password=ASKED_FOR + "x"),
        "the name of a host that exists": f"postgresql://me:{ASKED_FOR}@nowhere.invalid/news",
        "the name of a database that exists": at(database, name="t_nowhere"),
    }.items():
        monkeypatch.setenv("DATABASE_URL", address)
        status, shown = told(cli, command)
        assert f"expected {expected} in DATABASE_URL, got: " in shown
        assert "away" not in shown
        assert "does not answer" not in shown
        # doctor and health examine the database, so for these two commands status 1 means a bad result.
        assert status == (1 if command in ("doctor", "health worker") else 2)


def test_what_would_run_for_long_ends_at_once_instead(fleet: Fleet, role: str) -> None:
    fleet.configure(JOBS)
    fleet.run("zeke-jobs", "up", DATABASE_URL=NO_ADDRESS)
    fleet.workers(DATABASE_URL=at(fleet.database, user=role, password="x" + ASKED_FOR))
    for command in fleet.commands:
        assert command.wait() == 2, command.text()
        assert "expected " in command.text()
        assert not any(part in command.text() for part in ("Traceback", "pl@nted", "nted-31B7"))


def test_one_with_a_frameworks_address_waits_for_a_changed_password(fleet: Fleet, role: str, conn: Connection) -> None:
    fleet.configure(JOBS)
    address = at(fleet.database, user=role, password=ASKED_FOR).replace("postgresql", "postgresql+asyncpg", 1)
    fleet.database = f"{address}&schema=public&connection_limit=5&pgbouncer=true"  # Frameworks give such addresses.
    worker, scheduler = fleet.workers(), fleet.scheduler()
    there = "SELECT count(*) FROM zeke_jobs.worker WHERE kind = %s"
    kinds = f"{there} AND heartbeat_on > clock_timestamp() - interval '2 s'"
    eventually(lambda: scalar(conn, kinds, "worker") and scalar(conn, there, "scheduler"), 30, fleet)
    query(conn, "ALTER ROLE t_asked PASSWORD 'another'")
    query(conn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 't_asked'")
    eventually(lambda: "password that the server accepts" in worker.text(), 30, fleet)
    query(conn, "ALTER ROLE t_asked PASSWORD %s", ASKED_FOR)
    eventually(lambda: scalar(conn, kinds, "worker"), 30, fleet)
    assert (worker.process.poll(), scheduler.process.poll()) == (None, None)
