"""Clients and readers see no secret in any view, whatever rows exist and whatever search path they set."""

import json
from collections.abc import Callable
from contextlib import closing

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json

import zeke_jobs
from tests.each import each
from tests.zeke_jobs.postgres.members import READ, READ_WHOLE, as_member, sign_up
from tests.zeke_jobs.sql import change, rows
from tests.zeke_jobs.test_sensitive import FIELDS, PAYLOAD, PHONE, Order, leaks, plant
from zeke_jobs.postgres import roles

#: CLIENTS lists the views that mask what senders and handlers wrote. Whoever adds a view extends the list.
CLIENTS = {"batch_state", "finished", "job", "job_step", "schedule"}
READERS = CLIENTS | {
    "chunk_wait", "in_force", "job_before", "key_holder", "key_rate", "limit_use", "pgboss_task", "task_cost", "task_depth", "task_pace", "task_pause",
    "suspect", "task_wait",
}  # fmt: skip
PGBOSS = {"archive", "bam", "job", "queue", "queue_stats", "schedule", "version", "warning"}
SEEN = {
    roles.CLIENT: {*(f"zeke_jobs.{name}" for name in CLIENTS), "pgboss.job", "pgboss.queue", "pgboss.version"},
    roles.READER: {*(f"zeke_jobs.{name}" for name in READERS), *(f"pgboss.{name}" for name in PGBOSS)},
}
EMPTY = {
    "archive", "chunk_wait", "in_force", "job_before", "key_holder", "key_rate", "limit_use", "queue_stats", "suspect", "task_cost",
    "task_pause", "warning",
}  # fmt: skip
CRON = {"at": "0 3 * * *", "timezone": "UTC", "payload": PAYLOAD, "missed": "skip", "window": 0, "overlap": "skip", "jitter": 0, "paused": False}  # fmt: skip


@pytest.fixture
def planted(conn: Connection, database: str, make_task: Callable[..., None]) -> str:
    """Make a database with the four roles in which every text contains a secret; return its URL."""
    sign_up(conn)
    make_task("order", Order, sensitive=FIELDS, cron=json.dumps(CRON))
    queued, done = (
        zeke_jobs.send("order", PAYLOAD, key=f"customer {PHONE}", idempotency_key=f"{n} {PHONE}").id for n in (1, 2)
    )
    for job in (queued, done):
        plant(conn, job)
    change(conn, done, "state = 'done', completed_on = now()")
    rows(conn, "INSERT INTO zeke_jobs.stored_schedule (name, task, cron) VALUES ('order/a', 'order', %s)", Json(CRON))
    zeke_jobs.send_many("order", [PAYLOAD], batch="a batch")
    return database


def visible(conn: Connection) -> set[str]:
    """Return all views and tables of zeke_jobs and pg-boss that the login may read."""
    found = rows(
        conn,
        """SELECT n.nspname || '.' || c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('zeke_jobs', 'pgboss') AND c.relkind IN ('r', 'v')
        AND has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')""",
    )
    return {str(name) for (name,) in found}


@pytest.mark.parametrize("role", [roles.CLIENT, roles.READER])
def test_a_role_sees_these_views_and_no_secret_in_any(planted: str, role: str) -> None:
    with closing(psycopg2.connect(as_member(planted, role))) as ours:
        tables = {f"zeke_jobs.{name}" for name in {*READ, *READ_WHOLE}} if role == roles.READER else set()
        assert visible(ours) - {"zeke_jobs.installation"} == SEEN[role] | tables - {"zeke_jobs.installation"}
        for view in SEEN[role] | tables:
            columns = READ.get(view.removeprefix("zeke_jobs."), "v").replace(" ", ", ")
            of_all = (
                f"SELECT coalesce(string_agg(v::text, ''), ''), count(*) FROM (SELECT {columns} FROM {view} AS v) AS v"
            )
            ((text, count),) = rows(ours, of_all)
            assert leaks(str(text)) == [], view
            assert count or view in tables or view.rpartition(".")[2] in EMPTY, view


