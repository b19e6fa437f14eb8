"""Ends a worker process in an orderly way and within a stated time, even if something hangs."""

import threading
from collections.abc import Callable, Sequence
from functools import partial

from zeke_jobs.core.logs import get_logger
from zeke_jobs.scheduler import beat
from zeke_jobs.worker.claim.producer import Producer
from zeke_jobs.worker.leftovers import end_children, end_within
from zeke_jobs.worker.process import WorkerProcess

_CLOSE_WITHIN = 15.0  # seconds; the most that a stop takes after the time for running jobs is over
_TO_LOOK = 2.0  # seconds for the last look for jobs
_log = get_logger("zeke_jobs.worker")


def begin(producer: Producer) -> None:
    """Begin a stop, before dramatiq waits for jobs: wake the waiting threads, and cancel a last look that takes too long."""
    producer.process.stop_begun.set()
    producer.wake()
    threading.Thread(target=_end_look, args=(producer,), name="end look", daemon=True).start()


def end(producer: Producer, closes: Sequence[Callable[[], None]], *, is_command: bool) -> None:
    """End a stop, when the time for jobs is over: end the jobs that still run, and close everything.

    Args:
        producer: The producer of the process.
        closes: Functions that close our threads after the last outcomes are written; none if the process never booted.
        is_command: This is a process of the dramatiq command, so its remaining threads and child processes are ended, too.
    """
    process = producer.process
    if is_command:
        end_within(_CLOSE_WITHIN)
    steps = [partial(producer.thread.join, 3 * _TO_LOOK), process.end_jobs, *closes, partial(_leave, process)]
    for step in (*(steps if closes else ()), process.runtime.close, process.pool.close, process.handler_pool.close):
        try:
            step()
        except Exception:  # noqa: BLE001 (the other steps are to be taken too; unwritten jobs are rescued elsewhere)
            _log.exception("could not stop in good order; please report this")
    if is_command and (left := end_children()):
        _log.warning("ended processes that handlers had left running", processes=left)


def _end_look(producer: Producer) -> None:
    # Repeat this, because a query that has not reached the server cannot be cancelled.
    while producer.thread.is_alive():
        producer.thread.join(_TO_LOOK)
        producer.process.pool.cut_opening()
        producer.end_look()


def _leave(process: WorkerProcess) -> None:
    if not len(process.held):
        # Return jobs whose claim's answer was lost. Otherwise another process would rescue them, and count a death.
        beat.leave(process.url, process.id, lambda conn: process.disown(conn, older=0.0))
