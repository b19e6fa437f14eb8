"""``zeke-jobs import pg-boss`` imports what it can, and leaves other jobs in pg-boss. No job is lost or runs twice."""

import itertools
import json
import random
import uuid
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from psycopg2 import OperationalError
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.conftest import databases
from tests.fleet import query
from tests.zeke_jobs.commands import Cli, MakeTask, Patch
from tests.zeke_jobs.control import pg_boss_schema as boss
from zeke_jobs.control import pg_boss
from zeke_jobs.errors import ConfigurationError, UnknownTask
from zeke_jobs.postgres import migrate
from zeke_jobs.postgres.pool import connect
from zeke_jobs.postgres.queries import SQL

LATER = datetime(2090, 1, 1, 12, tzinfo=UTC)
RECENT = timedelta(days=2)
LATEST = "later 12"
LONG = random.Random(1).randbytes(2000).hex()  # The text cannot be compressed to the size of an index entry.


class Page(zeke_jobs.Payload):
    page_url: str


def install(conn: Connection, version: str) -> None:
    """Install pg-boss before zeke_jobs, so that zeke_jobs makes no views in the schema pgboss."""
    boss.install(conn, version, "fetch-page", "old-mail", "unknown")
    migrate.migrate(conn)


@pytest.fixture(scope="module")
def installed(server_url: str) -> Iterator[str]:
    """Yield the name of a template database with the latest pg-boss."""
    with databases(server_url) as make:
        url = make()
        with closing(connect(url)) as conn:
            install(conn, LATEST)
        yield urlsplit(url).path[1:]


