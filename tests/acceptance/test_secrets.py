"""Secrets are put into every input, and searched for in every output."""

import subprocess
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

import psutil
import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.fleet import Fleet, eventually, scalar
from zeke_jobs.postgres import server_programs

TOKEN, PASSWORD, FIELD = "tk-planted-93F1", "pw-planted-77C2", 'field-planted-"55A0'
TASKS = """
  version: 1
  services:
    vault: {use: "H:Vault", token: "${VAULT_TOKEN}"}
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


@pytest.fixture
def planted(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """Start a fleet whose database URL has a password, and whose services have a token."""
    fleet.database = urlunsplit(urlsplit(fleet.database)._replace(netloc=f"postgres:{PASSWORD}@"))
    monkeypatch.setenv("DATABASE_URL", fleet.database)
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    fleet.configure(TASKS)
    fleet.workers(), fleet.scheduler()
    return fleet


def shown(text: str) -> list[str]:
    return [secret for secret in (TOKEN, PASSWORD, FIELD, FIELD.replace('"', r"\"")) if secret in text]


def command_lines() -> str:
    """Return the command lines of all processes, which any user of the machine can see."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # The process may just have ended.
            found.append(" ".join(process.cmdline()))
    assert any("zeke_jobs.actors" in line for line in found)
    return "\n".join(found)


def test_planted_secrets_come_out_nowhere(planted: Fleet, conn: Connection) -> None:
    planted.ready(conn, 1)
    given = {"user": "u", "password": FIELD}
    jobs = {way: zeke_jobs.send("log-in", {**given, "fail": way}).id for way in ("", "raise", "chain", "reject")}
    ends = {"completed", "failed"}
    eventually(lambda: {zeke_jobs.status(job).status for job in jobs.values()} <= ends, 60, planted)

    assert shown(command_lines()) == []

    # A caller of ``wait`` gets the whole output of a job, but views mask the output.
    assert zeke_jobs.wait(jobs[""], timeout=5)["password"] == FIELD
    said = [planted.zeke(*map(str, command), status=None) for command in (
        ("check",), ("plan",), ("tasks",), ("jobs", "--json"), ("fleet", "--json"), ("history",), ("show", 1), ("schedule",),
        *(("status", job, "--json") for job in jobs.values()), *(("why", job) for job in jobs.values()),
        ("send", "log-in", "user=u", f"password={FIELD}", "wrong=1"),
    )]  # fmt: skip
    assert [command for command in said if shown(command)] == []
    assert "${VAULT_TOKEN}" in planted.zeke("status", str(jobs["raise"]))
    logs = "\n".join(command.text() for command in planted.commands)
    assert "logging in" in logs
    assert "written by hand: *** ${VAULT_TOKEN}" in logs
    assert "POST /login password=*** token=${VAULT_TOKEN}" in logs
    assert shown(logs) == []

    for view in ("zeke_jobs.job", "pgboss.job", "zeke_jobs.finished", "zeke_jobs.schedule"):
        assert shown(scalar(conn, f"SELECT coalesce(string_agg(v::text, ''), '') FROM {view} AS v")) == [], view

    # The database stores a sensitive field only in the job's payload and output.
    command = (
        server_programs.binaries() / "pg_dump",
        "--data-only",
        "--exclude-table=zeke_jobs.queue",
        planted.database,
    )
    dump = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "log-in" in dump
    assert shown(dump) == []
    rest = "(to_jsonb(q) - 'message' - 'result')::text || (q.message - 'kwargs')::text"
    assert shown(scalar(conn, f"SELECT string_agg({rest}, '') FROM zeke_jobs.queue AS q")) == []
