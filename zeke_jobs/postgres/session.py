"""A connection of our own: what was set on it, and how another thread ends what it does."""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from psycopg2 import InterfaceError, _psycopg
from psycopg2.extensions import connection

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATIENCE = 2.0  # seconds in which a server that lives takes a cancellation
_LIBPQ = ctypes.CDLL(_psycopg.__file__)  # the one that psycopg2 uses
with suppress(AttributeError):
    _LIBPQ.PQgetCancel.argtypes, _LIBPQ.PQgetCancel.restype = (ctypes.c_void_p,), ctypes.c_void_p
    _LIBPQ.PQcancel.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)
    _LIBPQ.PQfreeCancel.argtypes, _LIBPQ.PQfreeCancel.restype = (ctypes.c_void_p,), None


class Session(connection):
    """A connection of our own, and how it was made.

    Attributes:
        settings: What we had to set on it beside the time zone. None where a pooler stands in between: the session behind it
            changes with each transaction, and is nobody's own.
    """

    settings: Mapping[str, str] | None

    def remember(self, settings: Mapping[str, str] | None) -> None:
        """This is how it was made."""
        self.settings = settings
        self._made = self._face()
        self._cancellation = _Cancellation(self) if hasattr(_LIBPQ, "PQcancel") else super().cancel

    def is_as_made(self) -> bool:
        """Whether nobody has changed what psycopg2 makes of it, which no statement puts right."""
        return self._face() == self._made

    def cancel(self) -> None:
        """Cancel what another thread does on this connection. Where the server is silent, the connection is ended instead."""
        thread = threading.Thread(target=self._cancellation, name="cancel", daemon=True)
        thread.start()
        thread.join(_PATIENCE)
        if thread.is_alive():
            self.cut()

    def cut(self) -> None:
        """End the connection, whatever another thread waits for on it: that one gets an OperationalError at once."""
        with suppress(OSError, InterfaceError), socket.socket(fileno=os.dup(self.fileno())) as shared:
            shared.shutdown(socket.SHUT_RDWR)

    def _face(self) -> tuple[object, ...]:
        return self.autocommit, self.cursor_factory, self.encoding, dict(self.string_types), dict(self.binary_types)


class _Cancellation:
    """libpq's own, which may be asked for whatever becomes of the connection.

    psycopg2's lets no other thread run until the server has answered: where that is silent, the whole process stands still.
    """

    def __init__(self, conn: connection) -> None:
        self._pointer = _LIBPQ.PQgetCancel(conn.pgconn_ptr)

    def __call__(self) -> None:
        said = ctypes.create_string_buffer(256)
        _LIBPQ.PQcancel(self._pointer, said, len(said))

    def __del__(self) -> None:
        _LIBPQ.PQfreeCancel(self._pointer)
