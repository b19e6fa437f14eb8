"""The database accepts exactly the rows that a worker can read; Python and SQL have the same bounds."""

import json
import os
import uuid
from contextlib import closing, nullcontext
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.each import each
from tests.zeke_jobs.commands import MakeTask
from tests.zeke_jobs.postgres.members import as_member, sign_up
from tests.zeke_jobs.sql import rows, value
from tests.zeke_jobs.strange import LARGEST_NUMBER, json_texts, nested, times
from zeke_jobs.core import bounds
from zeke_jobs.postgres import roles
from zeke_jobs.postgres.pool import connect
from zeke_jobs.worker.claim.claims import JobMessage, Row

LATE = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-5)))
EARLY = datetime(1, 1, 1, tzinfo=UTC)
NO_LIMIT = settings(
    max_examples=1000 if os.environ.get("ZEKE_TEST_DEEP") else 30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
OUT_OF_RANGE = "from 1970-01-01 to 9000-01-01"
TOO_DEEP = "expected at most 100 lists and objects inside each other, got more"
TOO_LARGE = "expected numbers of at most 1.7976931348623157e+308, got a larger one"


@pytest.fixture(autouse=True)
def anything(make_task: MakeTask) -> None:
    make_task("anything")


def refusal(conn: Connection, sql: str, *params: Any) -> str | None:
    """Run a statement; return the error's text, or None if it succeeds."""
    try:
        rows(conn, sql, *params)
    except psycopg2.Error as error:
        return str(error.diag.message_primary)
    return None


def answer(conn: Connection, sql: str, *params: Any) -> str:
    """Return why SQL refuses a payload or an option."""
    asked = "SELECT zeke_jobs.refused((" + sql + ")::jsonb, '{}')"
    return refusal(conn, asked, *params) or str(value(conn, asked, *params))


def test_a_size_is_that_of_compact_json_and_the_largest_and_deepest_values_are_accepted(client: Connection) -> None:
    with pytest.raises(zeke_jobs.errors.InvalidPayload, match="expected at most 1 MiB of JSON, got 3,1"):
        zeke_jobs.send("anything", {"x": [1e308] * 10_000})
    fits = {"x": [1e308] * 3000, "words": "code-e+ " * 10_000}
    data = zeke_jobs.status(zeke_jobs.send("anything", fits).id).data
    assert {"x": list(map(float, data["x"])), "words": data["words"]} == fits
    compact = {"words": ["a, b: c"] * 50_000, "ones": [1] * 224_000}
    assert len(json.dumps(compact)) > bounds.LARGEST
    assert zeke_jobs.send("anything", compact).status == "created"
    payload = f'{{"x": {"[" * 99}1{"]" * 99}, "y": [1.7976931348623157e308, -1e308, 0.{"3" * 5000}]}}'
    job = zeke_jobs.status(str(value(client, "SELECT zeke_jobs.send('anything', %s)", payload)), connection=client)
    assert list(map(float, job.data["y"])) == [LARGEST_NUMBER, -1e308, 1 / 3]


def test_a_handler_that_asks_for_a_delay_of_centuries_or_beyond_the_calendar_is_told_so() -> None:
    for ask in (zeke_jobs.errors.Defer, zeke_jobs.errors.Retry):
        for delay in (251606667985.9, 1e300, float("inf"), float("nan"), timedelta(days=36526)):
            with pytest.raises(ValueError, match=f"expected the delay of {ask.__name__} as at most 100 years, got "):
                ask(delay, "the site asked to wait")
        assert ask(-1, "at once")
        assert ask(bounds.LONGEST, "a long time")
    assert zeke_jobs.errors.Defer(bounds.EARLIEST, "a time that is past is at once")
    for moment in (LATE, EARLY):
        with pytest.raises(ValueError, match="expected the time of Defer from 1970-01-01 to 9000-01-01, got "):
            zeke_jobs.errors.Defer(moment, "some day")


@pytest.fixture
def client(conn: Connection, database: str) -> Any:
    sign_up(conn)
    with closing(connect(as_member(database, roles.CLIENT))) as connection:
        yield connection


@each(
    "payload options words",
    ("{}", '{"scheduled_for": "0044-03-15 BC"}', f"expected scheduled_for {OUT_OF_RANGE}, got 0044-03-15 BC"),
    ("{}", '{"run_at": "9999-12-31 23:59:59-05"}', f"expected run_at {OUT_OF_RANGE}"),
    ("{}", '{"run_at": "-infinity"}', f"expected run_at {OUT_OF_RANGE}"),
    ("{}", '{"expires": "294000-01-01"}', f"expected expires {OUT_OF_RANGE}"),
    ("{}", '{"expires": 1e12}', "expected expires of 0 seconds to 100 years"),
    ("{}", '{"delay": "9000 years"}', "expected delay of 0 seconds to 100 years, got 9000 years"),
    ("{}", '{"traceparent": {"a": 1e4400}}', "expected traceparent as text of at most 256 bytes, got {"),
    ("{}", f'{{"traceparent": "{"0" * 257}"}}', "expected traceparent as text of at most 256 bytes, got 000"),
    ("{}", f'{{"key": "{"k" * 1025}"}}', "expected key of 1 to 1024 bytes, got 1025"),
    ('{"x": 1e4400}', "{}", TOO_LARGE),
    (f'{{"": {"[" * 100}{"]" * 100}}}', "{}", TOO_DEEP),
    ("[1]", "{}", "expected a JSON object, got array"),
    (f'{{"x": "{"x" * 1024 * 1024}"}}', "{}", "expected at most 1 MiB"),
)
def test_unreadable_is_not_sent(client: Connection, conn: Connection, payload: str, options: str, words: str) -> None:
    assert words in str(refusal(client, "SELECT zeke_jobs.send('anything', %s, %s)", payload, options))
    words = words.partition(", got")[0]
    enqueue = "SELECT zeke_jobs.enqueue('anything', '1', %s, %s, gen_random_uuid()::text)"
    assert words in answer(client, enqueue, payload, options)
    if "scheduled_for" not in options:
        many = "SELECT zeke_jobs.enqueue_many('anything', 1, %s, ARRAY[gen_random_uuid()], ARRAY[NULL::text], %s)"
        assert words in answer(client, many, f"[{payload}]", options)
    assert value(conn, "SELECT count(*) FROM zeke_jobs.queue") == 0


MESSAGE: dict[str, Any] = {"queue_name": "default", "actor_name": "anything", "message_id": "", "message_timestamp": 1}
MESSAGE |= {"args": [], "kwargs": {}, "options": {}}
INSERT = "INSERT INTO zeke_jobs.queue (message_id, queue_name, state, message) SELECT gen_random_uuid(), 'default', 'queued', %s::jsonb"


@each(
    "changes words",
    # The message 5 comes first, to get a custom plan, which PostgreSQL makes only for a session's first five calls.
    (5, "expected a message as object, got number"),
    ([], "expected a message as object, got array"),
    ({"args": 5}, "expected args of a message as array, got number"),
    ({"kwargs": [1]}, "expected kwargs of a message as object, got array"),
    ({"options": "x"}, "expected options of a message as object, got string"),
    ({"actor_name": None}, "expected actor_name of a message as string, got null"),
    ({"actor_name": {"a": 1}}, "expected actor_name of a message as string, got object"),
    ({"message_timestamp": "yesterday"}, "expected message_timestamp of a message as number, got string"),
    ({"options": {"eta": "soon"}}, "expected eta of a message as number, got string"),
    ({"options": {"eta": 1e15}}, f"expected eta of a message {OUT_OF_RANGE}, got 1000000000000000"),
    ({"options": {"traceparent": 7}}, "expected traceparent as text of at most 256 bytes, got 7"),
    ({"kwargs": {"x": 10**400}}, TOO_LARGE),
    ({"kwargs": {"x": nested(100)}}, TOO_DEEP),
    ({"args": nested(101)}, TOO_DEEP),
    ({"kwargs": {"x": "x" * bounds.LARGEST}}, "expected at most 1 MiB"),
    ({}, "expected actor_name of a message as string, got none"),
)
def test_a_row_of_a_program_that_no_worker_could_read_is_refused(conn: Connection, changes: Any, words: str) -> None:
    value(conn, "SET plan_cache_mode = auto")  # as in the other program's session
    strange = json.dumps({**MESSAGE, **changes} if changes and isinstance(changes, dict) else changes)
    assert words in str(refusal(conn, INSERT, strange))
    value(conn, INSERT, json.dumps(MESSAGE))
    assert words in str(refusal(conn, "UPDATE zeke_jobs.queue SET message = %s", strange))


def test_an_end_beyond_the_calendar_is_refused_without_showing_the_row(conn: Connection) -> None:
    worker = str(uuid.uuid4())
    value(conn, "SELECT zeke_jobs.send('anything', '{\"secret\": 1}')")
    taken = f"state = 'consumed', worker = '{worker}', claim = 1, claimed_on = zeke_jobs.now()"
    value(conn, f"UPDATE zeke_jobs.queue SET {taken}")
    finish = f"SELECT zeke_jobs.finish('{worker}', (SELECT message_id FROM zeke_jobs.queue), 1, 'deferred', 0, %s, %s, 'x', NULL, 1)"
    for delay, until in ((251606667985.9, None), (None, "infinity"), (None, "0044-03-15 BC")):
        with pytest.raises(psycopg2.DataError, match=f"expected a time to run again {OUT_OF_RANGE}") as refused:
            value(conn, finish, delay, until)
        assert "secret" not in str(refused.value)


@NO_LIMIT
@given(text=json_texts)
def test_sql_accepts_exactly_what_a_worker_can_read(conn: Connection, text: str) -> None:
    message = f'{{"queue_name": "default", "actor_name": "anything", "kwargs": {{"x": {text}}}}}'
    try:
        stored = value(conn, "SELECT %s::jsonb::text", message)
    except psycopg2.Error:
        return  # The text is no valid jsonb.
    accepted = value(conn, "SELECT zeke_jobs.unfit_message(%s)", stored) is None
    assert accepted == (value(conn, "SELECT zeke_jobs.unfit_payload(%s::jsonb -> 'kwargs')", stored) is None)
    assert accepted == _readable(stored)
    if accepted:
        said = {"message_id": uuid.uuid4(), "task": "anything", "message": stored, "attempt": 0, "attempt_base": 0}
        assert JobMessage(Row(**{**dict.fromkeys(Row._fields), **said}), "default", 0.0).claim.fault is None


def _readable(text: str) -> bool:
    try:
        kwargs = json.loads(text)["kwargs"]
    except (ValueError, RecursionError):
        return False
    depth, items = 0, [kwargs]
    while items:
        held = [one for one in items if isinstance(one, dict | list)]
        if any(abs(one) > LARGEST_NUMBER for one in items if isinstance(one, int | float)):
            return False
        depth, items = depth + 1, [item for one in held for item in (one.values() if isinstance(one, dict) else one)]
        if held and depth > bounds.DEEPEST:
            return False
    return True


@NO_LIMIT
@given(moment=times)
def test_a_time_is_accepted_by_sql_exactly_where_python_accepts_it(conn: Connection, moment: datetime) -> None:
    accepted = bounds.EARLIEST <= moment < bounds.LATEST
    with nullcontext() if accepted else pytest.raises(ValueError, match="expected run_at from"):
        bounds.moment("run_at", moment)
    text = moment.isoformat()
    assert value(conn, "SELECT zeke_jobs.is_readable(%s)", text) is accepted
    options = json.dumps({"run_at": text, "scheduled_for": text})
    assert (refusal(conn, "SELECT zeke_jobs.send('anything', '{}', %s)", options) is None) is accepted
    if accepted:
        assert value(conn, "DELETE FROM zeke_jobs.queue RETURNING run_at") == moment
