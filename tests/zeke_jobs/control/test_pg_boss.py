"""``zeke-jobs import pg-boss``: jobs taken over, jobs that stay, and that no job runs twice or is lost."""

import json
import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg2 import OperationalError
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.zeke_jobs.control import pg_boss_schema as boss
from zeke_jobs.cli.root import app
from zeke_jobs.cli.run import run
from zeke_jobs.control import pg_boss
from zeke_jobs.errors import ConfigurationError, UnknownTask
from zeke_jobs.payload.model import Payload
from zeke_jobs.postgres import migrate
from zeke_jobs.postgres.pool import connect
from zeke_jobs.postgres.queries import SQL

LATER = datetime(2090, 1, 1, 12, tzinfo=UTC)
RECENT = timedelta(days=2)
LONG = random.Random(1).randbytes(2000).hex()  # it cannot be compressed to the size of an index entry


class Page(Payload):
    page_url: str


@pytest.fixture
def url(new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> str:
    """A database in which pg-boss comes first: ours makes no views of its name there."""
    made = new_database()
    monkeypatch.setenv("DATABASE_URL", made)
    return made


@pytest.fixture
def conn(url: str) -> Iterator[Connection]:
    with closing(connect(url)) as connection:
        yield connection


@pytest.fixture
def settle(conn: Connection, make_task: Callable[..., None]) -> Callable[[str], None]:
    """Makes a pg-boss of a version, then our tables and two tasks."""

    def make(version: str) -> None:
        boss.install(conn, version, "fetch-page", "old-mail", "unknown")
        migrate.migrate(conn)
        make_task("fetch", Page, aliases=["fetch-page"])
        make_task("mail", None)

    return make


def take(conn: Connection, **options: Any) -> pg_boss.Report:
    return pg_boss.Import(
        conn, **{"schema": "pgboss", "names": {"old-mail": "mail"}, "recent": RECENT, "by": "ada", **options}
    ).run()


def our_jobs() -> dict[uuid.UUID, Any]:
    return {job.id: job for job in zeke_jobs.jobs()}


@pytest.mark.parametrize("version", list(boss.VERSIONS))
def test_queued_scheduled_and_recent_jobs_become_jobs_of_their_tasks(
    conn: Connection, settle: Callable[[str], None], version: str
) -> None:
    settle(version)
    queued = boss.put(conn, "fetch-page", {"pageUrl": "a"}, priority=5, created_on="2026-01-01T00:00:00.000001Z")
    later = boss.put(conn, "old-mail", {"to": "ada"}, start_after=LATER)
    again = boss.put(
        conn, "old-mail", None, state="retry", retry_count=1, started_on="2026-01-01T00:00:00Z",
        output=json.dumps({"name": "TypeError", "message": "no", "stack": "TypeError: no\n  at x"}),
    )  # fmt: skip
    times: dict[str, Any] = {"started_on": datetime.now(UTC), "completed_on": datetime.now(UTC)}
    done = boss.put(conn, "old-mail", {}, state="completed", output='{"sent": true}', **times)
    failed = boss.put(conn, "old-mail", {}, state="failed", retry_count=2, output='{"value": "gone"}', **times)
    ancient = boss.put(conn, "old-mail", {}, state="completed", completed_on="2020-01-01T00:00:00Z")
    active = boss.put(conn, "old-mail", {}, state="active", started_on=datetime.now(UTC))
    boss.put(conn, "unknown", {})

    report = take(conn)

    jobs = our_jobs()
    assert set(jobs) == {queued, later, again, done, failed}
    assert (jobs[queued].task_id, jobs[queued].data, jobs[queued].priority) == ("fetch", {"page_url": "a"}, 5)
    assert jobs[queued].created_on == datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    assert (jobs[later].status, jobs[later].run_at) == ("created", LATER)
    assert (jobs[again].status, jobs[again].retry_count) == ("retry", 1)
    assert jobs[again].error == {"type": "TypeError", "message": "no", "traceback": "TypeError: no\n  at x"}
    assert (jobs[done].status, jobs[done].output) == ("completed", {"sent": True})
    assert (jobs[failed].status, jobs[failed].retry_count) == ("failed", 2)
    assert jobs[failed].error_line() == 'Error: {"value": "gone"}'
    there = boss.states(conn)
    assert {there[one] for one in (queued, later, again)} == {"cancelled"}
    assert [there[one] for one in (done, failed, ancient, active)] == ["completed", "failed", "completed", "active"]
    assert (report.version, report.jobs.total(), report.unknown) == (boss.VERSIONS[version], 5, ["unknown"])
    assert sum(queue.active for queue in report.queues) == 1
    assert report.left == []


def test_taken_twice_nothing_changes_and_it_is_on_record_who_took_how_much(
    conn: Connection, settle: Callable[[str], None]
) -> None:
    settle("12")
    boss.put(conn, "old-mail", {"n": 1})
    boss.put(conn, "old-mail", {"n": 2}, state="completed", completed_on=datetime.now(UTC))
    assert take(conn).jobs.total() == 2
    with conn.cursor() as cursor:
        cursor.execute(
            "SELECT target, said_by, sum(cardinality(jobs)) FROM zeke_jobs.audit WHERE action = 'import' GROUP BY 1, 2"
        )
        assert cursor.fetchall() == [("pg-boss/pgboss", "ada", 2)]
    before = our_jobs()
    assert take(conn).jobs.total() == 0
    assert our_jobs() == before
    with conn.cursor() as cursor:
        cursor.execute("DELETE FROM zeke_jobs.queue")  # purged, and still not taken again
    assert take(conn).jobs.total() == 0
    assert our_jobs() == {}


#: Columns of jobs that do not fit into our table, and the reasons that are given.
UNFIT: list[tuple[dict[str, Any], str]] = [
    *(
        ({name: time}, f"expected {name} from 1970-01-01 to 9000-01-01, got ")
        for name in ("start_after", "created_on")
        for time in (
            "infinity",
            "-infinity",
            "0044-03-15 12:00+00 BC",
            "10000-01-01 12:00+00",
            "1969-12-31 12:00+00",
        )
    ),
    (
        {"state": "retry", "retry_count": 1, "started_on": "infinity"},
        "expected started_on from 1970-01-01 to 9000-01-01, got infinity",
    ),
    ({"singleton_key": LONG}, "expected singleton_key of at most 1024 bytes, got 4000"),
    ({"group_id": LONG}, "expected group_id of at most 1024 bytes, got 4000"),
]


def test_jobs_that_our_table_cannot_hold_stay_there_and_are_listed_before_and_after(
    conn: Connection, settle: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    settle("later 12")
    monkeypatch.setattr(pg_boss, "_AT_ONCE", 1)  # pages begin at odd times too
    odd = {boss.put(conn, "old-mail", {}, **columns): why for columns, why in UNFIT for _ in range(2)}
    fine = {boss.put(conn, "old-mail", {}) for _ in range(2)}
    looked = pg_boss.Import(conn, schema="pgboss", names={"old-mail": "mail"}, recent=RECENT).run(commits=False)
    report = take(conn)
    assert set(our_jobs()) == fine
    assert {one for one, state in boss.states(conn).items() if state != "cancelled"} == {*odd}
    assert (looked.jobs, looked.left) == (report.jobs, report.left)
    assert len(report.left) == len(odd)
    whys = {uuid.UUID(one.what.removeprefix("job ").partition(",")[0]): one.why for one in report.left}
    assert [whys[job] for job, why in odd.items() if not whys[job].startswith(why)] == []


def test_of_two_jobs_with_one_id_only_the_one_that_is_taken_is_cancelled_there(
    conn: Connection, settle: Callable[[str], None]
) -> None:
    settle("12")
    taken = boss.put(conn, "old-mail", {})
    boss.put(conn, "unknown", {}, id=str(taken))
    boss.put(conn, "fetch-page", {"pageUri": "a"}, id=str(taken))
    report = take(conn)
    assert set(our_jobs()) == {taken}
    assert report.jobs == {("old-mail", "created"): 1}
    with conn.cursor() as cursor:
        cursor.execute("SELECT name, state::text FROM pgboss.job ORDER BY name")
        assert cursor.fetchall() == [("fetch-page", "created"), ("old-mail", "cancelled"), ("unknown", "created")]


def test_jobs_of_a_flow_stay_there(conn: Connection, settle: Callable[[str], None]) -> None:
    settle("later 12")
    boss.put(conn, "old-mail", {}, blocking=True)
    boss.put(conn, "old-mail", {}, pending_dependencies=1, blocked=True)
    grouped = boss.put(conn, "old-mail", {}, group_id="tenant-7")
    report = take(conn)
    assert [one.key for one in our_jobs().values()] == ["tenant-7"]
    assert boss.states(conn)[grouped] == "cancelled"
    assert {one.why for one in report.left} == {"it waits for other jobs of its flow, or they wait for it"}


def test_each_job_runs_here_or_there_and_never_at_both(
    conn: Connection, url: str, settle: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    settle("12")
    monkeypatch.setattr(pg_boss, "_AT_ONCE", 3)
    sent = {boss.put(conn, "old-mail", {"n": n}) for n in range(10)}
    with closing(connect(url)) as worker:
        with worker.cursor() as cursor:
            # A worker of pg-boss has locked two that it is about to take.
            cursor.execute("BEGIN")
            cursor.execute("SELECT id FROM pgboss.job ORDER BY created_on, id LIMIT 2 FOR UPDATE")
            held = {uuid.UUID(str(row[0])) for row in cursor.fetchall()}
            take(conn)
            cursor.execute("COMMIT")
        fetched = set(boss.fetch(worker, "old-mail"))
    assert fetched == held
    assert set(our_jobs()) == sent - held


def test_a_connection_that_breaks_at_any_statement_loses_and_doubles_nothing(
    conn: Connection, url: str, settle: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    settle("12")
    monkeypatch.setattr(pg_boss, "_AT_ONCE", 2)
    sent = {boss.put(conn, "old-mail", {"n": n}) for n in range(5)}
    for at in range(1, 30):
        with closing(connect(url)) as breaking:
            importing = pg_boss.Import(breaking, schema="pgboss", names={"old-mail": "mail"}, recent=RECENT)
            left = at

            def counted(step: Callable[..., Any]) -> Callable[..., Any]:
                def call(*arguments: Any, **options: Any) -> Any:
                    nonlocal left
                    left -= 1
                    found = step(*arguments, **options)
                    if left == 0:
                        breaking.close()
                        raise OperationalError("cut")
                    return found

                return call

            with monkeypatch.context() as patch:
                patch.setattr(SQL, "all", counted(SQL.all))
                try:
                    importing.run()
                except OperationalError:
                    pass
                else:
                    break
        waiting = {job_id for job_id, state in boss.states(conn).items() if state == "created"}
        assert waiting.isdisjoint(our_jobs())
        assert waiting | set(our_jobs()) == sent
    assert at > 7
    assert set(our_jobs()) == sent


def test_a_singleton_key_is_the_unique_key_of_the_first_and_both_are_taken(
    conn: Connection, settle: Callable[[str], None]
) -> None:
    settle("12")
    first = boss.put(conn, "old-mail", {}, singleton_key="digest", created_on="2026-01-01T00:00:00Z")
    boss.put(conn, "old-mail", {}, singleton_key="digest")
    take(conn)
    assert len(our_jobs()) == 2
    assert zeke_jobs.send("mail", unique_key="digest").id == first


def test_schedules_are_taken_with_their_zones_and_are_gone_there(
    conn: Connection, settle: Callable[[str], None], make_task: Callable[..., None]
) -> None:
    settle("12")
    make_task("nightly", None, cron=json.dumps({"at": "0 3 * * *", "timezone": "UTC", "payload": {}}))
    with conn.cursor() as cursor:
        cursor.execute("INSERT INTO pgboss.queue (name) VALUES ('nightly'), ('__pgboss__send-it')")
        cursor.execute("""
            INSERT INTO pgboss.schedule (name, key, cron, timezone, data) VALUES
              ('old-mail', 'team-7', '0 8 * * *', 'Europe/Paris', '{"team": 7}'), ('old-mail', '', '*/5 * * * *', NULL, NULL),
              ('old-mail', 'odd', 'sometimes', 'UTC', NULL), ('nightly', '', '0 3 * * *', 'UTC', NULL), ('unknown', '', '0 3 * * *', 'UTC', NULL)
        """)
    report = take(conn)
    assert sorted(report.schedules) == ["old-mail/pg-boss", "old-mail/team-7"]
    ours = {one.name: one for one in zeke_jobs.schedules.list()}
    assert (ours["old-mail/team-7"].timezone, ours["old-mail/team-7"].payload) == ("Europe/Paris", {"team": 7})
    assert ours["old-mail/pg-boss"].at == "*/5 * * * *"
    left = {one.name: one.why for one in report.left}
    assert left["nightly"] == "jobs.yaml has a schedule of its task"
    assert left["unknown"] == "no task has this name"
    assert "cron line" in left["old-mail"]
    with conn.cursor() as cursor:
        cursor.execute("SELECT name, key FROM pgboss.schedule ORDER BY name")
        assert cursor.fetchall() == [("nightly", ""), ("old-mail", "odd"), ("unknown", "")]
    assert take(conn).schedules == []


def test_where_there_is_no_pg_boss_or_no_such_task_that_is_said(
    conn: Connection, settle: Callable[[str], None]
) -> None:
    migrate.migrate(conn)  # its views have the schema's name
    with pytest.raises(
        ConfigurationError, match="expected a pg-boss of version 10, 11 or 12 in schema pgboss, got none"
    ):
        take(conn)
    with conn.cursor() as cursor:
        cursor.execute("DROP SCHEMA pgboss CASCADE")
    settle("12")
    with pytest.raises(UnknownTask, match="did you mean 'mail'"):
        take(conn, names={"old-mail": "mial"})


def test_the_command_shows_first_and_takes_then(
    conn: Connection, settle: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    settle("12")
    boss.put(conn, "old-mail", {})
    boss.put(conn, "old-mail", {}, start_after=LATER)
    boss.put(conn, "old-mail", {}, state="active", started_on=datetime.now(UTC))
    boss.put(conn, "fetch-page", {"pageUri": "a"})
    boss.put(conn, "unknown", {})

    def said(*options: str) -> list[list[str]]:
        assert run(app, "zeke-jobs", ["import", "pg-boss", "--map", "old-mail=mail", *options]) == 0
        return [line.split() for line in capsys.readouterr().out.splitlines()]

    shown = said("--dry-run")
    assert shown[0] == ["queue", "task", "queued", "of", "them", "later", "active", "recent", "would", "be", "taken"]
    assert ["old-mail", "mail", "2", "1", "1", "2"] in shown
    assert ["fetch-page", "fetch", "1"] in shown
    lines = [" ".join(line) for line in shown]
    assert "left: queue unknown, because no task has its name; --map unknown=TASK says which one it is" in lines
    assert any(line.startswith("left: 1 active job;") for line in lines)
    assert any("did you mean 'page_url'" in line for line in lines)
    assert our_jobs() == {}
    assert ["old-mail", "mail", "2", "1", "1", "2"] in said()
    assert len(our_jobs()) == 2
    assert run(app, "zeke-jobs", ["import", "pg-boss", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["jobs"], again["unknown"]) == ([], ["old-mail", "unknown"])
    assert run(app, "zeke-jobs", ["import", "pg-boss", "--map", "old-mail"]) == 2
