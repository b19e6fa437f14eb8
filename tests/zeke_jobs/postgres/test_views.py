"""People, dashboards and pg-boss's client use these views. Clients and readers see no secret, whatever rows exist."""

import json
import uuid
from contextlib import closing
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
from psycopg2.errors import FeatureNotSupported, ObjectNotInPrerequisiteState, UndefinedObject
from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json
from pydantic import Field

import zeke_jobs
from tests.each import each
from tests.zeke_jobs.commands import LogIn, MakeTask
from tests.zeke_jobs.postgres.members import MEMBERS, READ, READ_WHOLE, as_member, sign_up
from tests.zeke_jobs.sql import change, dicts as rows, rows as query, value
from tests.zeke_jobs.test_sensitive import FIELDS, PAYLOAD, PHONE, Order, leaks, plant
from zeke_jobs.postgres import roles
from zeke_jobs.postgres.pool import connect


class Part(zeke_jobs.Payload):
    source_url: str = ""


class Analyze(zeke_jobs.Payload):
    story_id: str
    api_key: str = ""
    all_parts: list[Part] = Field(default_factory=list)


@pytest.fixture(autouse=True)
def tasks(make_task: MakeTask) -> None:
    make_task("analyze-story", Analyze, sensitive=["api_key"], retry_limit=3)


def send(conn: Connection, changes: str = "attempt = attempt") -> str:
    sent = zeke_jobs.send("analyze-story", {"storyId": "x", "apiKey": "s3cret", "allParts": [{"sourceUrl": "u"}]})
    change(conn, sent.id, changes)
    return str(sent.id)


#: Each status has the changes that make it.
STATUSES = {
    "created": "attempt = attempt",
    "retry": "attempt = 1",
    "active": "state = 'consumed', attempt = 1, started_on = now()",
    "completed": "state = 'done', attempt = 1, result = '{\"chili\": 3}', completed_on = now()",
    "failed": """state = 'rejected', attempt = 4, completed_on = now(),
      attempts = '[{"error": {"type": "OSError", "message": "no route"}}]'""",
    "cancelled": "state = 'rejected', cancelled_on = now(), completed_on = now()",
}
#: The columns are those of pg-boss's schema 26, in its releases 12.0 to 12.5.
JOB = """id name priority data state retry_limit retry_count retry_delay retry_backoff retry_delay_max expire_seconds deletion_seconds
  singleton_key singleton_on start_after created_on started_on completed_on keep_until output dead_letter policy"""
QUEUE = """name policy retry_limit retry_delay retry_backoff retry_delay_max expire_seconds retention_seconds deletion_seconds dead_letter
  partition table_name deferred_count queued_count warning_queued active_count total_count singletons_active monitor_on maintain_on
  created_on updated_on"""


def test_the_queries_of_pg_bosss_documentation_and_client_find_each_job_and_column(conn: Connection) -> None:
    ids = {status: send(conn, changes) for status, changes in STATUSES.items()}
    newest = [str(row["id"]) for row in rows(conn, "SELECT * FROM pgboss.job\nORDER BY createdon DESC\nLIMIT 20;")]
    assert newest == list(ids.values())[::-1]
    failed = rows(conn, "SELECT * FROM pgboss.job\nWHERE state = 'failed';")
    assert [str(row["id"]) for row in failed] == [ids["failed"]]
    assert rows(conn, "SELECT id FROM pgboss.job WHERE state = 'expired'") == []
    waiting = rows(conn, "SELECT id FROM pgboss.job WHERE state < 'active'")  # The states compare in pg-boss's order.
    assert {str(row["id"]) for row in waiting} == {ids["created"], ids["retry"]}
    counted = rows(conn, "SELECT state, COUNT(*)\nFROM pgboss.job\nGROUP BY state;")
    assert {row["state"]: row["count"] for row in counted} == dict.fromkeys(ids, 1)
    both = "retry_limit, retrylimit, start_after, startafter, keep_until, keepuntil"
    assert len(rows(conn, f"SELECT {both} FROM pgboss.job")) == 6, "both spellings of pg-boss's columns are there"
    sql = """INSERT INTO zeke_jobs.history (id, name, state, queue, priority, attempt, deaths, run_at, created_on, completed_on)
        VALUES (gen_random_uuid(), 'purged', 'failed', 'default', 0, 4, 0, now(), now(), now())"""
    rows(conn, sql)
    columns = "id, name, state, data, output, startedon, completedon, createdon, retrycount"
    all_of_it = f"SELECT {columns} FROM pgboss.job UNION ALL SELECT {columns} FROM pgboss.archive ORDER BY createdon"
    found = rows(conn, all_of_it)
    seen = [(str(row["id"]), row["state"], row["retrycount"]) for row in found[:-1]]
    assert seen == [(ids[state], state, 3 * (state == "failed")) for state in ids]
    assert [found[n]["output"] for n in (3, 4)] == [{"chili": 3}, {"type": "OSError", "message": "no route"}]
    assert found[-1]["retrycount"] == 3
    purged = {"name": "purged", "state": "failed", "retry_count": 3, "is_archived": True}
    archived = "SELECT name, state, retry_count, archivedon IS NOT NULL AS is_archived FROM pgboss.archive"
    assert rows(conn, archived) == [purged]
    for view, names in (("job", JOB), ("queue", QUEUE), ("version", "version cron_on")):
        assert rows(conn, f"SELECT {', '.join(names.split())} FROM pgboss.{view}")


