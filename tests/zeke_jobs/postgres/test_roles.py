"""Each role has exactly the listed rights, which suffice for its programs. Others cannot take zeke_jobs' locks."""

import threading
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import dramatiq
import pytest
from psycopg2.errors import InsufficientPrivilege, LockNotAvailable
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.each import each
from tests.zeke_jobs.commands import Cli, LogIn
from tests.zeke_jobs.postgres import members
from tests.zeke_jobs.postgres.members import MEMBERS, TASKS, refused
from tests.zeke_jobs.sql import change, rows, value
from tests.zeke_jobs.worker.conftest import Jobs, load
from tests.zeke_jobs.working import working
from zeke_jobs.config import load_text
from zeke_jobs.control import actions
from zeke_jobs.postgres import roles
from zeke_jobs.postgres.pool import connect, transaction
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions import applying
from zeke_jobs.scheduler import beat
from zeke_jobs.worker import builder


def test_a_client_sends_waits_and_reads_status_and_cannot_stand_in_for_a_schedule(granted: str, log_in: LogIn) -> None:
    with working(load(TASKS), granted, threads=2):
        url = log_in(roles.CLIENT)
        sent = zeke_jobs.send("parrot", {"n": 5}, key="a")
        assert zeke_jobs.wait(sent.id, timeout=20)["n"] == 5
    assert zeke_jobs.status(sent.id).status == "completed"
    assert len(zeke_jobs.send_many("echo", [{"n": 1}, {"n": 2}])) == 2
    assert zeke_jobs.send("echo", {"n": 5}, id=sent.id).duplicate
    with pytest.raises(zeke_jobs.errors.UnknownTask, match="did you mean 'echo'"):
        zeke_jobs.send("ecco")
    with pytest.raises(zeke_jobs.errors.InvalidPayload):
        zeke_jobs.send("echo", {"m": 1})
    early = '{"scheduled_for": "2031-01-01Z", "run_at": "2999-01-01Z"}'
    enqueue = f"SELECT zeke_jobs.enqueue('tick', NULL, '{{}}', '{early}', gen_random_uuid()::text)"
    refused(url, f"SELECT zeke_jobs.send('tick', '{{}}', '{early}')", enqueue)


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


class Kept(zeke_jobs.Payload):
    api_token: str = ""
    word: str = ""
    n: int = 0
    pin: int = 0


SERVICES = f"services: {{mail: {{use: 'tests.acceptance.handlers:Service', url: {SECRET}}}}}"


def keep(payload: Kept, ctx: zeke_jobs.Context) -> None: ...


def test_no_answer_to_a_reader_shows_a_secret(log_in: LogIn, conn: Connection, cli: Cli, tmp_path: Path) -> None:
    before = f"version: 1\n{SERVICES}\ntasks: {KEPT}"
    after = before.replace("word: w", "word: x, n: 2")
    applying.sync(conn, load_text(before, "jobs.yaml"))
    given = {"apiToken": SECRET}
    job = zeke_jobs.send("keep", {**given, "word": "w"}, key=f"k-{SECRET}").id
    zeke_jobs.schedules.put("keep/own", task="keep", at="0 4 * * *", payload=given, key=f"k-{SECRET}")
    log_in(roles.OPERATOR)
    for override in (f"keep.cron.payload.apiToken={SECRET}2", "keep.priority=3"):
        assert cli("set", override, "-m", "a test").status == 0
    path = tmp_path / "jobs.yaml"
    path.write_text(after)
    plans = []
    for role in (roles.OPERATOR, roles.READER):
        url = log_in(role)
        plans.append(cli("plan", "--json", path))
        assert (plans[-1].status, SECRET in plans[-1].out) == (4, False)
        shown = [f"{one} {job} --json" for one in ("why", "status")]
        shown += [f"{one} --json" for one in ("schedule", "limits", "doctor", "jobs", "paused", "fleet")]
        for command in (*shown, "top --once"):
            ran = cli(*command.split())
            assert (ran.status in (0, 1), "permission denied" in ran.err, SECRET in ran.out) == (True, False, False)
    changed = [[(one["key"], one["before"], one["after"]) for one in plan.json["changes"]] for plan in plans]
    keys = [f"cron.{name}payload.{key}" for name in ("", "payload.") for key in ("word", "n")]
    assert [one[0] for one in changed[1]] == keys
    assert changed[0] == changed[1]
    sql = f"""SELECT format('%I', a.attname), a.attrelid::regclass::text FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
        WHERE a.attnum > 0 AND c.relkind IN ('r', 'v') AND c.relnamespace IN ('zeke_jobs'::regnamespace, 'pgboss'::regnamespace)
        AND has_column_privilege('{roles.READER}', c.oid, a.attnum, 'SELECT')"""
    columns = rows(conn, sql)
    assert len(columns) > 300
    with closing(connect(url)) as reading:
        for column, relation in columns:
            assert SECRET not in str(rows(reading, f"SELECT {column}::text FROM {relation}")), (relation, column)


