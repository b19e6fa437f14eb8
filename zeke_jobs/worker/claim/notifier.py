"""Listens for NOTIFY on one connection for the whole worker process, and wakes the producer."""

import os
import select
import threading
from contextlib import closing

from psycopg2 import sql
from psycopg2.extensions import Notify, connection as Connection

from zeke_jobs.core.logs import get_logger
from zeke_jobs.postgres.pool import DISCONNECTED, connect
from zeke_jobs.worker.claim.producer import Producer
from zeke_jobs.worker.life.heartbeat import Heartbeat

_LOOK = 10.0  # seconds between checks of a silent connection
_PAUSE = 1.0
_CHANNELS = ("zeke_jobs.wake", "zeke_jobs.cancel", "zeke_jobs.revision")


class Notifier:
    """Listens on one connection. Any client can notify, so this process then checks the database. It also polls."""

    def __init__(self, producer: Producer, heartbeat: Heartbeat) -> None:
        self._producer, self._process = producer, producer.process
        self._heartbeat = heartbeat
        self._stopping = False
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)
        self._log = get_logger("zeke_jobs.notifier")

    def start(self) -> None:
        """Start listening."""
        if self._producer.notifications_arrive:
            self._thread.start()
        else:
            self._log.info("no notifications through a pooler; looking for jobs once a second")

    def close(self) -> None:
        """Stop listening, and wake the notifier's thread and the producer."""
        self._stopping = True
        os.write(self._wake_write, b"x")
        if self._thread.is_alive():
            self._thread.join(5.0)
        self._producer.wake()

    def _run(self) -> None:
        while not self._stopping:
            try:
                with closing(connect(self._process.url, application_name="zeke-jobs notifier")) as conn:
                    self._listen(conn)
            except DISCONNECTED as error:
                self._log.warning("notifications lost; polling goes on", error=str(error).strip())
            except Exception:  # noqa: BLE001 (without this thread, each job would wait for a poll; failures are logged)
                self._log.exception("the notifier failed; it is tried again")
            else:
                continue
            select.select([self._wake_read], [], [], _PAUSE)

    def _listen(self, conn: Connection) -> None:
        with conn.cursor() as cursor:
            for channel in _CHANNELS:
                cursor.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        self._heartbeat.check_revision_soon()
        self._producer.wake()  # notifications may have been sent before this connection listened
        while not self._stopping:
            ready, _, _ = select.select([conn.fileno(), self._wake_read], [], [], _LOOK)
            if not ready:
                with conn.cursor() as cursor:
                    cursor.execute("SELECT 1")  # only a query shows that a connection is dead
            conn.poll()
            while conn.notifies:
                self._receive(conn.notifies.pop(0))

    def _receive(self, notification: Notify) -> None:
        if notification.channel == "zeke_jobs.cancel":
            self._heartbeat.watch_now()
        elif notification.channel == "zeke_jobs.revision":
            self._heartbeat.check_revision_soon()
            self._producer.wake()  # limits may be higher in the new revision
        else:
            first, _, job = notification.payload.partition(" ")
            queue, _, task = job.partition(" ")
            self._producer.wake(queue, task, later=first != str(self._process.id))
