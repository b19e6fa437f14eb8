"""People and dashboards read the view ``zeke_jobs.job`` and pg-boss's views."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from psycopg2.extensions import connection as Connection
from pydantic import Field

import zeke_jobs
from tests.zeke_jobs.sql import change, dicts as rows
from zeke_jobs.payload.model import Payload


class Part(Payload):
    source_url: str = ""


class Analyze(Payload):
    story_id: str
    api_key: str = ""
    all_parts: list[Part] = Field(default_factory=list)


@pytest.fixture(autouse=True)
def tasks(make_task: Callable[..., None]) -> None:
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
    rows(
        conn,
        """INSERT INTO zeke_jobs.history (id, name, state, queue, priority, attempt, deaths, run_at, created_on, completed_on)
        VALUES (gen_random_uuid(), 'purged', 'failed', 'default', 0, 4, 0, now(), now(), now())""",
    )
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


def test_counting_reads_no_payload_and_naming_queues_counts_no_jobs(conn: Connection) -> None:
    plan = str(rows(conn, "EXPLAIN (VERBOSE, COSTS OFF) SELECT state, count(*) FROM pgboss.job GROUP BY state"))
    assert "rename_keys" not in plan
    assert "zeke_jobs.task" not in plan
    for whose in ("", " WHERE name = 'analyze-story'"):
        plan = str(rows(conn, f"EXPLAIN SELECT name, policy, retry_limit FROM pgboss.queue{whose}"))
        assert "Aggregate" not in plan


def test_data_has_camel_case_keys_for_pg_boss_and_snake_case_for_us(
    conn: Connection, make_task: Callable[..., None]
) -> None:
    send(conn)
    (theirs,) = rows(conn, "SELECT data, data ->> 'storyId' AS story FROM pgboss.job")
    (ours,) = rows(conn, "SELECT data FROM zeke_jobs.job")
    assert theirs["data"] == {"storyId": "x", "apiKey": "***", "allParts": [{"sourceUrl": "u"}]}
    assert theirs["story"] == "x"
    assert ours["data"] == {"story_id": "x", "api_key": "***", "all_parts": [{"source_url": "u"}]}
    assert rows(conn, "SELECT * FROM pgboss.schedule;") == []
    make_task(
        "pull", Analyze, cron='{"at": "*/5 * * * *", "timezone": "UTC", "payload": {"story_id": "x"}, "paused": false}'
    )
    (row,) = rows(conn, "SELECT name, key, cron, timezone, data FROM pgboss.schedule")
    assert row == {"name": "pull", "key": "", "cron": "*/5 * * * *", "timezone": "UTC", "data": {"storyId": "x"}}


def test_a_duration_in_seconds_is_at_most_the_largest_integer(conn: Connection) -> None:
    lengths = "unnest('{1h30m, 1.5s, 5000w, none}'::text[]) AS l (length)"
    found = rows(conn, f"SELECT zeke_jobs.seconds_of(l.length) AS seconds FROM {lengths}")
    assert [row["seconds"] for row in found] == [5400, 2, 2147483647, None]


def test_a_queue_says_what_its_task_does_and_how_many_jobs_it_has(
    conn: Connection, make_task: Callable[..., None]
) -> None:
    definition = (
        '{"timeout": "1h30m", "retry": {"delay": "10s", "factor": 1.0, "max_delay": "1h"}, "keep": {"completed": "7d"}}'
    )
    make_task("analyze-story", Analyze, definition=definition, retry_limit=3)
    make_task("empty", Analyze, definition='{"retry": {"factor": 2.0}}')
    for changes in STATUSES.values():
        send(conn, changes)
    send(conn, "run_at = now() + interval '1 hour'")
    settings = "retry_limit, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds"
    counts = "deferred_count, queued_count, ready_count, active_count, failed_count, total_count"
    found = rows(conn, f"SELECT name, {settings}, {counts} FROM pgboss.queue ORDER BY name")
    job = "retry_delay, retrydelay, retrybackoff, expire_in::text, expirein::text, keepuntil - completedon AS kept"
    (row,) = rows(conn, f"SELECT {job} FROM pgboss.job WHERE state = 'completed'")
    assert list(row.values()) == [10, 10, False, "01:30:00", "01:30:00", timedelta(days=7)]
    assert [list(row.values()) for row in found] == [
        ["analyze-story", 3, 10, False, 3600, 5400, 604800, 1, 3, 2, 1, 1, 7],
        ["empty", 0, None, True, None, None, None, 0, 0, 0, 0, 0, 0],
    ]