def test_a_plan_judges_jobs_that_its_login_may_read(log_in: LogIn, conn: Connection, cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "jobs.yaml"
    path.write_text(f"version: 1\ntasks: {KEPT}")
    applying.sync(conn, load_text(path.read_text(), "jobs.yaml"))
    for field in ("pin", "n"):
        job = zeke_jobs.send("keep", {"word": "w"}, key=field).id
        change(conn, job, f"message = jsonb_set(message, '{{kwargs,{field}}}', '[7]')")
    rows(conn, "UPDATE zeke_jobs.task SET payload_schema = '{}' WHERE id = 'keep'")
    for role, unfit in ((roles.OPERATOR, 2), (roles.READER, 1)):
        log_in(role)
        (found,) = cli("plan", "--json", path).json["touched"]
        assert (found["why"], found["queued"], found["name"]) == ("unfit", unfit, "keep")


def test_each_runs_under_its_role(log_in: LogIn, conn: Connection, capsys: pytest.CaptureFixture[str]) -> None:
    rows(conn, "DELETE FROM zeke_jobs.task; DELETE FROM zeke_jobs.revision")
    url = log_in(roles.WORKER)
    tasks = TASKS + "  chain: {handler: 'H:chain', concurrency: {limit: 2, per_key: 1}, rate: 100/s}\n"
    with working(load(tasks), url, threads=2) as broker:
        assert zeke_jobs.wait(zeke_jobs.send("echo", {"n": 3}).id, timeout=20)["n"] == 3
        assert zeke_jobs.wait(zeke_jobs.send("chain", {"n": 3}, key="a").id, timeout=20) is not None
        broker.lifecycle.heartbeat.beat(conn)
        # Outside the main thread, beat.beat sets no signal handlers. If it succeeds, it writes a row.
        beaten = threading.Thread(target=beat.beat, args=(url,))
        beaten.start()
        beaten.join(20)
        assert value(conn, "SELECT count(*) FROM zeke_jobs.schedule_beat") == 1
    broker = builder.build(load(TASKS), log_in(roles.READER))
    with pytest.raises(SystemExit, match="2"):
        dramatiq.Worker(broker, worker_threads=1).start()
    assert "expected a database user with this right, got: permission denied" in capsys.readouterr().err


def test_roles_prints_and_grants_and_a_stranger_is_told_who_may(log_in: LogIn, cli: Cli, granted: str) -> None:
    assert cli("roles") == (0, roles.script(), "")
    cli("roles", "--apply").says("granted: zeke_jobs_client")
    log_in(roles.OPERATOR)
    cli("roles", "--apply").says("help: let such a user run it: zeke-jobs roles | psql", status=1)
    with closing(connect(granted)) as conn:
        applying.sync(conn, load(TASKS))
    with closing(connect(log_in(roles.WORKER))) as conn:
        with pytest.raises(InsufficientPrivilege, match="note_sent"):
            actions.run_now(conn, "tick")
        assert value(conn, "SELECT count(*) FROM zeke_jobs.queue") == 0
    with closing(connect(log_in(roles.READER))) as conn:
        (tick,) = [row for row in SQL.all(conn, "job/counts") if row["id"] == "tick"]
        assert tick["schedules"][0]["timezone"] == "UTC"


@each(
    "member statement lacks",
    (roles.CLIENT, "SELECT zeke_jobs.count_changes('cancel', '{}', '{}', 1)", roles.OPERATOR),
    (roles.READER, "SELECT zeke_jobs.enqueue('echo', '1', '{}', '{}', 'x')", roles.CLIENT),
    (roles.OPERATOR, "SELECT zeke_jobs.forget_audit()", roles.WORKER),
    (roles.READER, "SELECT 1 FROM zeke_jobs.job_log", roles.OPERATOR),
    (roles.READER, "SELECT message FROM zeke_jobs.queue", None),
    (roles.CLIENT, "SELECT 1 FROM zeke_jobs.queue", roles.READER),
    (roles.CLIENT, "SELECT 1 FROM zeke_jobs.tick", roles.READER),
    (roles.CLIENT, "SELECT 1 FROM zeke_jobs.task_wait", roles.READER),
)
def test_a_refused_right_names_the_grant(log_in: LogIn, member: str, statement: str, lacks: str | None) -> None:
    with closing(connect(log_in(member))) as conn, pytest.raises(InsufficientPrivilege) as refusal:
        rows(conn, statement)
    said = roles.complaint(refusal.value)
    assert "got: permission denied for " in said
    if lacks:
        assert f", as {MEMBERS[member]}\n  help: GRANT {lacks} TO {MEMBERS[member]}; " in said
    else:  # The role may read only some columns of the table.
        assert "has that role, it needs zeke_jobs_operator for this, or its rights are older" in said


def rights(conn: Connection) -> dict[str, set[tuple[str, str]]]:
    """Return the grants on tables, views, columns and sequences by role; PUBLIC has the empty name."""
    sql = """SELECT coalesce(r.rolname, ''), g.name, g.privilege
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
        ) AS g LEFT JOIN pg_roles AS r ON r.oid = g.grantee"""
    granted = rows(conn, sql)
    found: dict[str, set[tuple[str, str]]] = {}
    for role, name, privilege in granted:
        found.setdefault(str(role), set()).add((str(name), str(privilege)))
    return found


def functions(conn: Connection, condition: str) -> set[str]:
    sql = "SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'zeke_jobs'::regnamespace"
    return {str(name) for (name,) in rows(conn, f"{sql} AND {condition}")}


def test_each_role_has_the_rights_that_are_written_here_alone(conn: Connection, granted: str, log_in: LogIn) -> None:
    assert granted
    sql = """SELECT n.nspname || '.' || c.relname, c.relkind::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('zeke_jobs', 'pgboss') AND c.relkind IN ('r', 'v')"""
    relations = {(str(name), kind) for name, kind in rows(conn, sql)}
    ours = {name for name, _ in relations if name.startswith("zeke_jobs.")}
    views = {name for name, kind in relations if kind == "v"}
    schema = {("zeke_jobs", "schema USAGE")}
    both = schema | {("pgboss", "schema USAGE")}
    written = {f"zeke_jobs.{name}" for name in members.NOT_WRITTEN_BY_WORKERS}
    client = "zeke_jobs.job zeke_jobs.finished zeke_jobs.batch_state zeke_jobs.job_step zeke_jobs.schedule zeke_jobs.installation"
    read = [f"{table}.{column}" for table, columns in members.READ.items() for column in columns.split()]
    read = [f"zeke_jobs.{name}" for name in (*members.READ_WHOLE, *read)]

    def some(names: Iterable[str], *how: str) -> set[tuple[str, str]]:
        return {(name, one) for name in names for one in how or ["SELECT"]}

    expected = {
        roles.CLIENT: both
        | some(["pgboss.job"], "INSERT")
        | some(f"{client} pgboss.job pgboss.queue pgboss.version".split()),
        roles.READER: both | some(views - {"zeke_jobs.planned", "zeke_jobs.unmasked"}) | some(read),
        roles.OPERATOR: both
        | some(ours | views)
        | some(["pgboss.job"], *members.WRITING)
        | some(["pgboss.schedule"], "DELETE"),
        roles.WORKER: schema | some(ours) | some(ours - written, *members.WRITING),
    }
    assert rights(conn) == expected
    closed = "NOT has_function_privilege('public', p.oid, 'EXECUTE')"
    assert functions(conn, closed) == set().union(*members.FUNCTIONS.values()) | members.TRIGGERED
    for role, theirs in members.FUNCTIONS.items():
        assert functions(conn, f"{closed} AND has_function_privilege('{role}', p.oid, 'EXECUTE')") == theirs, role
    astray = """p.prosecdef AND (NOT 'search_path=pg_catalog, pg_temp' = ANY (coalesce(p.proconfig, '{}'))
      OR p.proacl IS NULL OR EXISTS (SELECT 1 FROM aclexplode(p.proacl) AS a WHERE a.grantee = 0))"""
    assert functions(conn, astray) == set(), "the owner's rights go with a fixed path, and are not open to all"
    made = """SELECT has_table_privilege('zeke_jobs_worker', substr(o.object, 7), 'INSERT'), count(*)
        FROM zeke_jobs.migration AS m CROSS JOIN unnest(m.made) AS o (object)
        WHERE o.object LIKE 'table %' AND to_regclass(substr(o.object, 7)) IS NOT NULL GROUP BY 1"""
    ((may, count),) = rows(conn, made)
    assert (may, count > 10) == (True, True)
    rows(conn, f"GRANT SELECT ON zeke_jobs.queue TO {roles.CLIENT}")
    rows(conn, f"GRANT UPDATE (state, message) ON zeke_jobs.queue TO {roles.OPERATOR}")
    rows(conn, f"GRANT INSERT, UPDATE, DELETE ON zeke_jobs.task, zeke_jobs.bucket TO {roles.OPERATOR}")
    roles.grant(conn)
    refused(log_in(roles.CLIENT), "SELECT message FROM zeke_jobs.queue")
    refused(log_in(roles.OPERATOR), "UPDATE zeke_jobs.queue SET state = 'done'", "DELETE FROM zeke_jobs.task")


def test_no_statement_of_ours_takes_a_lock_that_everybody_may_take() -> None:
    for package in ("zeke_jobs", "actors"):
        root = Path(__file__).parents[3] / package
        for path in (*root.rglob("*.sql"), *root.rglob("*.py")):
            # Two uses are allowed: pg_advisory_unlock_all only releases a session's own locks; story_filing_hold.sql
            # locks the hash of a text, which nobody can compute without the text.
            text = path.read_text().replace("pg_advisory_unlock_all", "")
            assert "pg_advisory" not in text or path.name == "story_filing_hold.sql", path


def test_one_process_holds_a_lock_and_a_heartbeat_only_its_own_row(conn: Connection, other_conn: Connection) -> None:
    jobs = Jobs(conn)
    worker = jobs.worker()
    with transaction(conn):
        jobs.beat(worker)
        held = "SELECT relation::regclass::text FROM pg_locks WHERE pid = pg_backend_pid() AND mode = 'RowShareLock'"
        assert rows(conn, held) == []
    with transaction(conn):
        rows(conn, "SELECT zeke_jobs.take_lock('new one')")
        with other_conn.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
            with pytest.raises(LockNotAvailable):
                cursor.execute("SELECT zeke_jobs.take_lock('new one')")
            cursor.execute("SELECT zeke_jobs.take_lock('another one')")
    other_conn.cursor().execute("SELECT zeke_jobs.take_lock('new one')")
