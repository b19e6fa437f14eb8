"""Listens for NOTIFY on one connection for the whole process, and wakes whoever waits at that bell."""

from __future__ import annotations

import math
import os
import select
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

from psycopg2 import sql

from zeke_jobs.core.logs import get_logger
from zeke_jobs.postgres.pool import DISCONNECTED, connect
from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.worker.process import WorkerProcess

_LOOK = 10.0  # seconds; how often the connection is looked at when nothing comes
_PAUSE = 1.0
_AFTER_ANOTHER = 0.1  # seconds in which another process may take what it was rung for
_CHANNEL = "zeke_jobs."


class _Bell:
    """The bell of one queue: rung now, or to be heard a moment later. Thread-safe; one consumer waits at it."""

    def __init__(self) -> None:
        self._rings_at = math.inf  # monotonic seconds
        self._condition = threading.Condition()

    def ring(self, after: float = 0.0) -> None:
        """Let it ring in ``after`` seconds, unless it rings earlier anyway."""
        with self._condition:
            self._rings_at = min(self._rings_at, time.monotonic() + after)
            self._condition.notify()

    def wait(self, timeout: float) -> bool:
        """Whether it rings within ``timeout`` seconds; then it is quiet until it is rung again."""
        end = time.monotonic() + timeout
        with self._condition:
            while (now := time.monotonic()) < self._rings_at:
                if now >= end:
                    return False
                self._condition.wait(min(end, self._rings_at) - now)
            self._rings_at = math.inf
            return True


class Doorbell:
    """One LISTEN connection. A bell may ring without need, and may be missed: polling is the backstop.

    A ring may name one process: the others look only a moment later, should that one not have taken what it was rung for.
    Who is named and has no free thread passes the ring on to all. Nothing else is believed: whoever may connect may ring.

    Behind a pooler nothing is heard (``listens`` is set to False before ``start``), and polling is all there is.

    ``on_cancel`` is called when somebody cancels a job, ``on_revision`` when another revision of jobs.yaml is in force.
    """

    def __init__(
        self,
        process: WorkerProcess,
        on_cancel: Callable[[], object],
        on_revision: Callable[[], object],
    ) -> None:
        self.listens = True
        self._process = process
        self._bells = {f"{_CHANNEL}{queue}": _Bell() for queue in process.queues}
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
        return self._bells[f"{_CHANNEL}{queue}"].wait(timeout)

    def ring(self, queue: str) -> None:
        """Wake the queue's consumer here."""
        self._bells[f"{_CHANNEL}{queue}"].ring()

    def ring_all(self) -> None:
        """Wake everybody here, as for a shutdown."""
        for bell in self._bells.values():
            bell.ring()

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
                with closing(connect(self._process.url, application_name="zeke-jobs doorbell")) as conn:
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
            for channel in (*self._bells, "zeke_jobs.cancel", "zeke_jobs.revision"):
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
                    self._hear(conn, notify.channel, notify.payload)

    def _hear(self, conn: Connection, channel: str, named: str) -> None:
        process = self._process
        if named and named != str(process.id):
            self._bells[channel].ring(_AFTER_ANOTHER)
        elif named and not process.has_free_thread():
            SQL.run(conn, "worker/pass_on", worker=process.id, queue=channel.removeprefix(_CHANNEL))
            self._bells[channel].ring(_AFTER_ANOTHER)
        else:
            self._bells[channel].ring()