def test_counting_reads_no_payload_and_each_function_of_a_view_has_a_fixed_path(conn: Connection) -> None:
    plan = str(rows(conn, "EXPLAIN (VERBOSE, COSTS OFF) SELECT state, count(*) FROM pgboss.job GROUP BY state"))
    assert ("rename_keys" in plan, "zeke_jobs.task" in plan) == (False, False)
    for whose in ("", " WHERE name = 'analyze-story'"):
        plan = str(rows(conn, f"EXPLAIN SELECT name, policy, retry_limit FROM pgboss.queue{whose}"))
        assert "Aggregate" not in plan
    sql = """SELECT DISTINCT p.proname FROM pg_depend AS d
        JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
        JOIN pg_class AS c ON c.oid = r.ev_class AND c.relnamespace IN (to_regnamespace('zeke_jobs'), to_regnamespace('pgboss'))
        JOIN pg_proc AS p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid AND p.pronamespace = to_regnamespace('zeke_jobs')
        WHERE p.pronargs > 0 AND p.prosqlbody IS NULL
        AND NOT EXISTS (SELECT 1 FROM unnest(p.proconfig) AS s (set) WHERE s.set LIKE 'search_path=pg_catalog, pg_temp')"""
    found = query(conn, sql)
    # These two need no fixed search_path: they see no secret. concurrency_of gets limits, rename_keys masked payloads.
    assert {str(name) for (name,) in found} == {"concurrency_of", "rename_keys"}


def test_data_has_camel_case_keys_for_pg_boss_and_snake_case_for_us(conn: Connection, make_task: MakeTask) -> None:
    send(conn)
    (theirs,) = rows(conn, "SELECT data, data ->> 'storyId' AS story FROM pgboss.job")
    (ours,) = rows(conn, "SELECT data FROM zeke_jobs.job")
    assert theirs["data"] == {"storyId": "x", "apiKey": "***", "allParts": [{"sourceUrl": "u"}]}
    assert theirs["story"] == "x"
    assert ours["data"] == {"story_id": "x", "api_key": "***", "all_parts": [{"source_url": "u"}]}
    assert rows(conn, "SELECT * FROM pgboss.schedule;") == []
    cron = {"at": "*/5 * * * *", "timezone": "UTC", "payload": {"story_id": "x"}, "paused": False}
    make_task("pull", Analyze, cron=json.dumps(cron))
    (row,) = rows(conn, "SELECT name, key, cron, timezone, data FROM pgboss.schedule")
    assert row == {"name": "pull", "key": "", "cron": "*/5 * * * *", "timezone": "UTC", "data": {"storyId": "x"}}


