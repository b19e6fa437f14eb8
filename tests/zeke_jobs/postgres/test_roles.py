"""The rights of each role through the real interfaces, and the database's refusals."""

from __future__ import annotations

import threading
import uuid
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest
from psycopg2.errors import InsufficientPrivilege, LockNotAvailable

import zeke_jobs
from actors.store import clusters, stories
from tests.zeke_jobs.worker.conftest import load
from zeke_jobs.cli.root import app
from zeke_jobs.cli.run import run
from zeke_jobs.errors import InvalidPayload, UnknownTask
from zeke_jobs.postgres import migrate, roles
from zeke_jobs.postgres.pool import connect, transaction
from zeke_jobs.revisions import boot
from zeke_jobs.scheduler import beat
from zeke_jobs.worker import builder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg2.extensions import connection as Connection

TASKS = """
  echo: {handler: 'H:echo', aliases: [parrot], max_wait: 1m}
  tick: {handler: 'H:echo', cron: '* * * * *', paused: true}
"""
MEMBERS = {name: f"zeke_test_{name.removeprefix('zeke_jobs_')}" for name in (
    roles.CLIENT, roles.WORKER, roles.OPERATOR, roles.READER)}  # fmt: skip


def sign_up(conn: Connection) -> None:
    """The four roles, each with a login user; the tests' server is shared, so are its users."""
    roles.grant(conn)
    with conn.cursor() as cursor:
        for role, member in MEMBERS.items():
            cursor.execute(
                f"""DO $$ BEGIN
                  CREATE ROLE {member} LOGIN IN ROLE {role};
                EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
                END $$"""
            )


def as_member(url: str, role: str) -> str:
    return urlunsplit(urlsplit(url)._replace(netloc=f"{MEMBERS[role]}@"))


@pytest.fixture
def granted(conn: Connection, database: str) -> str:
    """A database with tasks and the four roles."""
    boot.sync(conn, load(TASKS))
    sign_up(conn)
    return database


