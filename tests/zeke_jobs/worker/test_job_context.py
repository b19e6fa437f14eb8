from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any
from uuid import uuid4

import pytest
from psycopg2.extensions import new_type, register_type

from tests.zeke_jobs.sql import rows, value
from tests.zeke_jobs.worker.conftest import a_claim, a_context
from zeke_jobs.postgres.pool import Pool
from zeke_jobs.worker.run.interrupts import Running
from zeke_jobs.worker.run.job_context import JobContext


@pytest.fixture
def pool(database: str) -> Iterator[Pool]:
    """A thread's own: it has one connection."""
    opened = Pool(database, max_size=1)
    yield opened
    opened.close()


@contextmanager
def context(pool: Pool, running: Running | None = None) -> Iterator[JobContext]:
    made = a_context(pool, a_claim(uuid4()), running=running)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ((float("nan"),), "done: expected a finite number, got nan"),
        ((1, float("inf")), "total: expected a finite number, got inf"),
        ((10**5000,), "done: expected an integer of at most 64 bits"),
        ((1, None, "a\0b"), "note: expected text without NUL characters"),
        (("half",), "expected done as a number, got 'half'"),
        ((1, [2]), "expected total as a number, got [2]"),
    ],
)
def test_progress_that_nobody_could_read_is_refused_in_the_handler(said: tuple[Any, ...], words: str) -> None:
    with context(Pool(None)) as ctx, pytest.raises((TypeError, ValueError)) as refused:
        ctx.progress(*said)
    assert words in str(refused.value)


def test_a_handler_whose_connection_died_gets_another_where_its_thread_has_only_one(pool: Pool) -> None:
    running, stop_async = Running(60), print  # stopping an async handler needs no connection
    running.stoppers.append(stop_async)
    with context(pool, running) as ctx, ThreadPoolExecutor(1) as thread:
        ctx.db.close()
        assert thread.submit(lambda: value(ctx.db, "SELECT 1")).result(10.0) == 1
        assert running.stoppers == [stop_async, ctx.db.cancel]
    assert running.stoppers == []


STATE = """SELECT jsonb_build_object('session', pg_backend_pid(),
  'user', current_user, 'schemas', current_setting('search_path'), 'timeout', current_setting('statement_timeout'),
  'zone', current_setting('TimeZone'), 'isolation', current_setting('default_transaction_isolation'),
  'readonly', current_setting('default_transaction_read_only'), 'named', current_setting('application_name'),
  'temporary', to_regclass('pg_temp.left_over') IS NOT NULL, 'prepared', (SELECT count(*) FROM pg_prepared_statements),
  'locks', (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
  'listens', (SELECT count(*) FROM pg_listening_channels()), 'cursors', (SELECT count(*) FROM pg_cursors))"""
LEFT = """
  CREATE TEMP TABLE left_over (n integer); PREPARE left_over AS SELECT 1; LISTEN left_over; SELECT pg_advisory_lock(7);
  DECLARE left_over CURSOR WITH HOLD FOR SELECT 1; SET search_path = pg_catalog; SET statement_timeout = '1s'; SET TimeZone = 'Asia/Tokyo';
  SET application_name = 'left over'; SET default_transaction_isolation = 'serializable'; SET default_transaction_read_only = on;
  SET ROLE pg_read_all_data"""


@pytest.mark.parametrize("way", ["db", "transaction"])
def test_what_a_handler_sets_on_its_connection_does_not_reach_the_next_job(pool: Pool, way: str) -> None:
    with context(pool) as first:
        clean = value(first.db, STATE)
    with context(pool) as second:
        second._fence = lambda *_: None  # type: ignore[method-assign] # there is no such job
        with second.transaction() if way == "transaction" else nullcontext(second.db) as conn:
            rows(conn, LEFT)
    with context(pool) as third:
        assert value(third.db, STATE) == clean
    assert clean["isolation"] == "read committed"


@pytest.mark.parametrize(
    "change",
    [
        lambda conn: setattr(conn, "autocommit", False),
        lambda conn: setattr(conn, "cursor_factory", None),
        lambda conn: conn.set_client_encoding("LATIN1"),
        lambda conn: register_type(new_type((25,), "SHOUT", lambda text, _: text and text.upper()), conn),
    ],
    ids=["autocommit", "cursors", "encoding", "types"],
)
def test_a_connection_that_psycopg2_makes_something_else_of_is_not_used_again(pool: Pool, change: Any) -> None:
    with context(pool) as first:
        session = value(first.db, "SELECT pg_backend_pid()")
        change(first.db)
    with context(pool) as second:
        assert value(second.db, "SELECT pg_backend_pid()") != session
        assert value(second.db, "SELECT 'so it is'::text") == "so it is"