def test_a_queue_says_what_its_task_does_and_how_many_jobs_it_has(conn: Connection, make_task: MakeTask) -> None:
    again = {"delay": "10s", "factor": 1.0, "max_delay": "1h"}
    definition = {"timeout": "1h30m", "retry": again, "keep": {"completed": "7d"}}
    make_task("analyze-story", Analyze, definition=json.dumps(definition), retry_limit=3)
    make_task("empty", Analyze, definition='{"retry": {"factor": 2.0}}')
    for changes in STATUSES.values():
        send(conn, changes)
    send(conn, "run_at = now() + interval '1 hour'")
    settings = "retry_limit, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds"
    counts = "deferred_count, queued_count, ready_count, active_count, failed_count, total_count"
    found = rows(conn, f"SELECT name, {settings}, {counts} FROM pgboss.queue ORDER BY name")
    lengths = "unnest('{1h30m, 1.5s, 5000w, none}'::text[]) AS l (length)"
    seconds = rows(conn, f"SELECT zeke_jobs.seconds_of(l.length) AS seconds FROM {lengths}")
    assert [row["seconds"] for row in seconds] == [5400, 2, 2147483647, None]
    job = "retry_delay, retrydelay, retrybackoff, expire_in::text, expirein::text, keepuntil - completedon AS kept"
    (row,) = rows(conn, f"SELECT {job} FROM pgboss.job WHERE state = 'completed'")
    assert list(row.values()) == [10, 10, False, "01:30:00", "01:30:00", timedelta(days=7)]
    assert [list(row.values()) for row in found] == [
        ["analyze-story", 3, 10, False, 3600, 5400, 604800, 1, 3, 2, 1, 1, 7],
        ["empty", 0, None, True, None, None, None, 0, 0, 0, 0, 0, 0],
    ]


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
def planted(conn: Connection, database: str, make_task: MakeTask) -> str:
    """Make the four roles, and jobs and schedules with secrets in all their texts; return the URL of the database."""
    sign_up(conn)
    make_task("order", Order, sensitive=FIELDS, cron=json.dumps(CRON))
    for n in (1, 2):
        done = zeke_jobs.send("order", PAYLOAD, key=f"customer {PHONE}", idempotency_key=f"{n} {PHONE}").id
        plant(conn, done)
    change(conn, done, "state = 'done', completed_on = now()")
    query(conn, "INSERT INTO zeke_jobs.stored_schedule (name, task, cron) VALUES ('order/a', 'order', %s)", Json(CRON))
    zeke_jobs.send_many("order", [PAYLOAD], batch="a batch")
    return database


@pytest.mark.parametrize("role", [roles.CLIENT, roles.READER])
def test_a_role_sees_these_views_and_no_secret_in_any(planted: str, role: str) -> None:
    with closing(psycopg2.connect(as_member(planted, role))) as ours:
        tables = {f"zeke_jobs.{name}" for name in {*READ, *READ_WHOLE}} if role == roles.READER else set()
        sql = """SELECT n.nspname || '.' || c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE n.nspname IN ('zeke_jobs', 'pgboss') AND c.relkind IN ('r', 'v')
            AND has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')"""
        found = query(ours, sql)
        expected = SEEN[role] | tables
        assert {str(name) for (name,) in found} ^ expected <= {"zeke_jobs.installation"}
        for view in SEEN[role] | tables:
            columns = READ.get(view.removeprefix("zeke_jobs."), "v").replace(" ", ", ")
            of_all = "SELECT coalesce(string_agg(v::text, ''), ''), count(*)"
            ((text, count),) = query(ours, f"{of_all} FROM (SELECT {columns} FROM {view} AS v) AS v")
            assert leaks(str(text)) == [], view
            assert count or view in tables or view.rpartition(".")[2] in EMPTY, view


def test_a_batch_whose_id_quotes_its_jobs_is_refused(conn: Connection, make_task: MakeTask) -> None:
    make_task("order", Order, sensitive=FIELDS)
    with pytest.raises(ValueError, match="expected the id of a batch without the value of a sensitive field of order"):
        zeke_jobs.send_many("order", [PAYLOAD], batch=f"for {PHONE}")
    assert query(conn, "SELECT id FROM zeke_jobs.batch_state") == []
    assert zeke_jobs.send_many("order", [PAYLOAD], batch="for somebody")


@each(
    "damage",
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
)  # fmt: skip
def test_one_row_that_cannot_be_read_stops_no_view(conn: Connection, planted: str, damage: str) -> None:
    zeke_jobs.send("order", {"note": "an honest job"})
    row = "seq = (SELECT min(seq) FROM zeke_jobs.queue)" if "zeke_jobs.queue" in damage else "true"
    # session_replication_role = replica makes PostgreSQL skip the triggers, which would refuse the damaged row.
    query(conn, "SET session_replication_role = replica")
    query(conn, f"{damage} WHERE {row}")
    query(conn, "RESET session_replication_role")
    with closing(psycopg2.connect(as_member(planted, roles.READER))) as ours:
        for view in SEEN[roles.READER]:
            query(ours, f"SELECT v::text FROM {view} AS v")
        assert "an honest job" in str(query(ours, "SELECT data FROM pgboss.job"))
    if "kwargs" not in damage:
        assert leaks(str(query(conn, "SELECT v::text FROM zeke_jobs.job AS v"))) == []


