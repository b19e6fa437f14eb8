"""Ends a worker process in an orderly way and within a stated time, even if something hangs."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol

import psycopg2

from zeke_jobs.core.logs import get_logger
from zeke_jobs.postgres.pool import connect
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.finish.outcome import of_shutdown
from zeke_jobs.worker.leftovers import end_children, end_within
from zeke_jobs.worker.life.rescue import disown
from zeke_jobs.worker.process import TO_WRITE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zeke_jobs.worker.process import WorkerProcess

_CLOSE_WITHIN = 15.0  # most seconds that a stop takes after the time allowed for jobs
_TO_LOOK = 2.0  # seconds for a consumer's last look
_TO_LEAVE = 1.0


class Closing(Protocol):
    """A thread that the stop closes."""

    def close(self) -> None:
        """End it, within a stated time."""


class Stop:
    """The two halves of a stop: before dramatiq waits for jobs, and after their time is over."""

    def __init__(self, process: WorkerProcess) -> None:
        self._process = process
        self._log = get_logger("zeke_jobs.worker")

    def begin(self, worker: Any) -> None:
        """Wake all waiting threads and end the consumers, because dramatiq waits for them as long as for jobs.

        Args:
            worker: Dramatiq's worker with its consumers.
        """
        self._process.wake_ups.wake_all()
        threading.Thread(target=self._end_looks, args=(worker,), name="end looks", daemon=True).start()

    def end(self, threads: Sequence[Closing], *, is_command: bool) -> None:
        """End the jobs whose time is over, and leave.

        Args:
            threads: Our threads, to be closed after the last outcomes are written; none when the process never booted.
            is_command: This is dramatiq's own process, so the threads and child processes that are left end too.
        """
        process = self._process
        if is_command:
            end_within(_CLOSE_WITHIN)
        steps = [self._end_jobs, *(thread.close for thread in threads), self._leave] if threads else []
        for step in (*steps, process.runtime.close, process.pool.close, process.handler_pool.close):
            try:
                step()
            except Exception:  # noqa: BLE001 (the other steps are to be taken too; unwritten jobs are rescued elsewhere)
                self._log.exception("could not stop in good order; please report this")
        if is_command and (left := end_children()):
            self._log.warning("ended processes that handlers had left running", processes=left)

    def _end_looks(self, worker: Any) -> None:
        # Repeat: in an earlier round, a look may have been on its way to the server, where it could not be cancelled.
        threads = list(worker.consumers.values())
        while any(thread.is_alive() for thread in threads):
            time.sleep(_TO_LOOK)
            self._process.pool.cut_opening()
            for thread in threads:
                if thread.is_alive() and thread.consumer is not None:
                    threading.Thread(target=thread.consumer.end_look, name="end look", daemon=True).start()

    def _end_jobs(self) -> None:
        process = self._process
        for claim in process.held.all():
            outcome = of_shutdown(process.policy(claim), retries=claim.attempt - claim.attempt_base)
            if process.settle(claim, outcome, gives_up=True):
                self._log.warning(str(outcome.reason), task=claim.task, job_id=str(claim.id), outcome=outcome.how)
        process.completer.close(TO_WRITE)

    def _leave(self) -> None:
        if len(self._process.held) == 0:
            unregistering = threading.Thread(target=self._unregister, name="unregister", daemon=True)
            unregistering.start()
            unregistering.join(_TO_LEAVE)

    def _unregister(self) -> None:
        try:
            with closing(connect(self._process.url)) as conn:
                # Return jobs that our consumers do not know. Otherwise others would rescue them and count a death.
                disown(conn, self._process.id, self._process.held, self._log, older=0.0)
                SQL.run(conn, "worker/leave", worker=self._process.id)
        except psycopg2.Error as error:
            self._log.warning(
                "could not unregister; others will notice its missing heartbeats", error=str(error).strip()
            )
