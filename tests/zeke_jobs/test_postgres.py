"""Connections that die in the ways in which servers die."""

from __future__ import annotations

import socket
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import psycopg2
import pytest

import zeke_jobs
from zeke_jobs.postgres import DISCONNECTED, Pool, connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


def test_a_send_on_the_callers_connection_says_that_it_is_dead(door: Door) -> None:
    conn = psycopg2.connect(door.url)
    door.stop_at_once()
    with pytest.raises(psycopg2.OperationalError):
        zeke_jobs.send("anything", connection=conn)


def test_a_wrong_statement_is_no_disconnection(database: str) -> None:
    with closing(connect(database)) as conn, conn.cursor() as cursor:
        with pytest.raises(psycopg2.ProgrammingError):
            cursor.execute("SELECT nothing")
        assert not conn.closed
