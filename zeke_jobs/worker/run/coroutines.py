"""Runs jobs of async handlers: does what a thread of dramatiq does with a message, but takes no thread while it waits."""

import asyncio
import threading
from collections.abc import Generator
from concurrent.futures import Future, wait
from typing import Any

from dramatiq.middleware import SkipMessage

from zeke_jobs.core.logs import get_logger
from zeke_jobs.worker.claim.claims import JobMessage
from zeke_jobs.worker.run.event_loop import Call, EventLoop
from zeke_jobs.worker.run.executor import Executor


class Coroutines:
    """Looks like one of the threads of dramatiq's worker, so that a stop waits for its jobs."""

    def __init__(self, worker: Any, executor: Executor, loop: EventLoop) -> None:
        self.paused_event = threading.Event()
        self.paused_event.set()
        self._worker = worker
        self._executor = executor
        self._loop = loop
        self._running: set[Future[Any]] = set()
        worker.workers.append(self)

    def start(self, message: JobMessage) -> None:
        """Run a job on the event loop."""
        future = asyncio.run_coroutine_threadsafe(self._loop.drive(self._steps(message)), self._loop.get())
        self._running.add(future)
        future.add_done_callback(self._ended)

    def _ended(self, future: Future[Any]) -> None:
        self._running.discard(future)
        if (error := future.exception()) is not None:
            get_logger(__name__).error("an async job could not be run; please report this", exc_info=error)

    def join(self, timeout: float | None = None) -> None:
        """Wait for the running jobs."""
        wait(tuple(self._running), timeout)

    def stop(self) -> None:
        """Do nothing: the producer starts no more jobs."""

    pause = resume = stop

    def _steps(self, message: JobMessage) -> Generator[Call, Any, None]:
        """Do the same as dramatiq's ``process_message``."""
        broker = self._worker.broker
        try:
            broker.emit_before("process_message", message)
            result = None if message.failed else (yield from self._executor.steps(message))
            broker.emit_after("process_message", message, result=result)
        except SkipMessage as skip:
            if message.failed:
                message.stuff_exception(skip)
            broker.emit_after("skip_message", message)
        except BaseException as error:  # noqa: BLE001 (it has become the job's outcome)
            message.stuff_exception(error)
            broker.emit_after("process_message", message, exception=error)
        finally:
            self._worker.consumers[message.queue_name].post_process_message(message)
            message.clear_exception()
