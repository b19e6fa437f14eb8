"""Listens for NOTIFY on one connection for the whole process, and wakes whoever waits at that bell."""

from __future__ import annotations

import os
import select
import threading
from contextlib import closing
from typing import TYPE_CHECKING

from psycopg2 import sql

from zeke_jobs.logs import get_logger
from zeke_jobs.postgres import DISCONNECTED, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from psycopg2.extensions import connection as Connection

_LOOK = 10.0  # seconds; how often the connection is looked at when nothing comes
_PAUSE = 1.0


class Doorbell:
    """One LISTEN connection. A bell may ring without need, and may be missed: polling is the backstop.

    Behind a pooler nothing is heard (``listens`` is False), and polling is all there is.

    ``on_cancel`` is called when somebody cancels a job, ``on_revision`` when another revision of jobs.yaml is in force. What a
    bell says beside that is not read: whoever may connect may ring it.
    """

    def __init__(
        self,
        url: str | None,
        queues: Iterable[str],
        on_cancel: Callable[[], object],
        on_revision: Callable[[], object],
        *,
        listens: bool = True,
    ) -> None:
        self.listens = listens
        self._url = url
        self._events = {f"zeke_jobs.{queue}": threading.Event() for queue in queues}
        self._on_cancel = on_cancel
        self._on_revision = on_revision
        self._stopping = False
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
        self._log = get_logger("zeke_jobs.doorbell")

    def start(self) -> None:
        """Start listening."""
        if self.listens:
            self._thread.start()
        else:
            self._log.info("no doorbell through a pooler; looking for jobs once a second")

    def wait(self, queue: str, timeout: float) -> bool:
        """Wait until the queue's bell rings, for ``timeout`` seconds at most."""
        event = self._events[f"zeke_jobs.{queue}"]
        rang = event.wait(timeout)
        event.clear()
        return rang

    def ring(self, queue: str) -> None:
        """Wake the queue's consumer here."""
        self._events[f"zeke_jobs.{queue}"].set()

    def ring_all(self) -> None:
        """Wake everybody here, as for a shutdown."""
        for event in self._events.values():
            event.set()

    def close(self) -> None:
        """Stop listening and wake everybody."""
        self._stopping = True
        os.write(self._wake_write, b"x")
        if self.listens:
            self._thread.join(5.0)
        self.ring_all()

    def _run(self) -> None:
        while not self._stopping:
            try:
                with closing(connect(self._url, application_name="zeke-jobs doorbell")) as conn:
                    self._listen(conn)
            except DISCONNECTED as error:
                self._log.warning("doorbell lost; polling goes on", error=str(error).strip())
            except Exception:  # noqa: BLE001 (without this thread each job would wait for a poll; it is logged each time)
                self._log.exception("doorbell failed; it is tried again")
            else:
                continue
            select.select([self._wake_read], [], [], _PAUSE)

    def _listen(self, conn: Connection) -> None:
        with conn.cursor() as cursor:
            for channel in (*self._events, "zeke_jobs.cancel", "zeke_jobs.revision"):
                cursor.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        self._on_revision()
        self.ring_all()  # whatever came before we listened
        while not self._stopping:
            ready, _, _ = select.select([conn.fileno(), self._wake_read], [], [], _LOOK)
            if not ready:
                with conn.cursor() as cursor:
                    cursor.execute("SELECT 1")  # a dead connection is silent
            conn.poll()
            while conn.notifies:
                notify = conn.notifies.pop(0)
                if notify.channel == "zeke_jobs.cancel":
                    self._on_cancel()
                elif notify.channel == "zeke_jobs.revision":
                    self._on_revision()
                    self.ring_all()  # limits may be higher now
                else:
                    self._events[notify.channel].set()