#: pg-boss inserts jobs with INSERT: missing options come from the queue or from defaults, and a conflict is no error.
INSERT = """INSERT INTO pgboss.job (id, name, data, priority, start_after, created_on, singleton_key, singleton_on, group_id, group_tier,
    expire_seconds, deletion_seconds, keep_until, retry_limit, retry_delay, retry_backoff, retry_delay_max, policy, dead_letter,
    heartbeat_seconds, blocked, blocking, pending_dependencies, trace_context)
  SELECT coalesce(s.id, gen_random_uuid()), q.name, s.data, coalesce(s.priority, 0), coalesce(s.start_after, pgboss.job_now()),
    pgboss.job_now(), s.singleton_key, s.singleton_on, s.group_id, NULL, coalesce(s.expire_seconds, q.expire_seconds, 900),
    coalesce(s.deletion_seconds, q.deletion_seconds, 604800),
    coalesce(s.start_after, pgboss.job_now()) + make_interval(secs => coalesce(s.retention_seconds, q.retention_seconds, 1209600)),
    coalesce(s.retry_limit, q.retry_limit, 2), coalesce(s.retry_delay, q.retry_delay, 0),
    coalesce(s.retry_backoff, q.retry_backoff, false), coalesce(s.retry_delay_max, q.retry_delay_max), q.policy,
    coalesce(s.dead_letter, q.dead_letter), q.heartbeat_seconds, false, false, 0, s.trace_context
  FROM json_to_record(%s) AS s (id uuid, data jsonb, priority integer, start_after timestamptz, singleton_key text,
    singleton_on timestamp, group_id text, expire_seconds integer, deletion_seconds integer, retention_seconds integer,
    retry_limit integer, retry_delay integer, retry_backoff boolean, retry_delay_max integer, dead_letter text, trace_context jsonb)
  JOIN pgboss.queue AS q ON q.name = 'echo'
  ON CONFLICT DO NOTHING RETURNING id"""
CANCEL = "WITH done AS (UPDATE pgboss.job SET state = 'cancelled', completed_on = pgboss.job_now() WHERE name = 'echo' AND id = %s AND state < 'completed' RETURNING id) SELECT count(*) FROM done"
RETRY = "WITH done AS (UPDATE pgboss.job SET state = 'retry', retry_limit = retry_count + 1, completed_on = NULL WHERE name = 'echo' AND id = %s AND state = 'failed' RETURNING 1) SELECT count(*) FROM done"
RESUME = "WITH done AS (UPDATE pgboss.job SET state = 'created', completed_on = NULL WHERE name = 'echo' AND id = %s AND state = 'cancelled' RETURNING 1) SELECT count(*) FROM done"
DELETE = "WITH done AS (DELETE FROM pgboss.job WHERE name = 'echo' AND id = %s RETURNING id) SELECT count(*) FROM done"
UNSCHEDULE = "DELETE FROM pgboss.schedule WHERE name = %s AND coalesce(key, '') = %s"

READS = [
    "SELECT version FROM pgboss.version",
    "SELECT name, policy, table_name, warning_queued, notify, blocked_count, wait_bins, created_on FROM pgboss.queue WHERE name = ANY ('{echo}'::text[]) ORDER BY name",
    "SELECT count(*) FROM pgboss.queue WHERE warning_queued > 0 AND queued_count > warning_queued",
    "SELECT sum(queued_count), sum(total_count) FROM pgboss.queue",
    *(
        f"SELECT id, name, state, singleton_key, data #>> '{{n}}', output FROM pgboss.job WHERE {where} ORDER BY created_on DESC LIMIT 20 OFFSET 0"
        for where in (
            *(f"state = '{state}'::pgboss.job_state" for state in ("created", "retry", "active", "completed", "failed", "cancelled")),
            "state < 'completed' AND name = 'echo'",
            "name = ANY ('{echo}'::text[]) AND retry_count >= 1 AND data @> '{\"n\": 1}' AND output @> '{\"message\": \"x\"}'",
            "id = '00000000-0000-0000-0000-000000000000'::uuid",
        )
    ),
    "SELECT trace_context, upsert_by_key, source_output, source_root_id, pending_dependencies, keep_until FROM pgboss.job WHERE name = 'echo'",
]  # fmt: skip
READS_OF_READERS = [
    "SELECT id, type, message, data, created_on FROM pgboss.warning WHERE NULL::text IS NULL OR type = NULL ORDER BY created_on DESC",
    "SELECT status, count(*), max(created_on) FROM pgboss.bam GROUP BY status",
    "SELECT id, name, version, status, queue, table_name, command, error, started_on, completed_on FROM pgboss.bam",
    "SELECT EXISTS (SELECT FROM pgboss.queue_stats), (SELECT max(ready_count) FROM pgboss.queue_stats WHERE captured_on > pgboss.job_now())",
    "SELECT name, key, kind, cron, timezone, data, options, last_job_id, created_on, updated_on FROM pgboss.schedule ORDER BY name, key",
]  # fmt: skip


