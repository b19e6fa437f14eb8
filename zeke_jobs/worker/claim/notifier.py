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
_LATER = 0.1  # seconds after which a process looks when another one was notified first
_CHANNEL = "zeke_jobs."


class WakeUps:
    """Wake-up signals for the consumers of a process, one for each queue. A wake-up may come without need, or be missed.

    Its methods raise a KeyError for a queue that the process does not have.

    Attributes:
        notifications_arrive: False behind a pooler; consumers then only poll.
    """

    def __init__(self, queues: Iterable[str] = ()) -> None:
        self.notifications_arrive = True
        self._events = {queue: threading.Event() for queue in queues}
        self._later: dict[str, float] = {}  # when to wake, in monotonic seconds

    @property
    def queues(self) -> list[str]:
        """The queues of the process."""
        return list(self._events)

    def wait(self, queue: str, timeout: float) -> bool:
        """Whether a wake-up comes within ``timeout`` seconds. It counts once."""
        woken = self._events[queue].wait(timeout)
        self._events[queue].clear()
        return woken

    def wake(self, queue: str) -> None:
        """Wake the queue's consumer."""
        self._events[queue].set()

    def wake_later(self, queue: str) -> None:
        """Wake the queue's consumer in a moment, unless it has looked by then."""
        if queue not in self._events:
            raise KeyError(queue)
        self._later.setdefault(queue, time.monotonic() + _LATER)

    def cancel(self, queue: str) -> None:
        """Cancel the delayed wake-up of a queue, because its consumer looks now."""
        self._later.pop(queue, None)

    def wake_due(self) -> float:
        """Wake the consumers whose moment has come; return the seconds to the next one, infinite if there is none."""
        now = time.monotonic()
        for queue, due in list(self._later.items()):
            if due <= now:
                self.cancel(queue)
                self.wake(queue)
        return max(0.0, min(list(self._later.values()), default=math.inf) - now)

    def wake_all(self) -> None:
        """Wake all consumers, as for a shutdown."""
        for event in self._events.values():
            event.set()


class Notifier:
    """One LISTEN connection. A notification only causes a look, because any client can send one; polling works without it.

    Args:
        url: The database.
        worker: This process, as notifications name it.
        wake_ups: The wake-ups that it sends.
        on_cancel: Called when a job is being cancelled.
        on_revision: Called when another revision of jobs.yaml is in force.
    """

    def __init__(
        self,
        url: str | None,
        worker: UUID,
        wake_ups: WakeUps,
        on_cancel: Callable[[], object],
        on_revision: Callable[[], object],
    ) -> None:
        self._url = url
        self._worker = str(worker)
        self._wake_ups = wake_ups
        self._on_cancel = on_cancel
        self._on_revision = on_revision
        self._stopping = False
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)
        self._log = get_logger("zeke_jobs.notifier")

    def start(self) -> None:
        """Start listening."""
        if self._wake_ups.notifications_arrive:
            self._thread.start()
        else:
            self._log.info("no notifications through a pooler; looking for jobs once a second")

    def close(self) -> None:
        """Stop listening and wake everybody."""
        self._stopping = True
        os.write(self._wake_write, b"x")
        if self._thread.is_alive():
            self._thread.join(5.0)
        self._wake_ups.wake_all()

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
        channels = [f"{_CHANNEL}{queue}" for queue in self._wake_ups.queues]
        with conn.cursor() as cursor:
            for channel in (*channels, "zeke_jobs.cancel", "zeke_jobs.revision"):
                cursor.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        self._on_revision()
        self._wake_ups.wake_all()  # for notifications sent before we listened
        received = time.monotonic()
        while not self._stopping:
            wait = min(_LOOK, self._wake_ups.wake_due())
            ready, _, _ = select.select([conn.fileno(), self._wake_read], [], [], wait)
            if ready:
                received = time.monotonic()
            elif time.monotonic() - received >= _LOOK:
                with conn.cursor() as cursor:
                    cursor.execute("SELECT 1")  # a dead connection sends nothing: only a query shows it
                received = time.monotonic()
            conn.poll()
            while conn.notifies:
                self._receive(conn.notifies.pop(0))

    def _receive(self, notification: Notify) -> None:
        if notification.channel == "zeke_jobs.cancel":
            self._on_cancel()
        elif notification.channel == "zeke_jobs.revision":
            self._on_revision()
            self._wake_ups.wake_all()  # limits may be higher now
        else:
            is_first = notification.payload in ("", self._worker)
            wake = self._wake_ups.wake if is_first else self._wake_ups.wake_later
            wake(notification.channel.removeprefix(_CHANNEL))
