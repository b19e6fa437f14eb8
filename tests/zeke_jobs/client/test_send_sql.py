"""Programs in any language can send jobs with the SQL function ``zeke_jobs.send``, as the Python client does."""

from __future__ import annotations

import itertools
import json
import uuid
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from pydantic import Field

import zeke_jobs
from tests.each import each
from tests.zeke_jobs.commands import MakeTask
from tests.zeke_jobs.sql import rows, value

STORY = "6f2e1c3a-0000-4000-8000-000000000001"


class Part(zeke_jobs.Payload):
    source_url: str
    sub_parts: list[Part] = Field(default_factory=list)


class Whole(zeke_jobs.Payload):
    story_id: str
    main_part: Part | None = None
    all_parts: list[Part] = Field(default_factory=list)
    by_name: dict[str, Part] = Field(default_factory=dict)
    meta_data: dict[str, Any] = Field(default_factory=dict)


@pytest.fixture(autouse=True)
def whole(make_task: MakeTask) -> None:
    make_task("a-task", Whole, aliases=["an-alias"], priority=2)


def call(conn: Connection, *args: Any) -> Any:
    names = ", ".join(["%s::text", "%s::jsonb", "%s::jsonb"][: len(args)])
    said = [one if isinstance(one, str) or one is None else json.dumps(one) for one in args]
    return value(conn, f"SELECT zeke_jobs.send({names})", *said)


def columns(conn: Connection, job_id: object) -> dict[str, Any]:
    job = zeke_jobs.status(str(job_id))
    names = "message - 'message_id' - 'message_timestamp', run_at - created_on, extra ->> 'unique_key', extra ->> 'idempotency_key', revision"
    (row,) = rows(conn, f"SELECT {names} FROM zeke_jobs.queue WHERE message_id = %s", str(job_id))
    return {"row": row, "data": job.data, "priority": job.priority, "key": job.key, "parent": job.parent}


def test_the_effect_is_that_of_pythons_send(conn: Connection) -> None:
    part = {"sourceUrl": "u", "subParts": [{"source_url": "v", "subParts": []}]}
    payload = {"storyId": STORY, "mainPart": part, "all_parts": [part], "byName": {"aB": part}}
    payload["metaData"] = {"aB": [{"cD": 1}]}
    options: Any = {"delay": 60, "priority": 5, "key": "k", "parent": STORY, "idempotency_key": "once"}
    intervals = {"unique": {"period": "1 hour"}, "timeout": "1 hour"}
    intervals["retry"] = {"limit": 7, "delay": "2 minutes", "max_delay": "1 hour"}
    written = columns(conn, call(conn, "an-alias", payload, {**options, **intervals, "keep": "90 days"}))
    found = "SELECT extra ->> 'keep', retry_limit FROM zeke_jobs.queue JOIN zeke_jobs.job ON id = message_id"
    assert rows(conn, found) == [("90 days", 7)]
    conn.cursor().execute("DELETE FROM zeke_jobs.queue")
    options |= {"unique": {"period": 3600}, "retry": {"limit": 7, "delay": 120, "max_delay": 3600}}
    options["timeout"] = timedelta(hours=1)
    assert columns(conn, zeke_jobs.send("an-alias", payload, **options).id) == written
    assert (written["row"][1], written["row"][3]) == (timedelta(seconds=60), "once")
    part = {"source_url": "u", "sub_parts": [{"source_url": "v", "sub_parts": []}]}
    parts = {"main_part": part, "all_parts": [part], "by_name": {"aB": part}}
    assert written["data"] == {"story_id": STORY, **parts, "meta_data": {"aB": [{"cD": 1}]}}


@each(
    "args words",
    (("b-task", {}), "expected the name of a task, got 'b-task'"),
    ((None, {}), "expected the name of a task, got NULL"),
    (("a-task", {}), "payload of a-task: expected field story_id, got none"),
    (("a-task", {"storyId": "x", "nope": 1}), "got nope"),
    (("anything", None), "expected a JSON object, got NULL"),
    (("anything", [1]), "expected a JSON object, got array"),
    (("a-task", {"storyId": "x", "story_id": "x"}), "one in both snake_case and camelCase"),
    (("anything", {}, {"dealy": 1}), "expected options among batch, delay, expires"),
    (("anything", {}, {"unique": 3}), "expected unique as a field"),
    (("anything", {}, {"unique": {"while": "ever"}}), "expected unique.while queued, active or for a period"),
)
def test_what_python_refuses_is_refused_in_words(conn: Connection, args: tuple[Any, ...], words: str) -> None:
    with pytest.raises(psycopg2.Error, match=words):
        call(conn, *args)
    assert list(zeke_jobs.jobs()) == []


def test_ids_are_in_order_of_time_and_a_short_send_takes_no_option_that_the_check_refuses(conn: Connection) -> None:
    found = rows(conn, "SELECT zeke_jobs.new_id() FROM generate_series(1, 50), pg_sleep(0.002)")
    made = [uuid.UUID(str(one)) for (one,) in found]
    assert {(one.version, one.variant) for one in made} == {(7, uuid.RFC_4122)}
    assert [one.int >> 80 for one in made] == sorted(one.int >> 80 for one in made)
    assert abs((made[-1].int >> 80) - (zeke_jobs.send("anything").id.int >> 80)) < 60_000
    wrong = []
    for name, one in itertools.product(("delay", "key", "parent", "priority", "traceparent"), VALUES):
        options = json.dumps({name: one})
        expected = value(conn, "SELECT zeke_jobs.refuse_sender('anything', %s)::jsonb", options)
        enqueue = "SELECT zeke_jobs.enqueue('anything', '1', '{}', %s, gen_random_uuid()::text)::jsonb"
        if value(conn, enqueue, options) != expected:
            wrong.append((name, one, expected))
    assert wrong == []
    assert rows(conn, "SELECT count(DISTINCT priority), count(DISTINCT key) FROM zeke_jobs.queue") == [(4, 5)]


VALUES: list[Any] = [
    5, 1.0, 1.5, -1, 2**31, 3155760001, 1e300, True, None, "", "k", "\n", "k" * 1024, "k" * 1025, "é" * 512, "é" * 513, STORY, [], {},
]  # fmt: skip
