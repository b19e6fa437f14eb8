"""Each command refuses a wrong DATABASE_URL with one line and status 2, and prints no password."""

import fcntl
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import pytest
from psycopg2.extensions import connection as Connection

from tests.conftest import FOLDER
from tests.fleet import Fleet, eventually, query, scalar
from tests.zeke_jobs.commands import Cli

PASSWORD = "pw-pl@nted-31B7"
COMMANDS = ["jobs", "migrate", "doctor", "health worker"]
NO_ADDRESS = f"postgresql+psycopg://me:{PASSWORD}@box:http/news"
JOBS = "work: {handler: 'H:work'}"


def at(database: str, *, user: str = "postgres", password: str = "", name: str = "") -> str:
    """Return the URL of the test's database with another user, password or name."""
    parts = urlsplit(database)
    credentials = f"{user}:{password}@" if password else f"{user}@"
    return urlunsplit(parts._replace(netloc=credentials, path=f"/{name}" if name else parts.path))


@pytest.fixture
def role(conn: Connection) -> Iterator[str]:
    """Make a user who must give a password to the server."""
    rules = FOLDER / "data" / "pg_hba.conf"
    with (FOLDER / "rules.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # The run's other processes share the server.
        before = rules.read_text()
        rules.write_text(f"local all t_asked scram-sha-256\n{before}")
        query(conn, "CREATE ROLE t_asked LOGIN SUPERUSER PASSWORD %s", PASSWORD)
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
        "a user and a password that the server accepts": at(database, user=role, password=PASSWORD + "x"),
        "the name of a host that exists": f"postgresql://me:{PASSWORD}@nowhere.invalid/news",
        "the name of a database that exists": at(database, name="t_nowhere"),
    }.items():
        monkeypatch.setenv("DATABASE_URL", address)
        status, shown = told(cli, command)
        assert f"expected {expected} in DATABASE_URL, got: " in shown
        assert "away" not in shown
        assert "does not answer" not in shown
        # doctor and health examine the database, so for these two commands status 1 means a bad result.
        assert status == (1 if command in ("doctor", "health worker") else 2)


@pytest.mark.parametrize("form", ["postgresql+asyncpg", "psql"])
def test_commands_work_with_the_addresses_that_people_have(
    form: str, role: str, database: str, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    address = at(database, user=role, password=PASSWORD).replace("postgresql", form, 1)
    monkeypatch.setenv("DATABASE_URL", f"{address}&schema=public&connection_limit=5&pgbouncer=true")
    assert told(cli, "jobs") == (0, "no such jobs\n")


def test_what_would_run_for_long_ends_at_once_instead(fleet: Fleet, role: str) -> None:
    fleet.configure(JOBS)
    started = (
        fleet.run("zeke-jobs", "up", DATABASE_URL=NO_ADDRESS),
        fleet.workers(DATABASE_URL=at(fleet.database, user=role, password="x" + PASSWORD)),
    )
    for command in started:
        assert command.wait() == 2, command.text()
        assert "expected " in command.text()
        assert not any(part in command.text() for part in ("Traceback", "pl@nted", "nted-31B7"))


def test_who_runs_already_waits_for_a_password_that_was_changed(fleet: Fleet, role: str, conn: Connection) -> None:
    fleet.configure(JOBS)
    fleet.database = at(fleet.database, user=role, password=PASSWORD)
    worker, scheduler = fleet.workers(), fleet.scheduler()
    there = "SELECT count(*) FROM zeke_jobs.worker WHERE kind = %s"
    kinds = f"{there} AND heartbeat_on > clock_timestamp() - interval '2 s'"
    eventually(lambda: scalar(conn, kinds, "worker") and scalar(conn, there, "scheduler"), 30, fleet)
    query(conn, "ALTER ROLE t_asked PASSWORD 'another'")
    query(conn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 't_asked'")
    eventually(lambda: "password that the server accepts" in worker.text(), 30, fleet)
    query(conn, "ALTER ROLE t_asked PASSWORD %s", PASSWORD)
    eventually(lambda: scalar(conn, kinds, "worker"), 30, fleet)
    assert (worker.process.poll(), scheduler.process.poll()) == (None, None)
