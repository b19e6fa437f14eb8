"""Connections that end in each way in which servers fail."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import psycopg2
import pytest
from psycopg2 import OperationalError

from actors.store.statements import SQL as STORE
from zeke_jobs.postgres import pool as postgres
from zeke_jobs.postgres.pool import DISCONNECTED, AddressError, Pool, connect
from zeke_jobs.postgres.queries import SQL as OURS
from zeke_jobs.postgres.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg2.extensions import connection as Connection

ROOT = Path(__file__).parents[3]
FAREWELL = b"SWARNING\0VWARNING\0C57P02\0Mterminating connection due to immediate shutdown command\0\0"


class Door:
    """Stands before a server's socket, and can end a connection as the server does when it is stopped at once."""

    def __init__(self, url: str, folder: Path) -> None:
        host = parse_qs(urlsplit(url).query)["host"][0]
        self.url = url.replace(host, str(folder))
        self._server = f"{host}/.s.PGSQL.5432"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{folder}/.s.PGSQL.5432")
        self._listener.listen()
        self._clients: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, server = self._listener.accept()[0], socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                self._clients.append(client)
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError), source:
            while data := source.recv(65_536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)

    def stop_at_once(self) -> None:
        for client in self._clients:
            client.sendall(b"N" + (len(FAREWELL) + 4).to_bytes(4, "big") + FAREWELL)
            client.shutdown(socket.SHUT_RDWR)
            client.close()
        self._clients.clear()

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def door(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with closing(Door(database, tmp_path_factory.mktemp("d"))) as door:
        yield door


def test_a_server_that_is_stopped_at_once_is_a_disconnection(door: Door) -> None:
    with closing(connect(door.url)) as conn, conn.cursor() as cursor:
        door.stop_at_once()
        with pytest.raises(DISCONNECTED):
            cursor.execute("SELECT 1")
        assert conn.closed


def test_a_pool_does_not_hand_out_the_connections_of_a_server_that_was_stopped_at_once(door: Door) -> None:
    pool = Pool(door.url)
    with pool.connection() as conn:
        conn.cursor().execute("SELECT 1")
    door.stop_at_once()
    with pool.connection() as conn:
        conn.cursor().execute("SELECT 1")
    pool.close()


@pytest.mark.parametrize("end", [Session.cancel, Session.cut])
def test_a_query_that_another_thread_waits_for_is_cancelled_or_its_connection_cut(database: str, end: Any) -> None:
    conn, told = connect(database), list[BaseException]()

    def wait() -> None:
        try:
            with conn.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(30)")
        except OperationalError as error:
            told.append(error)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    time.sleep(0.2)
    end(conn)
    thread.join(5.0)
    assert [postgres.is_away(error) for error in told] == [True]
    conn.close()


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
    done = subprocess.run(
        [sys.executable, "-c", SILENT, server_url], cwd=ROOT, capture_output=True, text=True, timeout=40, check=False
    )
    assert (done.stdout, done.stderr) == ("True True [True]\n", "")


@pytest.fixture
def oddly_set(database: str) -> str:
    name = urlsplit(database).path[1:]
    with closing(psycopg2.connect(database)) as conn, conn, conn.cursor() as cursor:
        for setting, value in {"jit": "on", "enable_nestloop": "off", "random_page_cost": "77"}.items():
            cursor.execute(f"ALTER DATABASE {name} SET {setting} TO {value}")
    return database


def shown(url: str, program: str) -> tuple[str, ...]:
    with closing(connect(url, application_name=program)) as conn, conn.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('jit'), current_setting('enable_nestloop'), current_setting('random_page_cost')"
        )
        return cursor.fetchone() or ()


def test_our_sessions_plan_alike_whatever_the_database_has_set(oddly_set: str) -> None:
    assert shown(oddly_set, "zeke-jobs worker") == ("off", "on", "4")


def test_a_handlers_session_keeps_what_its_database_has_set_but_jit(oddly_set: str) -> None:
    assert shown(oddly_set, "zeke-jobs handler") == ("off", "off", "77")


def test_no_function_and_no_look_has_a_planner_switch_while_jit_may_be_on(conn: Connection) -> None:
    # A scan that is switched off counts as so dear that JIT compiles the plan, which takes a hundred times as long as running it.
    with conn.cursor() as cursor:
        cursor.execute(
            """SELECT p.oid::regprocedure::text, coalesce('jit=off' = ANY (p.proconfig), false)
            FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
            WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND p.proconfig::text ~ 'enable_[a-z]+=off'"""
        )
        found = dict(cursor.fetchall())
    for queries in (OURS, STORE):
        texts = {name: queries.text(name) for name in queries.names()}
        found |= {name: "'jit'" in text for name, text in texts.items() if "enable_" in text}
    assert len(found) > 30
    assert [name for name, is_off in found.items() if not is_off] == []


def test_a_function_that_a_view_calls_for_each_row_is_not_compiled_each_time(conn: Connection) -> None:
    with conn.cursor() as cursor:
        cursor.execute(
            """SELECT DISTINCT p.oid::regprocedure::text, coalesce('jit=off' = ANY (p.proconfig), false)
            FROM pg_depend AS d JOIN pg_proc AS p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid
            JOIN pg_language AS l ON l.oid = p.prolang AND l.lanname = 'plpgsql'
            WHERE d.classid = 'pg_rewrite'::regclass AND p.oid <> 'zeke_jobs.now()'::regprocedure"""
        )
        found = dict(cursor.fetchall())
    assert len(found) >= 3
    assert [name for name, is_off in found.items() if not is_off] == []


def test_a_connection_that_a_silent_server_never_greets_can_be_cut(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def greet(conn: Session) -> None:
        begun.set()
        with conn.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(600)")

    monkeypatch.setattr(Session, "greet", greet)
    pool, errors = Pool(database), []

    def use() -> None:
        try:
            with pool.connection():
                pass
        except OperationalError as error:
            errors.append(error)

    thread = threading.Thread(target=use, daemon=True)
    thread.start()
    assert begun.wait(10)
    while thread.is_alive():  # it may not have sent its statement yet
        pool.cut_opening()
        thread.join(0.05)
    assert len(errors) == 1


def test_a_server_that_is_no_postgres_is_a_wrong_address() -> None:
    def answer() -> None:
        for _ in range(2):  # with SSL and without
            client, _ = other.accept()
            with client:
                client.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

    with socket.create_server(("127.0.0.1", 0)) as other:
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        url = f"postgresql://somebody@127.0.0.1:{other.getsockname()[1]}/news"
        with pytest.raises(AddressError, match=r"^expected the port of a PostgreSQL server in DATABASE_URL, got: "):
            connect(url)
