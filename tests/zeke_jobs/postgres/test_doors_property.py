"""Normal jobs, views and schedules work, whatever values clients, readers and operators pass to SQL functions."""

import itertools
import json
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import psycopg2.extras
import pytest
from hypothesis import Phase, given, settings, strategies as st

import zeke_jobs
from tests.waiting import eventually
from tests.zeke_jobs.postgres.members import FUNCTIONS, as_member, sign_up
from tests.zeke_jobs.postgres.test_views import SEEN
from tests.zeke_jobs.sql import rows
from tests.zeke_jobs.worker import handlers
from tests.zeke_jobs.worker.conftest import load
from tests.zeke_jobs.working import working
from zeke_jobs.postgres import roles
from zeke_jobs.postgres.pool import connect
from zeke_jobs.revisions import applying
from zeke_jobs.scheduler import dispatch

TASKS = """
  honest: {handler: 'H:echo', queue: honest, cron: {at: '* * * * *', overlap: allow, payload: {n: 1}}}
  victim: {handler: 'H:echo', cron: '* * * * *', sensitive: [story_id]}
  held: {handler: 'H:gated', queue: honest, retry: {limit: 0}}
"""
#: An operator may put a catalogue without the honest task in force, so put_in_force is left out; test_views
#: covers it.
BY_RIGHT = {"put_in_force"}
SCHEDULING = {"lock_schedule", "advance_schedule", "record_tick"}
#: Every role may also run the statements in STATEMENTS.
STATEMENTS = [
    "SET CONSTRAINTS ALL IMMEDIATE", "LOCK TABLE zeke_jobs.job IN ACCESS SHARE MODE", "SELECT pg_advisory_xact_lock(1)",
    "NOTIFY \"zeke_jobs.wake\", 'x'", "NOTIFY \"zeke_jobs.cancel\", 'x'", "NOTIFY \"zeke_jobs.revision\", 'x'", 'LISTEN "zeke_jobs.wake"',
]  # fmt: skip
ENDED = {"completed", "cancelled", "failed"}
PATIENCE = 10  # PATIENCE is in seconds; a job takes some milliseconds.

words = st.sampled_from(
    ["victim", "task/victim", "schedule/victim", "limit/none", "queue/none", "* * * * *", "UTC", "", "NaN", "1e400", "%s $1 ' \\", "x" * 5000,
     "sent", "skipped", "backfill", "schedule", "run", "cancel", "retry", "prioritise", "reschedule", "infinity", "batch"]
) | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)  # fmt: skip
NUMBERS = [0, 1, -1, 7, 2**31 - 1, -(2**31), "1e2", "NaN", None, True, [], {}]
numbers: st.SearchStrategy[Any] = st.sampled_from(NUMBERS) | st.floats()
moments = st.sampled_from(["2026-01-01Z", "0001-01-01Z", "8999-12-31Z", "294276-01-01Z", "infinity", "-infinity", None])
HELD = ["the first job that runs", "the second job that runs"]
ids = st.uuids().map(str) | st.sampled_from(HELD)
#: The keys are those of a filter, of the options of a send, and of a job of pg-boss.
KEYS = """task status key error batch older newer id priority delay run_at carried retry timeout keep unique unique_key
expires idempotency_key parent units scheduled_for then retry_count start_after created_on started_on
completed_on output singleton_key group_id"""
INNER = ["limit", "delay", "retry", "fields", "while", "max_delay"]
inner = st.dictionaries(st.sampled_from(INNER), numbers, max_size=3)
options = st.dictionaries(st.sampled_from(KEYS.split()), words | numbers | moments | ids | inner, max_size=3)
jobs = st.tuples(options, ids, words, st.sampled_from(["created", "retry", "completed", "failed"])).map(
    lambda said: {**said[0], **dict(zip(("id", "name", "state"), said[1:], strict=True))}
)
imported = st.fixed_dictionaries({"job": jobs, "task": st.just("victim"), "payload": inner | numbers})
imports = st.lists(imported, max_size=3)
#: VALUES has strategies for a function's parameters, by type.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.one_of(words, words, words, words, words, words, st.none()),
    "uuid": ids | st.none(),
    "jsonb": (options | imports | numbers).map(lambda value: psycopg2.extras.Json(value, dumps=_json)),
    "integer": st.sampled_from([0, 1, -1, 2**31 - 1, -(2**31), None]),
    "double precision": st.floats() | st.none(),
    "timestamp with time zone": moments,
    "bigint": st.sampled_from([0, -1, 2**63 - 1]),
    "boolean": st.booleans(),
    "text[]": st.lists(words, max_size=2) | st.none(),
    "schedule": st.just("victim"),  # A role that decides ticks may stop a schedule, so the honest schedule is left out.
    "uuid[]": st.lists(ids, max_size=2) | st.none(),
}


def _json(value: object) -> str:
    return json.dumps(value).replace("NaN", "0").replace("-Infinity", "-1e300").replace("Infinity", "1e300")