@pytest.fixture
def log_in(granted: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Work as a member of a role from now on; answers its URL."""

    def become(role: str) -> str:
        url = as_member(granted, role)
        monkeypatch.setenv("DATABASE_URL", url)
        return url

    return become


def refused(url: str, *statements: str) -> None:
    with closing(connect(url)) as conn, conn.cursor() as cursor:
        for statement in statements:
            with pytest.raises(InsufficientPrivilege):
                cursor.execute(statement)
                pytest.fail(f"not refused: {statement}")


@pytest.fixture
def worker(granted: str) -> Iterator[None]:
    """A worker of the owner, for tests that wait."""
    import dramatiq

    broker = builder.build(load(TASKS), granted)
    running = dramatiq.Worker(broker, worker_threads=2, worker_timeout=100)
    running.start()
    yield
    running.stop(timeout=5_000)
    broker.close()


RAISED = (
    "CREATE TABLE zeke_jobs.mine ()",
    "DROP TABLE zeke_jobs.queue",
    "TRUNCATE zeke_jobs.queue",
    "CREATE SCHEMA mine",
)


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


@pytest.mark.usefixtures("worker")
def test_a_client_sends_from_a_shell(log_in: Callable[[str], str], capsys: pytest.CaptureFixture[str]) -> None:
    log_in(roles.CLIENT)
    assert run(app, "zeke-jobs", ["send", "echo", "n=5", "--wait"]) == 0, capsys.readouterr().err
    assert '"n": 5' in capsys.readouterr().out


def test_a_client_sends_by_sql_in_its_own_transaction(log_in: Callable[[str], str], conn: Connection) -> None:
    with closing(psycopg2.connect(log_in(roles.CLIENT))) as ours, ours.cursor() as cursor:
        cursor.execute("SELECT zeke_jobs.send('echo', '{\"n\": 1}')")
        ours.rollback()
        cursor.execute("SELECT zeke_jobs.send('echo', '{\"n\": 2}')")
        ours.commit()
    with conn.cursor() as cursor:
        cursor.execute("SELECT array_agg((data ->> 'n')::integer) FROM zeke_jobs.job")
        assert cursor.fetchone() == ([2],)


def test_a_client_cannot_stand_in_for_a_schedule(log_in: Callable[[str], str]) -> None:
    early = '{"scheduled_for": "2031-01-01Z", "run_at": "2999-01-01Z"}'
    refused(
        log_in(roles.CLIENT),
        f"SELECT zeke_jobs.send('tick', '{{}}', '{early}')",
        f"SELECT zeke_jobs.enqueue('tick', NULL, '{{}}', '{early}')",
    )


def test_a_client_can_do_nothing_else(log_in: Callable[[str], str]) -> None:
    url = log_in(roles.CLIENT)
    job = zeke_jobs.send("echo", {"n": 1}).id
    refused(
        url,
        *RAISED,
        "SELECT message FROM zeke_jobs.queue",
        "SELECT source FROM zeke_jobs.revision",
        "SELECT definition FROM zeke_jobs.task",
        "INSERT INTO zeke_jobs.queue (message_id, queue_name, state) VALUES (gen_random_uuid(), 'default', 'done')",
        f"UPDATE zeke_jobs.queue SET state = 'done' WHERE message_id = '{job}'",
        f"DELETE FROM zeke_jobs.queue WHERE message_id = '{job}'",
        "SELECT * FROM zeke_jobs.claim(gen_random_uuid(), 'default', '{echo}', 1)",
        f"SELECT zeke_jobs.complete(gen_random_uuid(), ARRAY['{job}']::uuid[], '{{1}}', '{{0}}', '{{0}}', '{{null}}')",
        "INSERT INTO zeke_jobs.pause (target, paused_by) VALUES ('task/echo', 'me')",
        "SELECT * FROM zeke_jobs.rescue()",
    )
    with pytest.raises(InsufficientPrivilege):
        zeke_jobs.cancel(job)


def test_a_reader_sees_every_view_and_nothing_else(log_in: Callable[[str], str], conn: Connection) -> None:
    zeke_jobs.send("echo", {"n": 1})
    url = log_in(roles.READER)
    with conn.cursor() as cursor:
        cursor.execute("SELECT zeke_jobs.put_schedule('echo/daily', 'echo', '0 8 * * *', 'UTC', '{\"n\": 1}')")
        cursor.execute("SELECT oid::regclass::text FROM pg_class WHERE relkind = 'v' AND relnamespace IN ('zeke_jobs'::regnamespace, 'pgboss'::regnamespace)")  # fmt: skip
        views = [row[0] for row in cursor.fetchall() if row[0] != "zeke_jobs.planned"]  # unmasked
    assert "zeke_jobs.job" in views
    assert "pgboss.job" in views
    with closing(connect(url)) as reading, reading.cursor() as cursor:
        for view in views:
            cursor.execute(f"SELECT * FROM {view}")
    refused(
        url,
        *RAISED,
        "SELECT message FROM zeke_jobs.queue",
        "SELECT source FROM zeke_jobs.revision",
        "SELECT cron FROM zeke_jobs.planned",
        "SELECT zeke_jobs.send('echo')",
        "SELECT * FROM zeke_jobs.enqueue('echo', NULL, '{}', '{}')",
        "SELECT * FROM zeke_jobs.output_of(gen_random_uuid())",
        "SELECT zeke_jobs.await_end(gen_random_uuid())",
    )


def test_a_worker_and_a_scheduler_run_under_their_role(log_in: Callable[[str], str], conn: Connection) -> None:
    import dramatiq

    with conn.cursor() as cursor:
        cursor.execute("DELETE FROM zeke_jobs.task")
        cursor.execute("DELETE FROM zeke_jobs.revision")
    url = log_in(roles.WORKER)
    tasks = TASKS + "  chain: {handler: 'H:chain', concurrency: {limit: 2, per_key: 1}, rate: 100/s}\n"
    broker = builder.build(load(tasks), url)
    worker = dramatiq.Worker(broker, worker_threads=2, worker_timeout=100)
    worker.start()
    try:
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
    finally:
        worker.stop(timeout=5_000)
        broker.close()
    refused(
        url,
        *RAISED,
        "DELETE FROM zeke_jobs.revision",
        "UPDATE zeke_jobs.revision SET source = ''",
        "INSERT INTO zeke_jobs.revision (digest, source, applied_by) VALUES ('', '', 'me')",
        "DELETE FROM zeke_jobs.migration",
        "INSERT INTO zeke_jobs.pause (target, paused_by) VALUES ('task/echo', 'me')",
        "SELECT zeke_jobs.pause('task/echo', 'me', '')",
        "SELECT zeke_jobs.change_jobs('cancel', '{\"task\": \"echo\"}')",
        "SELECT zeke_jobs.import_jobs('pg-boss/pgboss', '[]', 'me')",
        f"SELECT zeke_jobs.cancel('{uuid.uuid4()}', NULL, 'me')",
        "DELETE FROM zeke_jobs.audit",
        "INSERT INTO zeke_jobs.audit (action, target) VALUES ('apply', 'revision/1')",
        "UPDATE zeke_jobs.installation SET name = 'mine'",
        "ALTER TABLE zeke_jobs.queue ADD COLUMN mine text",
        "CREATE FUNCTION zeke_jobs.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    )


def test_an_operator_looks_and_turns_but_neither_works_nor_removes(
    log_in: Callable[[str], str], conn: Connection, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    url = log_in(roles.OPERATOR)
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
        ("schedule", "pause", "tick"), ("schedule", "resume", "tick"), ("schedule", "run", "tick"),
        ("schedule", "backfill", "tick", "--from", "2026-01-01T00:00", "--to", "2026-01-01T00:02"), ("diff", 1, 3),
    ):  # fmt: skip
        zeke(*command)
    assert run(app, "zeke-jobs", ["plan", str(path)]) == 4
    assert run(app, "zeke-jobs", ["doctor"]) in (0, 1)  # no workers here, which it says
    assert "permission denied" not in "".join(capsys.readouterr())
    refused(
        url,
        *RAISED,
        f"DELETE FROM zeke_jobs.queue WHERE message_id = '{job}'",
        "SELECT * FROM zeke_jobs.claim(gen_random_uuid(), 'default', '{echo}', 1)",
        "UPDATE zeke_jobs.queue SET claim = 9",
        f"UPDATE zeke_jobs.queue SET state = 'done' WHERE message_id = '{job}'",
        f"UPDATE zeke_jobs.queue SET message = '{{}}' WHERE message_id = '{job}'",
        f"SELECT 1 FROM zeke_jobs.queue WHERE message_id = '{job}' FOR UPDATE",
        "UPDATE zeke_jobs.task SET sensitive = '{}'",
        "UPDATE zeke_jobs.bucket SET concurrency = 1",
        "DELETE FROM zeke_jobs.pause",
        "INSERT INTO zeke_jobs.pause (target, paused_by) VALUES ('task/echo', 'somebody else')",
        "UPDATE zeke_jobs.tick SET job = NULL",
        "INSERT INTO zeke_jobs.revision (digest, source, applied_by) VALUES ('', '', 'somebody else')",
        "UPDATE zeke_jobs.audit SET login = 'somebody else'",
        "DELETE FROM zeke_jobs.audit",
        "INSERT INTO zeke_jobs.audit (action, target, login) VALUES ('apply', 'revision/1', 'somebody else')",
        "SELECT zeke_jobs.note('apply', 'revision/1', 'somebody else', '')",
        "UPDATE zeke_jobs.revision SET source = ''",
        "DELETE FROM zeke_jobs.revision",
        "DELETE FROM zeke_jobs.migration",
        "INSERT INTO zeke_jobs.worker (id, kind, host, pid, version) VALUES (gen_random_uuid(), 'worker', '', 1, '')",
    )


def test_a_command_that_its_user_may_not_run_says_so(
    log_in: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    log_in(roles.READER)
    assert run(app, "zeke-jobs", ["pause", "task/echo"]) == 1
    said = capsys.readouterr().err
    assert "expected a database user with this right, got: permission denied" in said
    assert "Traceback" not in said


def test_a_worker_whose_user_may_not_work_ends_with_what_to_do(
    log_in: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    import dramatiq

    broker = builder.build(load(TASKS), log_in(roles.READER))
    with pytest.raises(SystemExit, match="2"):
        dramatiq.Worker(broker, worker_threads=1).start()
    assert "expected a database user with this right, got: permission denied" in capsys.readouterr().err


def test_granting_again_takes_back_what_was_too_much(
    granted: str, conn: Connection, log_in: Callable[[str], str]
) -> None:
    assert granted
    with conn.cursor() as cursor:
        cursor.execute(f"GRANT SELECT ON zeke_jobs.queue TO {roles.CLIENT}")
        # The rights of operators in earlier versions.
        cursor.execute(f"GRANT UPDATE (state, message) ON zeke_jobs.queue TO {roles.OPERATOR}")
        cursor.execute(f"GRANT INSERT, UPDATE, DELETE ON zeke_jobs.task, zeke_jobs.bucket TO {roles.OPERATOR}")
    roles.grant(conn)
    refused(log_in(roles.CLIENT), "SELECT message FROM zeke_jobs.queue")
    refused(log_in(roles.OPERATOR), "UPDATE zeke_jobs.queue SET state = 'done'", "DELETE FROM zeke_jobs.task")


def test_handlers_of_a_worker_reach_the_tables_that_packages_made(conn: Connection, granted: str) -> None:
    assert granted
    with conn.cursor() as cursor:
        cursor.execute(
            """SELECT has_table_privilege('zeke_jobs_worker', substr(o.object, 7), 'INSERT'), count(*)
            FROM zeke_jobs.migration AS m CROSS JOIN unnest(m.made) AS o (object)
            WHERE o.object LIKE 'table %' AND to_regclass(substr(o.object, 7)) IS NOT NULL GROUP BY 1"""
        )
        ((may, count),) = cursor.fetchall()
        assert may
        assert count > 10


def test_no_function_with_the_owners_rights_can_be_led_astray_or_is_open_to_all(conn: Connection) -> None:
    with conn.cursor() as cursor:
        cursor.execute(
            """SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'zeke_jobs'::regnamespace AND p.prosecdef
            AND (NOT 'search_path=pg_catalog, pg_temp' = ANY (coalesce(p.proconfig, '{}'))
              OR p.proacl IS NULL OR EXISTS (SELECT 1 FROM aclexplode(p.proacl) AS a WHERE a.grantee = 0))"""
        )
        assert cursor.fetchall() == []


def test_roles_prints_what_it_would_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, "zeke-jobs", ["roles"]) == 0
    assert capsys.readouterr().out == roles.script()


def test_roles_apply_grants_and_a_stranger_is_told_who_may(
    log_in: Callable[[str], str], capsys: pytest.CaptureFixture[str], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database)
    assert run(app, "zeke-jobs", ["roles", "--apply"]) == 0
    assert "granted: zeke_jobs_client" in capsys.readouterr().out
    log_in(roles.OPERATOR)
    assert run(app, "zeke-jobs", ["roles", "--apply"]) == 1
    assert "help: let such a user run it: zeke-jobs roles | psql" in capsys.readouterr().err


SENDING = {
    "known_task", "unfit_units", "task_names", "await_end", "output_of", "send", "enqueue", "enqueue_many",
    "open_batch", "try_open_batch", "close_batch", "emit", "put_schedule", "delete_schedule",
}  # fmt: skip
LOOKING = {"oldest_due", "depth", "pace", "room_of"}
CHANGING = {
    "cancel_batch", "retry_batch", "cancel", "retry", "pause", "resume", "note_sent", "count_changes", "change_jobs", "import_jobs",
}  # fmt: skip
DECIDING = {"lock_catalogue", "put_in_force", "lock_schedule", "advance_schedule", "record_tick"}
#: All that each role may do: functions that are not open to everybody, and what it may do to tables and views. Whoever adds a right
#: writes it here.
FUNCTIONS = {
    roles.CLIENT: SENDING,
    roles.WORKER: SENDING | LOOKING | DECIDING | {"forget_audit", "cancel_removed"},
    roles.OPERATOR: SENDING | LOOKING | CHANGING | DECIDING,
    roles.READER: LOOKING,
}
#: Triggers with the owner's rights: nobody calls them.
TRIGGERED = {"add_up_batches", "deliver_event"}
NOT_WRITTEN_BY_WORKERS = {"migration", "installation", "revision", "pause", "audit"}
WRITING = {"INSERT", "UPDATE", "DELETE"}


def query(conn: Connection, statement: str) -> list[tuple[object, ...]]:
    with conn.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def rights(conn: Connection) -> dict[str, set[tuple[str, str]]]:
    """What is granted on tables, views, columns and sequences of ours, by role; PUBLIC as the empty name."""
    rows = query(
        conn,
        """SELECT coalesce(r.rolname, ''), g.name, g.privilege
        FROM (
          SELECT a.grantee, n.nspname || '.' || c.relname AS name, a.privilege_type AS privilege
          FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace, aclexplode(c.relacl) AS a
          WHERE n.nspname IN ('zeke_jobs', 'pgboss') AND a.grantee <> c.relowner
          UNION ALL
          SELECT a.grantee, n.nspname || '.' || c.relname || '.' || t.attname, a.privilege_type
          FROM pg_attribute AS t JOIN pg_class AS c ON c.oid = t.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace,
            aclexplode(t.attacl) AS a
          WHERE n.nspname IN ('zeke_jobs', 'pgboss')
          UNION ALL
          SELECT a.grantee, n.nspname, 'schema ' || a.privilege_type
          FROM pg_namespace AS n, aclexplode(n.nspacl) AS a
          WHERE n.nspname IN ('zeke_jobs', 'pgboss') AND a.grantee <> n.nspowner
        ) AS g LEFT JOIN pg_roles AS r ON r.oid = g.grantee""",
    )
    found: dict[str, set[tuple[str, str]]] = {}
    for role, name, privilege in rows:
        found.setdefault(str(role), set()).add((str(name), str(privilege)))
    return found


def test_each_role_has_the_rights_that_are_written_here_and_no_others(conn: Connection, granted: str) -> None:
    assert granted
    relations = {(str(name), kind) for name, kind in query(
        conn,
        """SELECT n.nspname || '.' || c.relname, c.relkind::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('zeke_jobs', 'pgboss') AND c.relkind IN ('r', 'v')""",
    )}  # fmt: skip
    ours = {name for name, _ in relations if name.startswith("zeke_jobs.")}
    views = {name for name, kind in relations if kind == "v"}
    schema = {("zeke_jobs", "schema USAGE")}
    both = schema | {("pgboss", "schema USAGE")}
    written = {f"zeke_jobs.{name}" for name in NOT_WRITTEN_BY_WORKERS}
    expected = {
        roles.CLIENT: schema
        | {
            (name, "SELECT")
            for name in (
                "zeke_jobs.job",
                "zeke_jobs.finished",
                "zeke_jobs.batch_state",
                "zeke_jobs.job_step",
                "zeke_jobs.schedule",
                "zeke_jobs.installation",
            )
        },
        roles.READER: both | {(name, "SELECT") for name in views - {"zeke_jobs.planned"}},
        roles.OPERATOR: both | {(name, "SELECT") for name in ours | views},
        roles.WORKER: schema
        | {(name, "SELECT") for name in ours}
        | {(name, how) for name in ours - written for how in WRITING},
    }
    assert rights(conn) == expected


def test_each_role_may_call_the_functions_that_are_written_here_and_no_others(conn: Connection, granted: str) -> None:
    assert granted
    closed = {str(name) for (name,) in query(
        conn,
        """SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'zeke_jobs'::regnamespace
        AND NOT has_function_privilege('public', p.oid, 'EXECUTE')""",
    )}  # fmt: skip
    assert closed == set().union(*FUNCTIONS.values()) | TRIGGERED
    for role, expected in FUNCTIONS.items():
        found = query(
            conn,
            f"""SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'zeke_jobs'::regnamespace
            AND NOT has_function_privilege('public', p.oid, 'EXECUTE') AND has_function_privilege('{role}', p.oid, 'EXECUTE')""",
        )
        assert {str(name) for (name,) in found} == expected, role


def test_no_statement_of_ours_takes_a_lock_that_everybody_may_take() -> None:
    for package in ("zeke_jobs", "actors"):
        root = Path(__file__).parents[3] / package
        for path in (*root.rglob("*.sql"), *root.rglob("*.py")):
            # A session lets go of its own here; and two texts that are alike are filed one after another, by hashes that only
            # somebody who knows the text could take.
            text = path.read_text().replace("pg_advisory_unlock_all", "")
            assert "pg_advisory" not in text or path.name == "story_filing_hold.sql", path


@pytest.mark.parametrize("role", [roles.READER, roles.CLIENT])
def test_nobody_with_fewer_rights_holds_up_heartbeats_leases_breaches_apply_or_migrate(
    conn: Connection, database: str, log_in: Callable[[str], str], role: str
) -> None:
    url = log_in(role)
    refused(
        url,
        "SELECT 1 FROM zeke_jobs.lock FOR UPDATE",
        "SELECT zeke_jobs.take_lock('alone')",
        "SELECT zeke_jobs.lock_catalogue()",
        "DO $$ BEGIN LOCK TABLE zeke_jobs.lock; END $$",
        "DO $$ BEGIN LOCK TABLE zeke_jobs.migration IN SHARE UPDATE EXCLUSIVE MODE; END $$",
        "DO $$ BEGIN LOCK TABLE zeke_jobs.bucket IN SHARE MODE; END $$",
        "DO $$ BEGIN LOCK TABLE zeke_jobs.job IN SHARE MODE; END $$",
    )
    worker, job = uuid.uuid4(), zeke_jobs.send("echo", {"n": 1}).id if role == roles.CLIENT else uuid.uuid4()
    with closing(psycopg2.connect(url)) as hostile, hostile.cursor() as holding, conn.cursor() as cursor:
        # Whatever advisory lock there may be, by the names and the numbers of earlier versions, and a look at all there is to see.
        holding.execute(
            """SELECT pg_advisory_lock(hashtext(n.name)), pg_advisory_lock(hashtextextended(n.name, 0))
            FROM unnest(ARRAY['zeke_jobs.alone', 'zeke_jobs.breach', 'zeke_jobs.catalogue', 'zeke_jobs.lease/host',
              'actors.store.clusters', 'zeke_jobs:file a story']) AS n (name)"""
        )
        holding.execute("SELECT pg_advisory_lock(%s)", (0x7A656B65,))
        holding.execute("SELECT count(*) FROM zeke_jobs.job, zeke_jobs.finished")
        cursor.execute("SET lock_timeout = '2s'")
        cursor.execute(
            "INSERT INTO zeke_jobs.worker (id, kind, host, pid, version, queues, tasks) VALUES (%s, 'worker', 'h', 1, 'v', '{default}', '{echo}')",
            (str(worker),),
        )
        # A job that must run alone, for which a claim decides which process empties itself.
        cursor.execute("SELECT zeke_jobs.send('echo', '{\"n\": 7}')")
        cursor.execute("UPDATE zeke_jobs.queue SET deaths = 2")
        cursor.execute("SELECT alive FROM zeke_jobs.heartbeat(%s, 0, 1, false)", (str(worker),))
        assert cursor.fetchone() == (True,)
        cursor.execute("SELECT reason FROM zeke_jobs.claim(%s, 'default', '{echo}', 1)", (str(worker),))
        assert cursor.fetchone() == ("alone",)
        cursor.execute("SELECT outcome FROM zeke_jobs.take_lease('host', 1, %s, %s, 1)", (str(worker), str(job)))
        assert cursor.fetchone() == ("lost",)
        cursor.execute("SELECT * FROM zeke_jobs.note_breaches()")
        boot.sync(conn, load(TASKS + "  third: {handler: 'H:echo'}\n"))
        migrate.migrate(conn, ["actors.store"])
        with transaction(conn):
            stories.hold_alike(conn, ["key"], [1])
            clusters.hold(conn, [])


def test_one_process_at_a_time_holds_a_lock_and_the_next_sees_what_it_did(
    conn: Connection, other_conn: Connection
) -> None:
    with transaction(conn):
        query(conn, "SELECT zeke_jobs.take_lock('new one')")
        with other_conn.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
            with pytest.raises(LockNotAvailable):
                cursor.execute("SELECT zeke_jobs.take_lock('new one')")
            cursor.execute("SELECT zeke_jobs.take_lock('another one')")
    with other_conn.cursor() as cursor:
        cursor.execute("SELECT zeke_jobs.take_lock('new one')")


def test_a_heartbeat_without_a_suspect_takes_no_lock_but_of_its_own_row(conn: Connection) -> None:
    worker = uuid.uuid4()
    with conn.cursor() as cursor:
        cursor.execute(
            "INSERT INTO zeke_jobs.worker (id, kind, host, pid, version, queues) VALUES (%s, 'worker', 'h', 1, 'v', '{default}')",
            (str(worker),),
        )
        cursor.execute("BEGIN")
        cursor.execute("SELECT zeke_jobs.heartbeat(%s, 0, 1, false)", (str(worker),))
        cursor.execute(
            "SELECT relation::regclass::text FROM pg_locks WHERE pid = pg_backend_pid() AND mode = 'RowShareLock'"
        )
        assert cursor.fetchall() == []
        cursor.execute("ROLLBACK")


@pytest.mark.parametrize(
    ("member", "statement", "lacks"),
    [
        (roles.CLIENT, "SELECT zeke_jobs.count_changes('cancel', '{}', '{}', 1)", roles.OPERATOR),
        (roles.READER, "SELECT zeke_jobs.enqueue('echo', 1, '{}', '{}')", roles.CLIENT),
        (roles.OPERATOR, "SELECT zeke_jobs.forget_audit()", roles.WORKER),
        (roles.READER, "SELECT 1 FROM zeke_jobs.queue", roles.OPERATOR),
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


def test_a_command_without_the_right_says_which_role_has_it(
    log_in: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    log_in(roles.CLIENT)
    assert run(app, "zeke-jobs", ["cancel", "--task", "echo", "--yes"]) == 1
    assert f"GRANT zeke_jobs_operator TO {MEMBERS[roles.CLIENT]}" in capsys.readouterr().err
