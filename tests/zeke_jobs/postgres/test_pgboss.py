"""pg-boss's dashboard and client run these kinds of statements, with the rights of each role."""

import json
import uuid
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from psycopg2.errors import FeatureNotSupported, ObjectNotInPrerequisiteState, UndefinedObject
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.zeke_jobs.postgres.members import MEMBERS
from tests.zeke_jobs.sql import change, rows, value
from zeke_jobs.postgres import roles
from zeke_jobs.postgres.pool import connect

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
    """Run a statement at a URL; return the first value, or the number of rows."""
    with closing(connect(url)) as conn, conn.cursor() as cursor:
        cursor.execute(statement, values)
        row = cursor.fetchone() if cursor.description else (cursor.rowcount,)
        return row and row[0]


def sent(url: str, **options: object) -> str | None:
    found = one(url, INSERT, json.dumps({"data": {"n": 1}, **options}))
    return found and str(found)


def audited(conn: Connection) -> list[tuple[object, ...]]:
    return rows(conn, "SELECT login, action, target FROM zeke_jobs.audit WHERE said_by = 'pg-boss' ORDER BY number")


def state_of(conn: Connection, job: object) -> Any:
    return value(conn, "SELECT state::text FROM zeke_jobs.job WHERE id = %s", str(job))


@pytest.mark.parametrize("role", [roles.READER, roles.OPERATOR, roles.CLIENT])
def test_a_role_reads_all_that_they_ask_for(conn: Connection, log_in: Callable[[str], str], role: str) -> None:
    zeke_jobs.send("echo", {"n": 1})
    rows(conn, """UPDATE zeke_jobs.task SET definition = definition || '{"max_wait": "0s"}' WHERE id = 'echo'""")
    late = [("queue_backlog", "The oldest due job of echo waits longer than max_wait")]
    url = log_in(role)
    with closing(connect(url)) as theirs:
        for statement in READS + READS_OF_READERS * (role != roles.CLIENT):
            rows(theirs, statement)
        assert role == roles.CLIENT or rows(theirs, "SELECT type, message FROM pgboss.warning") == late
        assert rows(theirs, "SELECT version FROM pgboss.version") == [(42,)]
    # The option pgboss.version of a connection says which version of pg-boss's schema its program expects.
    with closing(psycopg2.connect(url, options="-c pgboss.version=46")) as theirs:
        assert rows(theirs, "SELECT version FROM pgboss.version") == [(46,)]


def test_an_operator_cancels_resumes_retries_and_deletes_and_the_audit_has_it(
    conn: Connection, log_in: Callable[[str], str]
) -> None:
    job = str(zeke_jobs.send("echo", {"n": 1}).id)
    url, target = log_in(roles.OPERATOR), f"job/{job}"
    assert one(url, RETRY, job) == one(url, RESUME, job) == 0
    assert one(url, CANCEL, job) == 1
    assert state_of(conn, job) == "cancelled"
    assert one(url, CANCEL, job) == 0
    assert one(url, RESUME, job) == 1
    assert state_of(conn, job) == "created"
    change(conn, job, "state = 'rejected', attempt = 1, completed_on = now()")
    assert one(url, RETRY, job) == 1
    assert state_of(conn, job) == "retry"
    assert one(url, DELETE, job) == 1
    assert state_of(conn, job) is None
    assert one(url, DELETE, job) == 0
    assert rows(conn, "SELECT id::text, state::text FROM zeke_jobs.history") == [(job, "cancelled")]
    assert rows(conn, "SELECT * FROM zeke_jobs.purge_due") == []
    assert audited(conn) == [
        (MEMBERS[roles.OPERATOR], action, target) for action in ("cancel", "retry", "retry", "delete")
    ]


def test_only_the_changes_that_we_have_are_made_and_an_active_job_is_marked_for_its_worker(
    conn: Connection, log_in: Callable[[str], str]
) -> None:
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
    assert rows(conn, "SELECT state::text, cancelled_on IS NOT NULL FROM zeke_jobs.queue") == [("consumed", True)]


@pytest.mark.parametrize("role", [roles.CLIENT, roles.OPERATOR])
def test_what_their_client_sends_is_a_job_of_ours(conn: Connection, log_in: Callable[[str], str], role: str) -> None:
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
    assert rows(conn, f"SELECT {columns} FROM zeke_jobs.queue ORDER BY priority") == [
        (plain, {"n": 1}, 0, None, None, None, None, {}),
        (own, {"n": 2}, 7, "echo =only", "a tenant", "2100-01-02 00:00:00+00", "01:00:00",
         {"retry": {"limit": 9, "delay": 5}, "timeout": 60, "traceparent": parent}),
    ]  # fmt: skip
    queued = "SELECT id::text FROM pgboss.job WHERE name = 'echo' AND singleton_key = 'only' AND state < 'active'"
    assert one(url, queued) == own
    made = one(url, "INSERT INTO pgboss.job (name, data) VALUES ('echo', '{\"n\": 1}') RETURNING id")
    assert state_of(conn, made) == "created"


def test_what_it_cannot_send_is_refused_with_the_reason(conn: Connection, log_in: Callable[[str], str]) -> None:
    url = log_in(roles.CLIENT)
    with pytest.raises(FeatureNotSupported, match="expected a new job of echo without state and output, got completed"):
        one(url, "INSERT INTO pgboss.job (name, state) VALUES ('echo', 'completed')")
    for option, said in {"dead_letter": "echo", "singleton_on": "2030-01-01", "retry_backoff": False}.items():
        with pytest.raises(FeatureNotSupported, match=f"expected a job of echo without {option}, which jobs.yaml says"):
            sent(url, **{option: said})
    assert one(url, "SELECT pgboss.create_queue('echo', '{}')") is not None  # Creating an existing queue is allowed.
    with pytest.raises(UndefinedObject, match="expected the name of a task, got 'unknown'"):
        one(url, "SELECT pgboss.create_queue('unknown', '{}')")
    assert rows(conn, "SELECT 1 FROM zeke_jobs.queue") == []


def test_a_stored_schedule_is_removed_and_that_of_the_file_stays(
    conn: Connection, log_in: Callable[[str], str]
) -> None:
    rows(conn, "SELECT zeke_jobs.put_schedule('daily/one', 'echo', '0 8 * * *')")
    url = log_in(roles.OPERATOR)
    assert one(url, UNSCHEDULE, "echo", "daily/one") == 1
    assert one(url, UNSCHEDULE, "echo", "daily/one") == 0
    words = r"expected a stored schedule, got that of tick in jobs\.yaml"
    with pytest.raises(ObjectNotInPrerequisiteState, match=words):
        one(url, UNSCHEDULE, "tick", "")
    assert rows(conn, "SELECT name FROM pgboss.schedule") == [("tick",)]
    assert audited(conn) == [(MEMBERS[roles.OPERATOR], "delete", "schedule/daily/one")]