def one(url: str, statement: str, *values: object) -> Any:
    """Run a statement at a URL; return its first value, or the number of changed rows if it returns no result."""
    with closing(connect(url)) as conn, conn.cursor() as cursor:
        cursor.execute(statement, values)
        row = cursor.fetchone() if cursor.description else (cursor.rowcount,)
        return row and row[0]


def sent(url: str, **options: object) -> str | None:
    found = one(url, INSERT, json.dumps({"data": {"n": 1}, **options}))
    return found and str(found)


def audited(conn: Connection) -> list[tuple[object, ...]]:
    return query(conn, "SELECT login, action, target FROM zeke_jobs.audit WHERE said_by = 'pg-boss' ORDER BY number")


def state_of(conn: Connection, job: object) -> Any:
    return value(conn, "SELECT state::text FROM zeke_jobs.job WHERE id = %s", str(job))


@pytest.mark.parametrize("role", [roles.READER, roles.OPERATOR, roles.CLIENT])
def test_a_role_reads_all_that_they_ask_for(conn: Connection, log_in: LogIn, role: str) -> None:
    zeke_jobs.send("echo", {"n": 1})
    query(conn, """UPDATE zeke_jobs.task SET definition = definition || '{"max_wait": "0s"}' WHERE id = 'echo'""")
    late = [("queue_backlog", "The oldest due job of echo waits longer than max_wait")]
    url = log_in(role)
    with closing(connect(url)) as theirs:
        for statement in READS + READS_OF_READERS * (role != roles.CLIENT):
            query(theirs, statement)
        assert role == roles.CLIENT or query(theirs, "SELECT type, message FROM pgboss.warning") == late
        assert query(theirs, "SELECT version FROM pgboss.version") == [(42,)]
    # The option pgboss.version of a connection says which version of pg-boss's schema its program expects.
    with closing(psycopg2.connect(url, options="-c pgboss.version=46")) as theirs:
        assert query(theirs, "SELECT version FROM pgboss.version") == [(46,)]


def test_an_operator_cancels_resumes_retries_and_deletes_and_the_audit_has_it(conn: Connection, log_in: LogIn) -> None:
    job = str(zeke_jobs.send("echo", {"n": 1}).id)
    url, target = log_in(roles.OPERATOR), f"job/{job}"
    refused = ((RETRY, 0, "created"), (RESUME, 0, "created"))
    for how, found, state in (*refused, (CANCEL, 1, "cancelled"), (CANCEL, 0, "cancelled"), (RESUME, 1, "created")):
        assert (one(url, how, job), state_of(conn, job)) == (found, state)
    change(conn, job, "state = 'rejected', attempt = 1, completed_on = now()")
    for how, found, gone in ((RETRY, 1, "retry"), (DELETE, 1, None), (DELETE, 0, None)):
        assert (one(url, how, job), state_of(conn, job)) == (found, gone)
    assert query(conn, "SELECT id::text, state::text FROM zeke_jobs.history") == [(job, "cancelled")]
    assert query(conn, "SELECT * FROM zeke_jobs.purge_due") == []
    actions = ("cancel", "retry", "retry", "delete")
    assert audited(conn) == [(MEMBERS[roles.OPERATOR], action, target) for action in actions]


