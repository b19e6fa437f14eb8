"""Connections and their pool survive silent servers, interrupts and failures. Our sessions ignore changed planner settings."""

import socket
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from psycopg2 import OperationalError
from psycopg2.extensions import connection as Connection

from actors.store import SQL as STORE
from tests.zeke_jobs.commands import Patch
from tests.zeke_jobs.sql import rows, value
from tests.zeke_jobs.testing.blocks import python
from zeke_jobs.postgres.pool import AddressError, Pool, connect
from zeke_jobs.postgres.queries import SQL as OURS
from zeke_jobs.postgres.session import KEEPALIVE, renew
from zeke_jobs.worker.run.interrupts import Running, TimedOut

SILENT = """
import sys, threading, time
from tests.lab.chaos.proxy import Proxy
from zeke_jobs.postgres.pool import connect, is_away

with Proxy(sys.argv[1]) as proxy:
    conn = connect(proxy.url)
    told = []

    def wait():
        try:
            conn.cursor().execute("SELECT pg_sleep(60)")
        except Exception as error:
            told.append(is_away(error))

    waiter = threading.Thread(target=wait, daemon=True)
    waiter.start()
    time.sleep(0.2)
    proxy.stalled.set()
    began = time.monotonic()
    canceller = threading.Thread(target=conn.cancel, daemon=True)
    canceller.start()
    turns = 0
    while canceller.is_alive() and time.monotonic() < began + 10:
        time.sleep(0.01)
        turns += 1
    waiter.join(5)
    print(turns > 20, time.monotonic() - began < 8, told)
"""


def test_cancelling_what_a_silent_server_does_stops_no_other_thread_and_ends_the_connection(server_url: str) -> None:
    done = python(Path(__file__).parents[3], "-c", SILENT, server_url)
    assert (done.stdout, done.stderr) == ("True True [True]\n", "")


#: The query returns the planner settings that anybody may change, each with a value other than the default.
PLANNER = """
SELECT name, CASE vartype
  WHEN 'bool' THEN CASE boot_val WHEN 'on' THEN 'off' ELSE 'on' END
  WHEN 'enum' THEN (SELECT one FROM unnest(enumvals) AS one WHERE one <> boot_val LIMIT 1)
  ELSE (2 * boot_val::float + 1)::text END
FROM pg_settings WHERE context = 'user' AND name ~ '^(enable_|min_parallel_|plan_cache_mode$)|_cost$' OR name = 'jit'
"""
OTHER = "SELECT array_agg(name::text ORDER BY name) FROM pg_settings WHERE name = ANY (%s) AND setting <> boot_val"


def test_our_sessions_plan_alike_whatever_the_database_has_set_and_a_handlers_lacks_jit_alone(database: str) -> None:
    with closing(connect(database)) as conn:
        changed = dict(rows(conn, PLANNER))
        assert len(changed) > 30
        for setting, text in {**changed, "jit": "on"}.items():
            rows(conn, f"ALTER DATABASE {conn.info.dbname} SET {setting} TO '{text}'")
    found = {}
    for program in ("worker", "handler"):
        with closing(connect(database, application_name=f"zeke-jobs {program}")) as conn:
            for renewed in (False, True):
                if renewed:
                    renew(conn)
                found[program, renewed] = value(conn, OTHER, list(changed))
    # The settings for the costs of JIT have no effect while JIT is off.
    dead = [name for name in changed if name.startswith("jit")]
    assert found["worker", False] == found["worker", True] == sorted(dead)
    assert found["handler", False] == found["handler", True] == sorted(changed)


#: JIT would compile a plan with a disabled scan, which has a huge cost, and a function that a view calls for each row.
COMPILED = """
SELECT p.oid::regprocedure::text, coalesce('jit=off' = ANY (p.proconfig), false)
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace JOIN pg_language AS l ON l.oid = p.prolang
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND p.oid <> 'zeke_jobs.now()'::regprocedure
AND (p.proconfig::text ~ 'enable_[a-z]+=off' OR l.lanname = 'plpgsql' AND EXISTS (
  SELECT FROM pg_depend AS d WHERE (d.classid, d.refclassid, d.refobjid) = ('pg_rewrite'::regclass, 'pg_proc'::regclass, p.oid)))
"""


def test_no_function_and_no_look_that_jit_would_compile_each_time_runs_while_jit_may_be_on(conn: Connection) -> None:
    found = dict(rows(conn, COMPILED))
    assert "zeke_jobs.rename_keys(jsonb,jsonb,jsonb,boolean)" in found
    for queries in (OURS, STORE):
        texts = {str(path): path.read_text() for path in Path(str(queries._root)).rglob("*.sql")}
        found |= {name: "'jit'" in text for name, text in texts.items() if "enable_" in text}
    assert len(found) > 30
    assert [name for name, is_off in found.items() if not is_off] == []


def test_a_pool_keeps_the_most_recent_and_has_a_place_again_after_each_loan_and_failure(database: str) -> None:
    pool = Pool(database, max_size=3)
    first, second, third = (pool.take() for _ in range(3))
    for conn in (first, second, third):
        pool.give_back(conn)
    pool.trim()  # None is old.
    pool.trim(keep=2, older_than=-1.0)
    assert [conn.closed != 0 for conn in (first, second, third)] == [True, False, False]
    pool.close()
    assert third.closed
    good, bad = Pool(database, max_size=1), Pool("postgresql://somebody@127.0.0.1:1/news", max_size=1)
    for pool in (good, bad):
        pool.close()  # A later loan without a free place raises another error.
    for _ in range(2):
        with good.connection() as conn:
            assert value(conn, "SELECT 1") == 1
        with pytest.raises(OperationalError, match="refused"):
            bad.take()


def test_an_interrupt_of_a_thread_that_waits_for_a_connection_costs_the_pool_no_place(database: str) -> None:
    pool, begun, ends = Pool(database, max_size=1), threading.Event(), list[BaseException]()
    running: list[Running] = []

    def wait() -> None:
        try:
            with Running(60.0) as ours:
                running.append(ours)
                begun.set()
                pool.take()
        except TimedOut as error:
            ends.append(error)

    conn = pool.take()
    waiter = threading.Thread(target=wait)
    waiter.start()
    begun.wait()
    time.sleep(0.05)
    running[0].stop(TimedOut("it waits too long"))
    pool.give_back(conn)  # The waiter has not noticed the interrupt yet.
    waiter.join()
    pool.close()  # A later loan without a free place raises another error.
    with pool.connection() as conn:
        assert value(conn, "SELECT 1") == 1
    assert len(ends) == 1


def test_a_server_that_is_no_postgres_is_a_wrong_address_and_a_silent_one_may_be_slow(monkeypatch: Patch) -> None:
    def answer() -> None:
        for _ in range(2):  # The client tries with SSL and without.
            client, _ = other.accept()
            with client:
                client.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

    with socket.create_server(("127.0.0.1", 0)) as other:
        threading.Thread(target=answer, daemon=True).start()
        url = f"postgresql://somebody@127.0.0.1:{other.getsockname()[1]}/news"
        with pytest.raises(AddressError, match=r"^expected the port of a PostgreSQL server in DATABASE_URL, got: "):
            connect(url)
    monkeypatch.setitem(KEEPALIVE, "connect_timeout", 2)  # Two seconds are libpq's minimum.
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = f"port {port} failed: no answer for 2 s; is it the port of a PostgreSQL server\\?"
        with pytest.raises(OperationalError, match=said) as caught:
            connect(f"postgresql://somebody@127.0.0.1:{port}/news")
    assert not isinstance(caught.value, AddressError), "a worker waits for it"
