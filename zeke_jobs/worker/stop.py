"""Ends a worker process in an orderly way and within a stated time, even if something hangs."""

import threading
from collections.abc import Callable, Sequence
from contextlib import closing

import psycopg2

from zeke_jobs.core.logs import get_logger
from zeke_jobs.postgres.pool import connect
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.claim.producer import Producer
from zeke_jobs.worker.leftovers import end_children, end_within

_CLOSE_WITHIN = 15.0  # most seconds that a stop takes after the time allowed for jobs
_TO_LOOK = 2.0  # seconds for the last look


class Stop:
    """The two halves of a stop: before dramatiq waits for jobs, and after their time is over."""

    def __init__(self, producer: Producer) -> None:
        self._producer, self._process = producer, producer.process
        self._log = get_logger("zeke_jobs.worker")

    def begin(self) -> None:
        """Let the waiting threads end, and the last look within a stated time."""
        self._process.stop_begun.set()
        self._producer.wake()
        threading.Thread(target=self._end_look, name="end look", daemon=True).start()

    def end(self, closes: Sequence[Callable[[], None]], *, is_command: bool) -> None:
        """End the jobs whose time is over, and leave.

        Args:
            closes: Close our threads, after the last outcomes are written; none when the process never booted.
            is_command: This is dramatiq's own process, so the threads and child processes that are left end too.
        """
        process = self._process
        if is_command:
            end_within(_CLOSE_WITHIN)
        producer = self._producer.thread
        steps = [lambda: producer.join(3 * _TO_LOOK), process.end_jobs, *closes, self._leave] if closes else []
        for step in (*steps, process.runtime.close, process.pool.close, process.handler_pool.close):
            try:
                step()
            except Exception:  # noqa: BLE001 (the other steps are to be taken too; unwritten jobs are rescued elsewhere)
                self._log.exception("could not stop in good order; please report this")
        if is_command and (left := end_children()):
            self._log.warning("ended processes that handlers had left running", processes=left)

    def _end_look(self) -> None:
        # Repeat: in an earlier round, the look may have been on its way to the server, where it could not be cancelled.
        producer = self._producer
        while producer.thread.is_alive():
            producer.thread.join(_TO_LOOK)
            self._process.pool.cut_opening()
            producer.end_look()

    def _leave(self) -> None:
        if len(self._process.held):
            return
        try:
            with closing(connect(self._process.url)) as conn:
                # Return jobs that this process does not know that it has. Otherwise others would rescue them and count a death.
                self._process.disown(conn, older=0.0)
                SQL.run(conn, "worker/leave", worker=self._process.id)
        except psycopg2.Error as error:
            self._log.warning(
                "could not unregister; others will notice its missing heartbeats", error=str(error).strip()
            )
