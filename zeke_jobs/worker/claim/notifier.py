"""Listens for NOTIFY on one connection for the whole process, and wakes the consumers that wait."""

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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from uuid import UUID

    from psycopg2.extensions import Notify
    from psycopg2.extensions import connection as Connection

_LOOK = 10.0  # seconds between checks of a silent connection
_PAUSE = 1.0
_LATER = 0.1  # seconds after which a process looks when a bell rang for another one first
_CHANNEL = "zeke_jobs."


class Bells:
    """Wake-up signals for the consumers of a process, one for each queue. A bell may ring without need, or be missed.

    Attributes:
        are_rung: The server's notifications arrive. Behind a pooler they do not, and consumers only poll.
    """

    def __init__(self, queues: Iterable[str] = ()) -> None:
        self.are_rung = True
        self._bells = {queue: threading.Event() for queue in queues}
        self._later: dict[str, float] = {}  # when to ring, in monotonic seconds

    @property
    def queues(self) -> list[str]:
        """The queues that have a bell."""
        return list(self._bells)

    def wait(self, queue: str, timeout: float) -> bool:
        """Whether the bell rings within ``timeout`` seconds. It is then silent until it is rung again."""
        rang = self._bells[queue].wait(timeout)
        self._bells[queue].clear()
        return rang

    def ring(self, queue: str) -> None:
        """Wake the queue's consumer."""
        self._bells[queue].set()

    def ring_later(self, queue: str) -> None:
        """Wake the queue's consumer in a moment, unless it looks before."""
        if queue in self._bells:
            self._later.setdefault(queue, time.monotonic() + _LATER)

    def looks(self, queue: str) -> None:
        """The queue's consumer looks now, and need not be woken for anything that was there before."""
        self._later.pop(queue, None)

    def ring_due(self) -> float:
        """Ring the bells whose moment has come; return the seconds to the next one, infinite if there is none."""
        now = time.monotonic()
        for queue, due in list(self._later.items()):
            if due <= now:
                self.looks(queue)
                self.ring(queue)
        return max(0.0, min(list(self._later.values()), default=math.inf) - now)

    def ring_all(self) -> None:
        """Wake all consumers, as for a shutdown."""
        for bell in self._bells.values():
            bell.set()


class Notifier:
    """One LISTEN connection. A notification only causes a look, because any client can send one; polling works without it.

    Args:
        url: The database.
        worker: This process, as notifications name it.
        bells: The bells that it rings.
        on_cancel: Called when a job is being cancelled.
        on_revision: Called when another revision of jobs.yaml is in force.
    """

    def __init__(
        self,
        url: str | None,
        worker: UUID,
        bells: Bells,
        on_cancel: Callable[[], object],
        on_revision: Callable[[], object],
    ) -> None:
        self._url = url
        self._worker = str(worker)
        self._bells = bells
        self._on_cancel = on_cancel
        self._on_revision = on_revision
        self._stopping = False
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)
        self._log = get_logger("zeke_jobs.notifier")

    def start(self) -> None:
        """Start listening."""
        if self._bells.are_rung:
            self._thread.start()
        else:
            self._log.info("no notifications through a pooler; looking for jobs once a second")

    def close(self) -> None:
        """Stop listening and wake everybody."""
        self._stopping = True
        os.write(self._wake_write, b"x")
        if self._thread.is_alive():
            self._thread.join(5.0)
        self._bells.ring_all()

    def _run(self) -> None:
        while not self._stopping:
            try:
                with closing(connect(self._url, application_name="zeke-jobs notifier")) as conn:
                    self._listen(conn)
            except DISCONNECTED as error:
                self._log.warning("notifications lost; polling goes on", error=str(error).strip())
            except Exception:  # noqa: BLE001 (without this thread each job would wait for a poll; it is logged each time)
                self._log.exception("the notifier failed; it is tried again")
            else:
                continue
            select.select([self._wake_read], [], [], _PAUSE)

    def _listen(self, conn: Connection) -> None:
        channels = [f"{_CHANNEL}{queue}" for queue in self._bells.queues]
        with conn.cursor() as cursor:
            for channel in (*channels, "zeke_jobs.cancel", "zeke_jobs.revision"):
                cursor.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        self._on_revision()
        self._bells.ring_all()  # for notifications sent before we listened
        heard = time.monotonic()
        while not self._stopping:
            wait = min(_LOOK, self._bells.ring_due())
            ready, _, _ = select.select([conn.fileno(), self._wake_read], [], [], wait)
            if ready:
                heard = time.monotonic()
            elif time.monotonic() - heard >= _LOOK:
                with conn.cursor() as cursor:
                    cursor.execute("SELECT 1")  # a dead connection sends nothing: only a query shows it
                heard = time.monotonic()
            conn.poll()
            while conn.notifies:
                self._hear(conn.notifies.pop(0))

    def _hear(self, notification: Notify) -> None:
        if notification.channel == "zeke_jobs.cancel":
            self._on_cancel()
        elif notification.channel == "zeke_jobs.revision":
            self._on_revision()
            self._bells.ring_all()  # limits may be higher now
        else:
            is_first = notification.payload in ("", self._worker)
            ring = self._bells.ring if is_first else self._bells.ring_later
            ring(notification.channel.removeprefix(_CHANNEL))