def test_each_function_that_a_view_calls_on_rows_has_a_fixed_path(conn: Connection) -> None:
    found = rows(
        conn,
        """SELECT DISTINCT p.proname FROM pg_depend AS d
        JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
        JOIN pg_class AS c ON c.oid = r.ev_class AND c.relnamespace IN (to_regnamespace('zeke_jobs'), to_regnamespace('pgboss'))
        JOIN pg_proc AS p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid AND p.pronamespace = to_regnamespace('zeke_jobs')
        WHERE p.pronargs > 0 AND p.prosqlbody IS NULL
        AND NOT EXISTS (SELECT 1 FROM unnest(p.proconfig) AS s (set) WHERE s.set LIKE 'search_path=pg_catalog, pg_temp')""",
    )
    # concurrency_of and rename_keys get rows of limits without data of jobs, or masked payloads.
    assert {str(name) for (name,) in found} == {"concurrency_of", "rename_keys"}


def test_a_batch_whose_id_quotes_its_jobs_is_refused(conn: Connection, make_task: Callable[..., None]) -> None:
    make_task("order", Order, sensitive=FIELDS)
    with pytest.raises(ValueError, match="expected the id of a batch without the value of a sensitive field of order"):
        zeke_jobs.send_many("order", [PAYLOAD], batch=f"for {PHONE}")
    assert rows(conn, "SELECT id FROM zeke_jobs.batch_state") == []
    assert zeke_jobs.send_many("order", [PAYLOAD], batch="for somebody")


@each(
    "damage",
    [
        """UPDATE zeke_jobs.queue SET message = jsonb_set(message, '{options}', '{"retry": {"limit": "1e2"}, "timeout": "x"}')""",
        """UPDATE zeke_jobs.queue SET message = jsonb_set(message, '{options}', '{"retry": {"limit": 1e300}, "timeout": 1e300}')""",
        """UPDATE zeke_jobs.queue SET message = jsonb_set(message, '{options}', '7')""",
        """UPDATE zeke_jobs.queue SET attempt = 1, attempts = '{"a": 1}'""",
        """UPDATE zeke_jobs.queue SET attempt = 1, attempts = '[1, {"error": 5}, null]'""",
        """UPDATE zeke_jobs.queue SET extra = '{"progress": 5}', sensitive = '{"", ".", "a..b", password}'""",
        """UPDATE zeke_jobs.task SET definition = '{"timeout": "for ever", "retry": {"delay": "P", "max_delay": 5, "factor": "x"},
          "keep": {"completed": "PT99999999999999999999H", "failed": []}, "max_wait": "PT", "concurrency": {"limit": "many"}, "paused": "maybe"}'""",
        """UPDATE zeke_jobs.task SET definition = '{"timeout": "P999999D", "retry": {"delay": "PT99999999H", "factor": 1e300},
          "keep": {"completed": "P999999DT99999999H"}, "concurrency": {"limit": 1e300}}'""",
        """UPDATE zeke_jobs.task SET definition = '[]', payload_schema = '{"anyOf": 1, "properties": [], "items": 5, "$ref": 7}'""",
        """UPDATE zeke_jobs.task SET payload_schema = '{"properties": {"password": 5, "user": {"$ref": "#"}}, "allOf": [5]}'""",
        """UPDATE zeke_jobs.task SET cron = '[1, {"name": "a"}, {"name": "b", "paused": "maybe", "payload": 5}]'""",
        """UPDATE zeke_jobs.task SET cron = '{"paused": 5}'""",
        """UPDATE zeke_jobs.stored_schedule SET cron = '"x"'""",
        """UPDATE zeke_jobs.queue SET message = jsonb_set(message, '{kwargs}', '[1]')""",
    ],
)  # fmt: skip
def test_one_row_that_cannot_be_read_stops_no_view(conn: Connection, planted: str, damage: str) -> None:
    zeke_jobs.send("order", {"note": "an honest job"})
    row = "seq = (SELECT min(seq) FROM zeke_jobs.queue)" if "zeke_jobs.queue" in damage else "true"
    # The role replica skips triggers, which would refuse the damage.
    rows(conn, "SET session_replication_role = replica")
    rows(conn, f"{damage} WHERE {row}")
    rows(conn, "RESET session_replication_role")
    with closing(psycopg2.connect(as_member(planted, roles.READER))) as ours:
        for view in SEEN[roles.READER]:
            rows(ours, f"SELECT v::text FROM {view} AS v")
        assert "an honest job" in str(rows(ours, "SELECT data FROM pgboss.job"))
    if "kwargs" not in damage:
        assert leaks(str(rows(conn, "SELECT v::text FROM zeke_jobs.job AS v"))) == []
