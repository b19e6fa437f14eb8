"""Each role has exactly these rights, and nobody with fewer rights can hold a lock of zeke_jobs."""

from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg2.errors import LockNotAvailable
from psycopg2.extensions import connection as Connection

from tests.zeke_jobs.postgres.members import (
    FUNCTIONS,
    NOT_WRITTEN_BY_WORKERS,
    READ,
    READ_WHOLE,
    TRIGGERED,
    WRITING,
    refused,
)
from tests.zeke_jobs.sql import rows
from tests.zeke_jobs.worker.conftest import Jobs
from zeke_jobs.postgres import roles
from zeke_jobs.postgres.pool import transaction


def rights(conn: Connection) -> dict[str, set[tuple[str, str]]]:
    """Return the grants on tables, views, columns and sequences by role; PUBLIC has the empty name."""
    granted = rows(
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
    for role, name, privilege in granted:
        found.setdefault(str(role), set()).add((str(name), str(privilege)))
    return found


def test_each_role_has_the_rights_that_are_written_here_and_no_others(conn: Connection, granted: str) -> None:
    assert granted
    relations = {(str(name), kind) for name, kind in rows(
        conn,
        """SELECT n.nspname || '.' || c.relname, c.relkind::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('zeke_jobs', 'pgboss') AND c.relkind IN ('r', 'v')""",
    )}  # fmt: skip
    ours = {name for name, _ in relations if name.startswith("zeke_jobs.")}
    views = {name for name, kind in relations if kind == "v"}
    schema = {("zeke_jobs", "schema USAGE")}
    both = schema | {("pgboss", "schema USAGE")}
    written = {f"zeke_jobs.{name}" for name in NOT_WRITTEN_BY_WORKERS}
    client = "zeke_jobs.job zeke_jobs.finished zeke_jobs.batch_state zeke_jobs.job_step zeke_jobs.schedule zeke_jobs.installation"
    expected = {
        roles.CLIENT: both
        | {("pgboss.job", "INSERT")}
        | {(name, "SELECT") for name in f"{client} pgboss.job pgboss.queue pgboss.version".split()},
        roles.READER: both
        | {(name, "SELECT") for name in views - {"zeke_jobs.planned", "zeke_jobs.unmasked"}}
        | {(f"zeke_jobs.{name}", "SELECT") for name in READ_WHOLE}
        | {(f"zeke_jobs.{table}.{column}", "SELECT") for table, columns in READ.items() for column in columns.split()},
        roles.OPERATOR: both
        | {(name, "SELECT") for name in ours | views}
        | {("pgboss.job", how) for how in WRITING}
        | {("pgboss.schedule", "DELETE")},
        roles.WORKER: schema
        | {(name, "SELECT") for name in ours}
        | {(name, how) for name in ours - written for how in WRITING},
    }
    assert rights(conn) == expected


def test_each_role_may_call_the_functions_that_are_written_here_and_no_others(conn: Connection, granted: str) -> None:
    assert granted
    closed = {str(name) for (name,) in rows(
        conn,
        """SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'zeke_jobs'::regnamespace
        AND NOT has_function_privilege('public', p.oid, 'EXECUTE')""",
    )}  # fmt: skip
    assert closed == set().union(*FUNCTIONS.values()) | TRIGGERED
    for role, expected in FUNCTIONS.items():
        found = rows(
            conn,
            f"""SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'zeke_jobs'::regnamespace
            AND NOT has_function_privilege('public', p.oid, 'EXECUTE') AND has_function_privilege('{role}', p.oid, 'EXECUTE')""",
        )
        assert {str(name) for (name,) in found} == expected, role


def test_no_function_with_the_owners_rights_can_be_led_astray_or_is_open_to_all(conn: Connection) -> None:
    found = rows(
        conn,
        """SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'zeke_jobs'::regnamespace AND p.prosecdef
        AND (NOT 'search_path=pg_catalog, pg_temp' = ANY (coalesce(p.proconfig, '{}'))
          OR p.proacl IS NULL OR EXISTS (SELECT 1 FROM aclexplode(p.proacl) AS a WHERE a.grantee = 0))""",
    )
    assert found == []


def test_handlers_of_a_worker_reach_the_tables_that_packages_made(conn: Connection, granted: str) -> None:
    assert granted
    ((may, count),) = rows(
        conn,
        """SELECT has_table_privilege('zeke_jobs_worker', substr(o.object, 7), 'INSERT'), count(*)
        FROM zeke_jobs.migration AS m CROSS JOIN unnest(m.made) AS o (object)
        WHERE o.object LIKE 'table %' AND to_regclass(substr(o.object, 7)) IS NOT NULL GROUP BY 1""",
    )
    assert (may, count > 10) == (True, True)


def test_granting_again_takes_back_what_was_too_much(
    granted: str, conn: Connection, log_in: Callable[[str], str]
) -> None:
    assert granted
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
            # A session releases its own locks by pg_advisory_unlock_all.
            # story_filing_hold.sql locks by a text's hash, which only somebody with the text could compute.
            text = path.read_text().replace("pg_advisory_unlock_all", "")
            assert "pg_advisory" not in text or path.name == "story_filing_hold.sql", path


def test_one_process_at_a_time_holds_a_lock_and_the_next_sees_what_it_did(
    conn: Connection, other_conn: Connection
) -> None:
    with transaction(conn):
        rows(conn, "SELECT zeke_jobs.take_lock('new one')")
        with other_conn.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
            with pytest.raises(LockNotAvailable):
                cursor.execute("SELECT zeke_jobs.take_lock('new one')")
            cursor.execute("SELECT zeke_jobs.take_lock('another one')")
    other_conn.cursor().execute("SELECT zeke_jobs.take_lock('new one')")


def test_a_heartbeat_without_a_suspect_takes_no_lock_but_of_its_own_row(conn: Connection) -> None:
    jobs = Jobs(conn)
    worker = jobs.worker()
    with transaction(conn):
        jobs.beat(worker)
        held = "SELECT relation::regclass::text FROM pg_locks WHERE pid = pg_backend_pid() AND mode = 'RowShareLock'"
        assert rows(conn, held) == []