@pytest.fixture(scope="module")
def doors(module_database: str) -> Iterator[dict[str, Any]]:
    """Yield the SQL functions with the types of their parameters, while a worker runs as the database's owner."""
    with closing(connect(module_database)) as conn:
        applying.sync(conn, load(TASKS))
        sign_up(conn)
        sql = """SELECT p.proname, ARRAY(SELECT format_type(t.oid, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS t (oid, n) ORDER BY t.n)
            FROM pg_proc AS p WHERE p.pronamespace = to_regnamespace('zeke_jobs')"""
        found = rows(conn, sql)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", module_database)
        with working(load(TASKS), module_database, threads=4):
            functions = {str(name): types for name, types in found}
            yield {"url": module_database, "functions": functions, "minutes": itertools.count(1)}


def honest(url: str, minutes: Iterator[int]) -> None:
    """Check that a normal job ends, a reader can read the views, and the scheduler sends the job of the next tick."""
    with closing(connect(url)) as conn:
        rows(conn, "SET statement_timeout = '10s'")
        assert zeke_jobs.wait(zeke_jobs.send("honest", {"n": 1}, connection=conn).id, timeout=PATIENCE)["n"] == 1
        dispatch.beat(conn, now=dispatch.clock(conn) + timedelta(minutes=next(minutes)))
        tick = "SELECT outcome FROM zeke_jobs.tick WHERE task = 'honest' ORDER BY scheduled_for DESC LIMIT 1"
        assert rows(conn, tick) == [("sent",)]
    with closing(psycopg2.connect(as_member(url, roles.READER))) as reader:
        for view in SEEN[roles.READER]:
            rows(reader, f"SELECT v::text FROM {view} AS v")


@contextmanager
def running(url: str) -> Iterator[list[str]]:
    """Run two jobs of a batch, whose handlers wait until ``handlers.GATE`` opens."""
    handlers.GATE.clear()
    handlers.CALLS.clear()
    with closing(connect(url)) as conn, conn.cursor() as cursor:
        for table in ("batch_change", "batch_open"):
            cursor.execute(f"DELETE FROM zeke_jobs.{table} WHERE batch = 'batch'")
        cursor.execute("DELETE FROM zeke_jobs.batch WHERE id = 'batch'")
        held = [str(sent.id) for sent in zeke_jobs.send_many("held", [{}, {}], batch="batch", connection=conn)]
        eventually(lambda: len(handlers.CALLS) == 2)
        yield held
        handlers.GATE.set()
        eventually(lambda: {zeke_jobs.status(job, connection=conn).status for job in held} <= ENDED)


def call(cursor: psycopg2.extensions.cursor, statement: str, values: list[Any], *, stays_open: bool) -> None:
    """Run a statement and ignore its errors; in an open transaction, undo what a failed statement has changed."""
    if stays_open:
        cursor.execute("SAVEPOINT one")
    try:
        cursor.execute(statement, values)
    except psycopg2.Error:
        if stays_open:
            cursor.execute("ROLLBACK TO SAVEPOINT one")


# Hypothesis would warn, because the worker's threads use the random module at the same time.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning")
@settings(
    max_examples=200 if os.environ.get("ZEKE_TEST_DEEP") else 5, phases=[Phase.generate]
)  # Shrinking would take minutes.
@given(st.data())
def test_what_members_of_roles_may_do_stops_no_honest_job(doors: dict[str, Any], data: st.DataObject) -> None:
    role = data.draw(st.sampled_from([*[roles.CLIENT, roles.OPERATOR] * 2, roles.READER]), "role")
    stays_open = data.draw(st.booleans(), "the transaction stays open")
    mine = sorted(FUNCTIONS[role] - BY_RIGHT)
    calls = data.draw(st.lists(st.sampled_from([*mine, *STATEMENTS]), min_size=15, max_size=30), "calls")
    with (
        running(doors["url"]) as held,
        closing(psycopg2.connect(as_member(doors["url"], role))) as hostile,
        hostile.cursor() as cursor,
    ):
        hostile.autocommit = not stays_open
        cursor.execute("SET statement_timeout = '5s'")
        for name in calls:
            if name in STATEMENTS:
                call(cursor, name, [], stays_open=stays_open)
                continue
            types = doors["functions"][name]
            kinds = ["schedule", *types[1:]] if name in SCHEDULING else types
            drawn = [data.draw(VALUES[one], f"{name}: {one}") for one in kinds]
            values = [held[HELD.index(one)] if one in HELD else one for one in drawn]
            statement = f"SELECT * FROM zeke_jobs.{name}({', '.join(f'%s::{one}' for one in types)})"
            call(cursor, statement, values, stays_open=stays_open)
        if stays_open:
            for view in SEEN[role if role in SEEN else roles.READER]:
                cursor.execute(f"SELECT v::text FROM {view} AS v")
        handlers.GATE.set()
        honest(doors["url"], doors["minutes"])
        hostile.rollback()
    honest(doors["url"], doors["minutes"])