class There:
    """The database has pg-boss's tables, and zeke_jobs with two tasks."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn

    def put(self, name: str = "old-mail", data: Any = None, **columns: Any) -> uuid.UUID:
        return boss.put(self.conn, name, {} if data is None else data, **columns)

    def take(self, *, conn: Connection | None = None, commits: bool = True, **options: Any) -> pg_boss.Report:
        usual = {"schema": "pgboss", "names": {"old-mail": "mail"}, "recent": RECENT, "by": "ada"}
        return pg_boss.Import(conn or self.conn, **{**usual, **options}).run(commits=commits)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return query(self.conn, sql)


@pytest.fixture
def url(new_database: Any, installed: str, request: pytest.FixtureRequest, monkeypatch: Patch) -> str:
    """Make a database with a version of pg-boss, by default the latest."""
    version = getattr(request, "param", LATEST)
    made = str(new_database(installed) if version == LATEST else new_database())
    if version != LATEST:
        with closing(connect(made)) as conn:
            install(conn, version)
    monkeypatch.setenv("DATABASE_URL", made)
    return made


@pytest.fixture
def conn(url: str) -> Iterator[Connection]:
    with closing(connect(url)) as connection:
        yield connection


@pytest.fixture
def there(conn: Connection, make_task: MakeTask) -> There:
    make_task("fetch", Page, aliases=["fetch-page"])
    make_task("mail", None)
    return There(conn)


def our_jobs() -> dict[uuid.UUID, Any]:
    return {job.id: job for job in zeke_jobs.jobs()}


@pytest.mark.parametrize("url", list(boss.VERSIONS), indirect=True)
def test_queued_scheduled_and_recent_jobs_become_jobs_of_their_tasks(there: There) -> None:
    queued = there.put("fetch-page", {"pageUrl": "a"}, priority=5, created_on="2026-01-01T00:00:00.000001Z")
    later = there.put("old-mail", {"to": "ada"}, start_after=LATER)
    again = there.put("old-mail", None, state="retry", retry_count=1, started_on="2026-01-01T00:00:00Z",
        output=json.dumps({"name": "TypeError", "message": "no", "stack": "TypeError: no\n  at x"}),
    )  # fmt: skip
    times: dict[str, Any] = {"started_on": datetime.now(UTC), "completed_on": datetime.now(UTC)}
    done = there.put(state="completed", output='{"sent": true}', **times)
    failed = there.put(state="failed", retry_count=2, output='{"value": "gone"}', **times)
    ancient = there.put(state="completed", completed_on="2020-01-01T00:00:00Z")
    active = there.put(state="active", started_on=datetime.now(UTC))
    there.put("unknown", {})
    report, jobs = there.take(), our_jobs()
    assert set(jobs) == {queued, later, again, done, failed}
    assert (jobs[queued].task_id, jobs[queued].data, jobs[queued].priority) == ("fetch", {"page_url": "a"}, 5)
    assert jobs[queued].created_on == datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    assert (jobs[later].status, jobs[later].run_at) == ("created", LATER)
    assert (jobs[again].status, jobs[again].retry_count) == ("retry", 1)
    assert jobs[again].error == {"type": "TypeError", "message": "no", "traceback": "TypeError: no\n  at x"}
    assert (jobs[done].status, jobs[done].output) == ("completed", {"sent": True})
    assert (jobs[failed].status, jobs[failed].retry_count) == ("failed", 2)
    assert jobs[failed].error_line() == 'Error: {"value": "gone"}'
    states = boss.states(there.conn)
    assert {states[one] for one in (queued, later, again)} == {"cancelled"}
    assert [states[one] for one in (done, failed, ancient, active)] == ["completed", "failed", "completed", "active"]
    [(version,)] = there.rows("SELECT version FROM pgboss.version")
    assert (report.version, report.jobs.total(), report.unknown) == (version, 5, ["unknown"])
    assert sum(queue.active for queue in report.queues) == 1
    assert report.left == []


def test_taken_twice_nothing_changes_and_it_is_on_record_who_took_how_much(there: There) -> None:
    there.put("old-mail", {"n": 1})
    there.put("old-mail", {"n": 2}, state="completed", completed_on=datetime.now(UTC))
    assert there.take().jobs.total() == 2
    audit = "SELECT target, said_by, sum(cardinality(jobs)) FROM zeke_jobs.audit WHERE action = 'import' GROUP BY 1, 2"
    assert there.rows(audit) == [("pg-boss/pgboss", "ada", 2)]
    assert (there.take().jobs.total(), our_jobs()) == (0, our_jobs())
    there.rows("DELETE FROM zeke_jobs.queue")  # A purged job is not imported again.
    assert (there.take().jobs.total(), our_jobs()) == (0, {})


#: Jobs with the columns in UNFIT do not fit into the table of zeke_jobs, for the given reasons.
TIME = "expected {} from 1970-01-01 to 9000-01-01, got "
UNFIT: list[tuple[dict[str, Any], str]] = [
    *(
        ({name: time}, TIME.format(name))
        for name in ("start_after", "created_on")
        for time in ("infinity", "-infinity", "0044-03-15 12:00+00 BC", "10000-01-01 12:00+00", "1969-12-31 12:00+00")
    ),
    ({"state": "retry", "retry_count": 1, "started_on": "infinity"}, TIME.format("started_on") + "infinity"),
    ({"singleton_key": LONG}, "expected singleton_key of at most 1024 bytes, got 4000"),
    ({"group_id": LONG}, "expected group_id of at most 1024 bytes, got 4000"),
]


def test_jobs_that_our_table_cannot_hold_stay_there_and_are_listed(there: There, monkeypatch: Patch) -> None:
    monkeypatch.setattr(pg_boss, "_AT_ONCE", 1)  # With pages of one job, each job begins a page.
    odd = {there.put(**columns): why for columns, why in UNFIT for _ in range(2)}
    fine = {there.put() for _ in range(2)}
    looked, report = there.take(commits=False), there.take()
    assert set(our_jobs()) == fine
    assert {one for one, state in boss.states(there.conn).items() if state != "cancelled"} == {*odd}
    assert (looked.jobs, looked.left) == (report.jobs, report.left)
    assert len(report.left) == len(odd)
    whys = {uuid.UUID(one.what.removeprefix("job ").partition(",")[0]): one.why for one in report.left}
    assert [whys[job] for job, why in odd.items() if not whys[job].startswith(why)] == []


def test_jobs_of_a_flow_stay_there_and_groups_and_singletons_keep_their_keys(there: There) -> None:
    there.put(blocking=True)
    there.put(pending_dependencies=1, blocked=True)
    grouped = there.put(group_id="tenant-7")
    first = there.put(singleton_key="digest", created_on="2026-01-01T00:00:00Z")
    there.put(singleton_key="digest")
    report = there.take()
    assert sorted(one.key or "" for one in our_jobs().values()) == ["", "", "tenant-7"]
    assert boss.states(there.conn)[grouped] == "cancelled"
    assert {one.why for one in report.left} == {"it waits for other jobs of its flow, or they wait for it"}
    assert zeke_jobs.send("mail", unique_key="digest").id == first


def test_of_two_jobs_with_one_id_only_the_one_that_is_taken_is_cancelled_there(there: There) -> None:
    taken = there.put()
    there.put("unknown", {}, id=str(taken))
    there.put("fetch-page", {"pageUri": "a"}, id=str(taken))
    report = there.take()
    assert set(our_jobs()) == {taken}
    assert report.jobs == {("old-mail", "created"): 1}
    states = [("fetch-page", "created"), ("old-mail", "cancelled"), ("unknown", "created")]
    assert there.rows("SELECT name, state::text FROM pgboss.job ORDER BY name") == states


def test_each_job_runs_here_or_there_and_ended_ones_are_taken(there: There, url: str, monkeypatch: Patch) -> None:
    monkeypatch.setattr(pg_boss, "_AT_ONCE", 3)
    done = there.put(state="completed", completed_on=datetime.now(UTC))
    sent = {there.put("old-mail", {"n": n}) for n in range(10)}
    with closing(connect(url)) as worker:
        with worker.cursor() as cursor:
            # A worker of pg-boss has locked two jobs, which it takes after the import.
            cursor.execute("BEGIN")
            cursor.execute("SELECT id FROM pgboss.job ORDER BY created_on, id LIMIT 3 FOR UPDATE")
            held = {uuid.UUID(str(row[0])) for row in cursor.fetchall()} - {done}
            assert len(held) == 2
            assert there.take(commits=False).jobs == {("old-mail", "created"): 10, ("old-mail", "completed"): 1}
            there.take()
            cursor.execute("COMMIT")
        fetched = set(boss.fetch(worker, "old-mail"))
    assert fetched == held
    assert set(our_jobs()) == sent - held | {done}


def test_a_look_and_an_import_leave_the_session_as_it_was_and_touch_no_other_tables(there: There) -> None:
    # PostgreSQL does not list the settings of PL/pgSQL until the session uses PL/pgSQL.
    settings = "SELECT name, setting FROM pg_settings WHERE name NOT LIKE 'plpgsql.%'"
    there.rows("""
        INSERT INTO pgboss.schedule (name, key, cron) VALUES ('old-mail', '', '0 3 * * *');
        CREATE TABLE public.job AS TABLE pgboss.job; CREATE TABLE public.schedule AS TABLE pgboss.schedule;
        CREATE TABLE public.version AS SELECT 99 AS version; CREATE TEMPORARY TABLE job AS TABLE pgboss.job
    """)
    queued = there.put()
    there.put(state="completed", completed_on=datetime.now(UTC))
    there.rows("INSERT INTO public.job (id, name, state) SELECT id, name, 'created' FROM pgboss.job")
    there.rows("SET search_path TO public; SET enable_seqscan TO off")
    before = there.rows(settings)
    for commits in (False, True):
        report = there.take(commits=commits)
        assert (report.version, report.jobs.total()) == (boss.VERSIONS[LATEST], 2)
        assert report.schedules == ["old-mail/pg-boss"]
        assert there.rows(settings) == before
    assert boss.states(there.conn)[queued] == "cancelled"
    assert {*boss.states(there.conn, schema="public").values()} == {"created"}
    assert there.rows("SELECT name FROM public.schedule") == [("old-mail",)]
    assert there.rows("SELECT name FROM pgboss.schedule") == []
    there.put()
    there.rows('ALTER SCHEMA pgboss RENAME TO "Old Boss"')
    assert there.take(schema="Old Boss").jobs["old-mail", "created"] == 1
    assert there.rows(settings) == before


def test_a_connection_that_breaks_loses_and_doubles_nothing(there: There, url: str, monkeypatch: Patch) -> None:
    monkeypatch.setattr(pg_boss, "_AT_ONCE", 2)
    sent = {there.put("old-mail", {"n": n}) for n in range(5)}
    execute = SQL.execute
    for at in range(1, 30):
        steps = itertools.count(1)
        with closing(connect(url)) as breaking, monkeypatch.context() as patch, suppress(OperationalError):

            def step(*arguments: Any, steps: Any = steps, at: int = at, breaking: Connection = breaking) -> Any:
                found = execute(*arguments)
                if next(steps) == at:
                    breaking.close()
                    raise OperationalError("cut")
                return found

            patch.setattr(SQL, "execute", step)
            there.take(conn=breaking)
            break
        waiting = {job_id for job_id, state in boss.states(there.conn).items() if state == "created"}
        assert waiting.isdisjoint(our_jobs())
        assert waiting | set(our_jobs()) == sent
    assert at > 7
    assert set(our_jobs()) == sent


def test_schedules_are_taken_with_their_zones_and_what_is_not_there_is_said(there: There, make_task: MakeTask) -> None:
    make_task("nightly", None, cron=json.dumps({"at": "0 3 * * *", "timezone": "UTC", "payload": {}}))
    there.rows("INSERT INTO pgboss.queue (name) VALUES ('nightly'), ('__pgboss__send-it')")
    there.rows("""
        INSERT INTO pgboss.schedule (name, key, cron, timezone, data) VALUES
          ('old-mail', 'team-7', '0 8 * * *', 'Europe/Paris', '{"team": 7}'), ('old-mail', '', '*/5 * * * *', NULL, NULL),
          ('old-mail', 'odd', 'sometimes', 'UTC', NULL), ('nightly', '', '0 3 * * *', 'UTC', NULL), ('unknown', '', '0 3 * * *', 'UTC', NULL)
    """)
    report = there.take()
    assert sorted(report.schedules) == ["old-mail/pg-boss", "old-mail/team-7"]
    ours = {one.name: one for one in zeke_jobs.schedules.list()}
    assert (ours["old-mail/team-7"].timezone, ours["old-mail/team-7"].payload) == ("Europe/Paris", {"team": 7})
    assert ours["old-mail/pg-boss"].at == "*/5 * * * *"
    left = {one.name: one.why for one in report.left}
    assert (left["nightly"], left["unknown"]) == ("jobs.yaml has a schedule of its task", "no task has this name")
    assert "cron line" in left["old-mail"]
    schedules = there.rows("SELECT name, key FROM pgboss.schedule ORDER BY name")
    assert schedules == [("nightly", ""), ("old-mail", "odd"), ("unknown", "")]
    assert there.take().schedules == []
    with pytest.raises(UnknownTask, match="did you mean 'mail'"):
        there.take(names={"old-mail": "mial"})
    # A view pgboss.job is no sign of pg-boss, because zeke_jobs makes such a view, too.
    there.rows("DROP SCHEMA pgboss CASCADE; CREATE SCHEMA pgboss; CREATE VIEW pgboss.job AS SELECT 1 AS id")
    with pytest.raises(ConfigurationError, match="a pg-boss of version 10, 11 or 12 in schema pgboss, got none"):
        there.take()


def test_the_command_shows_first_and_takes_then(there: There, cli: Cli) -> None:
    there.put()
    there.put(start_after=LATER)
    there.put(state="active", started_on=datetime.now(UTC))
    there.put(state="completed", completed_on="2020-01-01T00:00:00Z")
    there.put("fetch-page", {"pageUri": "a"})
    there.put("unknown")
    there.put("__pgboss__send-it")
    command = ("import", "pg-boss", "--map", "old-mail=mail")
    shown = [line.split() for line in cli(*command, "--dry-run").out.splitlines()]
    assert shown[0] == ["queue", "task", "queued", "of", "them", "later", "active", "recent", "would", "be", "taken"]
    taken = ["old-mail", "mail", "2", "1", "1", "2"]
    assert taken in shown
    assert ["fetch-page", "fetch", "1"] in shown
    lines = [" ".join(line) for line in shown]
    assert "left: queue unknown, because no task has its name; --map unknown=TASK says which one it is" in lines
    assert any(line.startswith("left: 1 active job;") for line in lines)
    assert any("did you mean 'page_url'" in line for line in lines)
    assert our_jobs() == {}
    assert taken in [line.split() for line in cli(*command).out.splitlines()]
    assert len(our_jobs()) == 2
    again = cli("import", "pg-boss", "--json").json
    assert (again["jobs"], again["unknown"]) == ([], ["old-mail", "unknown"])
    assert cli("import", "pg-boss", "--map", "old-mail").status == 2
