"""Interrupts a running handler: on a timeout, a cancel, or the loss of its job to another process."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import c_ulong, py_object, pythonapi
from uuid import UUID

from dramatiq.middleware.time_limit import TimeLimitExceeded

from zeke_jobs.core.logs import get_logger


class Interrupt(BaseException):
    """Raised in a handler's thread. It is no ``Exception``, so a handler's ``except Exception`` does not catch it.

    An async handler gets asyncio's ``CancelledError`` at its next ``await``, with the same text.
    """


class TimedOut(Interrupt, TimeLimitExceeded):  # type: ignore[misc] # dramatiq has no types
    """The task's ``timeout`` is over. A handler may catch it as dramatiq's exception, to tidy up."""


class Cancelled(Interrupt):
    """Somebody cancelled the job."""


class Lost(Interrupt):
    """This process no longer holds the job."""


#: Seconds that a handler may take to end after an interrupt.
STUCK_AFTER = 30.0


class Running:
    """One running handler, in a thread or on the event loop, and the means to stop it.

    ``stoppers`` are called from another thread to end a wait that Python cannot interrupt, such as a query or a read of a socket.
    """

    def __init__(self, timeout: float, *, is_async: bool = False) -> None:
        self.thread = None if is_async else threading.get_ident()
        self._cancel: Callable[[str], object] | None = None
        self.timeout = timeout
        self.deadline = time.monotonic() + timeout
        self.stoppers: list[Callable[[], object]] = []
        self.interrupt: Interrupt | None = None
        self.stopped = math.inf
        self._lock = threading.Lock()
        self._active = True

    def stop(self, interrupt: Interrupt) -> bool:
        """Raise ``interrupt`` in the handler's thread; False when the handler has ended or is already being stopped."""
        with self._lock:
            if not self._active or self.interrupt is not None:
                return False
            self.interrupt = interrupt
            self.stopped = time.monotonic()
            if self.thread is not None:
                # CPython takes a class, and makes the exception in the target thread. ``Interrupts.running`` puts the text back.
                pythonapi.PyThreadState_SetAsyncExc(c_ulong(self.thread), py_object(type(interrupt)))
            elif self._cancel is not None:
                self._cancel(str(interrupt))
            self._call_stoppers()
            return True

    def attach(self, cancel: Callable[[str], object]) -> None:
        """The handler is about to start on the event loop; ``cancel`` is called once, with the reason, from any thread."""
        with self._lock:
            self._cancel = cancel
            if self.interrupt is not None:
                cancel(str(self.interrupt))

    def stop_again(self) -> None:
        """Call the stoppers again: the first cancel may have come a moment before the server began the query."""
        with self._lock:
            if self._active and self.interrupt is not None:
                self._call_stoppers()

    def _call_stoppers(self) -> None:
        for stopper in list(self.stoppers):
            try:
                stopper()
            except Exception:  # noqa: BLE001 (its target may be over; the thread that calls must live on)
                get_logger(__name__).debug("a stopper failed", exc_info=True)

    def forget(self, *stoppers: Callable[[], object]) -> None:
        """Remove stoppers whose targets are gone or about to be used by somebody else."""
        with self._lock:
            self.stoppers[:] = [one for one in self.stoppers if one not in stoppers]

    def end(self) -> None:
        """The handler has returned: no exception may be raised in this thread from now on."""
        while True:
            try:
                with self._lock:
                    self._active = False
                # Run some bytecode, so that a pending exception is raised here. Withdrawing it instead would, up to Python 3.12,
                # leave a mark that stops traced threads (under a debugger) for ever.
                for _ in range(2 if self.interrupt is not None else 0):
                    pass
            except Interrupt:
                continue  # an exception was still on its way
            return


class Interrupts:
    """The running handlers of this process. ``tick`` stops handlers whose timeout is over."""

    def __init__(self) -> None:
        self._running: dict[UUID, Running] = {}
        self._lock = threading.Lock()

    @contextmanager
    def running(self, job: UUID, timeout: float, *, is_async: bool = False) -> Iterator[Running]:
        """Wraps the call of the handler. If it was interrupted, the block raises ``Running.interrupt``, with its own text."""
        running = Running(timeout, is_async=is_async)
        with self._lock:
            self._running[job] = running
        try:
            try:
                yield running
            finally:
                running.end()
                with self._lock:
                    # A run that was given up may end after the same job has started again here.
                    if self._running.get(job) is running:
                        del self._running[job]
        except BaseException as error:
            # A cancelled query, a closed socket and a cancelled asyncio task raise other exceptions; the interrupt is the cause.
            if running.interrupt is not None:
                interrupt = running.interrupt.with_traceback(error.__traceback__)  # the place in the handler
                raise interrupt from (None if isinstance(error, Interrupt) else error)
            raise

    def stop(self, job: UUID, interrupt: Interrupt) -> bool:
        """Stop a job's handler. True also when it is already being stopped; False when it does not run here."""
        with self._lock:
            running = self._running.get(job)
        if running is not None:
            running.stop(interrupt)
        return running is not None

    def stop_all(self, interrupt: Interrupt) -> None:
        """Stop every handler."""
        for job in list(self._running):
            self.stop(job, interrupt)

    def tick(self) -> list[tuple[UUID, Interrupt]]:
        """Stop handlers whose timeout is over. Returns handlers that ignored an interrupt for ``STUCK_AFTER`` seconds, each once.

        Python cannot end a thread that waits inside C code.
        """
        now, stuck = time.monotonic(), []
        with self._lock:
            all_ = list(self._running.items())
        for job, running in all_:
            if running.deadline <= now:
                running.stop(TimedOut(f"it ran longer than its timeout of {running.timeout:g} s"))
            if running.interrupt is not None:
                running.stop_again()
                if now - running.stopped > STUCK_AFTER:
                    running.stopped = math.inf  # once
                    stuck.append((job, running.interrupt))
        return stuck
