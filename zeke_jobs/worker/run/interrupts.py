"""Interrupts a running handler after its timeout, a cancellation, or the loss of its job to another process."""

import math
import threading
import time
from collections.abc import Callable
from ctypes import c_ulong, py_object, pythonapi
from typing import Self

from dramatiq.middleware.time_limit import TimeLimitExceeded

from zeke_jobs.core.logs import get_logger


class Interrupt(BaseException):
    """Ends a handler. ``except Exception`` does not catch an interrupt. Async code gets CancelledError."""


class TimedOut(Interrupt, TimeLimitExceeded):  # type: ignore[misc] # dramatiq has no types
    """The handler ran longer than its ``timeout``. A handler may catch dramatiq's TimeLimitExceeded, to clean up."""


class Cancelled(Interrupt):
    """Somebody cancelled the job."""


class Lost(Interrupt):
    """This process no longer holds the job."""


STUCK_AFTER = 30.0  # seconds that a handler may take to end after an interrupt


class Running:
    """Describes a running handler, in a thread or on the event loop. It is a context manager around the handler's call.

    If the handler was interrupted, the block raises ``interrupt``. Another thread calls ``stoppers`` to end a wait that
    Python cannot interrupt, such as a query or a read of a socket.
    """

    def __init__(self, timeout: float, *, is_async: bool = False) -> None:
        self.thread = None if is_async else threading.get_ident()
        self._cancel: Callable[[str], object] | None = None
        self.timeout = timeout
        self.deadline = time.monotonic() + timeout
        self.stoppers: list[Callable[[], object]] = []
        self.interrupt: Interrupt | None = None
        self._stuck_on = math.inf
        self._lock = threading.Lock()
        self._active = True

    def stop(self, interrupt: Interrupt) -> None:
        """Raise ``interrupt`` in the handler, unless the handler has ended or is already being stopped."""
        with self._lock:
            if not self._active or self.interrupt is not None:
                return
            self.interrupt = interrupt
            self._stuck_on = time.monotonic() + STUCK_AFTER
            if self.thread is not None:
                # CPython takes only the exception's class. ``__exit__`` raises the exception itself, with its text.
                pythonapi.PyThreadState_SetAsyncExc(c_ulong(self.thread), py_object(type(interrupt)))
            elif self._cancel is not None:
                self._cancel(str(interrupt))
            self._call_stoppers()

    def attach(self, cancel: Callable[[str], object]) -> None:
        """Set the function ``cancel``, which any thread may call once to stop a handler on the event loop."""
        with self._lock:
            self._cancel = cancel
            if self.interrupt is not None:
                cancel(str(self.interrupt))

    def tick(self) -> bool:
        """Stop the handler if its timeout is over. Returns True once, if it still runs 30 s after an interrupt."""
        now = time.monotonic()
        if self.deadline <= now:
            self.stop(TimedOut(f"it ran longer than its timeout of {self.timeout:g} s"))
        with self._lock:
            if not self._active or self.interrupt is None:
                return False
            self._call_stoppers()  # the first cancel may have been too early for the server's query
            is_stuck = now > self._stuck_on
            self._stuck_on = math.inf if is_stuck else self._stuck_on
            return is_stuck

    def _call_stoppers(self) -> None:
        for stopper in list(self.stoppers):
            try:
                stopper()
            except Exception:  # noqa: BLE001 (the target of the stopper may have ended; the calling thread must go on)
                get_logger(__name__).debug("a stopper failed", exc_info=True)

    def forget(self, *stoppers: Callable[[], object]) -> None:
        """Remove ``stoppers``, because their targets have ended or will be used by another job."""
        with self._lock:
            self.stoppers[:] = [one for one in self.stoppers if one not in stoppers]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        self._end()
        # A cancelled query or asyncio task, or a closed socket, may have raised an exception other than the interrupt.
        if error is not None and self.interrupt is not None:
            interrupt = self.interrupt.with_traceback(error.__traceback__)  # shows the place in the handler
            raise interrupt from (None if isinstance(error, Interrupt) else error)

    def _end(self) -> None:
        """Make sure that from now on no interrupt is raised in this thread."""
        while True:
            try:
                with self._lock:
                    self._active, self._cancel = False, None
                # Run some bytecode, so that a pending interrupt is raised here. Do not clear the interrupt instead:
                # up to Python 3.12, clearing it makes a thread under a debugger hang for ever.
                for _ in range(2 if self.interrupt is not None else 0):
                    pass
            except Interrupt:
                continue  # a pending exception was raised just now
            return