def test_only_the_changes_that_we_have_are_made_and_an_active_job_is_marked(conn: Connection, log_in: LogIn) -> None:
    job = zeke_jobs.send("echo", {"n": 1}).id
    url = log_in(roles.OPERATOR)
    for state in ("active", "completed", "failed", "created"):
        words = f"expected a cancel, retry or resume of a job, got a change from created to {state}"
        with pytest.raises(FeatureNotSupported, match=words):
            one(url, f"UPDATE pgboss.job SET state = '{state}' WHERE id = %s", str(job))
    assert state_of(conn, job) == "created"
    change(conn, job, "state = 'consumed', attempt = 1, started_on = now()")
    with pytest.raises(ObjectNotInPrerequisiteState, match="expected a job that is not active"):
        one(url, DELETE, str(job))
    assert audited(conn) == []
    assert one(url, CANCEL, str(job)) == 1
    assert query(conn, "SELECT state::text, cancelled_on IS NOT NULL FROM zeke_jobs.queue") == [("consumed", True)]


@pytest.mark.parametrize("role", [roles.CLIENT, roles.OPERATOR])
def test_what_their_client_sends_is_a_job_of_ours(conn: Connection, log_in: LogIn, role: str) -> None:
    url, own = log_in(role), str(uuid.uuid4())
    plain = sent(url)
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert own == sent(
        url, id=own, data={"n": 2}, priority=7, start_after="2100-01-01Z", singleton_key="only", group_id="a tenant", expire_seconds=60,
        deletion_seconds=3600, retention_seconds=86400, retry_limit=9, retry_delay=5, trace_context={"traceparent": parent},
    )  # fmt: skip
    assert sent(url, singleton_key="only") is None, "as their client expects for a job that is there already"
    assert sent(url, id=plain) is None
    columns = "message_id::text, message -> 'kwargs', priority, extra ->> 'unique_key', key, expires_on::text, extra ->> 'keep', message #> '{options}'"
    assert query(conn, f"SELECT {columns} FROM zeke_jobs.queue ORDER BY priority") == [
        (plain, {"n": 1}, 0, None, None, None, None, {}),
        (own, {"n": 2}, 7, "echo =only", "a tenant", "2100-01-02 00:00:00+00", "01:00:00",
         {"retry": {"limit": 9, "delay": 5}, "timeout": 60, "traceparent": parent}),
    ]  # fmt: skip
    queued = "SELECT id::text FROM pgboss.job WHERE name = 'echo' AND singleton_key = 'only' AND state < 'active'"
    assert one(url, queued) == own
    made = one(url, "INSERT INTO pgboss.job (name, data) VALUES ('echo', '{\"n\": 1}') RETURNING id")
    assert state_of(conn, made) == "created"


def test_what_it_cannot_send_is_refused_with_the_reason(conn: Connection, log_in: LogIn) -> None:
    url = log_in(roles.CLIENT)
    with pytest.raises(FeatureNotSupported, match="expected a new job of echo without state and output, got completed"):
        one(url, "INSERT INTO pgboss.job (name, state) VALUES ('echo', 'completed')")
    for option, said in {"dead_letter": "echo", "singleton_on": "2030-01-01", "retry_backoff": False}.items():
        with pytest.raises(FeatureNotSupported, match=f"expected a job of echo without {option}, which jobs.yaml says"):
            sent(url, **{option: said})
    assert one(url, "SELECT pgboss.create_queue('echo', '{}')") is not None  # Creating an existing queue is allowed.
    with pytest.raises(UndefinedObject, match="expected the name of a task, got 'unknown'"):
        one(url, "SELECT pgboss.create_queue('unknown', '{}')")
    assert query(conn, "SELECT 1 FROM zeke_jobs.queue") == []


def test_a_stored_schedule_is_removed_and_that_of_the_file_stays(conn: Connection, log_in: LogIn) -> None:
    query(conn, "SELECT zeke_jobs.put_schedule('daily/one', 'echo', '0 8 * * *')")
    url = log_in(roles.OPERATOR)
    assert [one(url, UNSCHEDULE, "echo", "daily/one") for _ in range(2)] == [1, 0]
    with pytest.raises(ObjectNotInPrerequisiteState, match=r"stored schedule, got that of tick in jobs\.yaml"):
        one(url, UNSCHEDULE, "tick", "")
    assert query(conn, "SELECT name FROM pgboss.schedule") == [("tick",)]
    assert audited(conn) == [(MEMBERS[roles.OPERATOR], "delete", "schedule/daily/one")]
