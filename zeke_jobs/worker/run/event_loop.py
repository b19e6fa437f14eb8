"""Runs the asyncio event loop of a worker process in one thread. Async handlers run on the loop concurrently."""

import asyncio
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import partial
from itertools import dropwhile
from typing import Any, NoReturn, TypeVar

from dramatiq.middleware import SkipMessage

from zeke_jobs.client.async_drivers import AsyncPool
from zeke_jobs.core import environment
from zeke_jobs.core.logs import get_logger
from zeke_jobs.core.redaction import redact
from zeke_jobs.worker.claim.claims import Claim, JobMessage

HELPERS = 4  # threads for calls that may block, around async handlers: middleware, and statements on psycopg2
_BLOCKED = 1.0  # seconds without an answer after which the loop counts as blocked
_BELOW = (asyncio.__path__[0], threading.__file__, __file__)  # files whose frames are below a handler's frames
_TO_STOP = 1.0
_LOOK = 0.01

T = TypeVar("T")
Call = tuple[Claim, Callable[[], Any]]  # an async handler's call for a job, which the event loop awaits


class EventLoop:
    """Starts the event loop at the first use. Any thread may call the methods, unless a docstring says otherwise."""

    def __init__(self) -> None:
        self.helpers = ThreadPoolExecutor(HELPERS, "beside the event loop")  # for calls that may block
        self.is_blocked = False  # a handler has blocked the loop for a second
        self._loop: asyncio.AbstractEventLoop | None = None
        self.thread = threading.Thread(target=self._run, name="event loop", daemon=True)
        self._lock = threading.RLock()
        self._closing = False
        self._calls: dict[asyncio.Task[Any], Claim] = {}
        self._pool: AsyncPool | None = None
        self._asked: float | None = None  # when the loop was asked for an answer
        self._log = get_logger("zeke_jobs.event_loop")

    def get(self) -> asyncio.AbstractEventLoop:
        """Return the running loop, and start it if necessary."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self.thread.start()
            return self._loop

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Run a coroutine on the loop, and wait for its result in this thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.get()).result(timeout)

    async def drive(self, steps: Generator[Call, Any, T]) -> tuple[T | None, BaseException | None]:
        """Run an attempt's steps in helper threads, and its handler on the loop. Returns the attempt's value or exception."""
        loop = asyncio.get_running_loop()
        context = copy_context()  # all steps share this context, so that the handler sees what a middleware sets
        advance: list[Callable[[], Call]] = [partial(next, steps)]
        while True:
            call, value, error = await loop.run_in_executor(self.helpers, context.run, _step, advance)
            if call is None:
                return value, error
            claim, begin = call
            task = loop.create_task(_awaited(begin), context=context)
            self._calls[task] = claim
            assert claim.running is not None
            claim.running.attach(partial(loop.call_soon_threadsafe, task.cancel))
            await asyncio.wait([task])
            del self._calls[task]
            # An asyncio task that was cancelled before its first step never ran, so it returned nothing.
            result, error = (None, asyncio.CancelledError()) if task.cancelled() else task.result()
            advance.append(partial(steps.send, result) if error is None else partial(steps.throw, error))
            del task, result, error  # the traceback includes this frame, which must not keep the exception in memory

    def beside(self, function: Callable[..., T], *args: Any, **options: Any) -> asyncio.Future[T]:
        """Call a blocking function in a helper thread, with the caller's context variables. Call this method only on the loop."""
        call = partial(copy_context().run, function, *args, **options)
        return asyncio.get_running_loop().run_in_executor(self.helpers, call)

    def connections(self, url: str | None) -> AsyncPool:
        """Return the psycopg 3 pool for transactions on the loop. Call this method only on the loop."""
        if self._pool is None:
            self._pool = AsyncPool(url or environment.database_url(), application_name="zeke-jobs handler")
        return self._pool

    def watch(self) -> tuple[Claim | None, str] | None:
        """If the loop has been blocked for a second, return the blocking job (or None) and its stack, but only once."""
        if self._loop is None:
            return None
        now = time.monotonic()
        if self._asked is None and self._calls:
            self._asked = now
            self._loop.call_soon_threadsafe(self._answer)
        elif self._asked is not None and not self.is_blocked and now - self._asked >= _BLOCKED:
            self.is_blocked = True
            frame = sys._current_frames().get(self.thread.ident or 0)  # noqa: SLF001 (documented for debuggers, which this is)
            frames = dropwhile(lambda one: one.filename.startswith(_BELOW), traceback.extract_stack(frame))
            stack = redact("".join(traceback.format_list(list(frames))))
            task = asyncio.current_task(self._loop)
            return self._calls.get(task) if task else None, stack
        return None

    def _answer(self) -> None:
        if self.is_blocked and self._asked is not None:
            self._log.warning("the event loop goes on", seconds=round(time.monotonic() - self._asked, 1))
        self._asked, self.is_blocked = None, False

    def drain(self) -> None:
        """Wait a moment, so that interrupted handlers can clean up."""
        end = time.monotonic() + _TO_STOP
        while self._calls and not self.is_blocked and time.monotonic() < end:
            time.sleep(_LOOK)

    def close(self) -> None:
        """Stop the loop. Handlers that still run are abandoned."""
        with self._lock:
            if self._loop is not None and not self._closing:
                if self._pool is not None and not self.is_blocked:
                    self.run(self._pool.close(), _TO_STOP)
                self._closing = True
                self._loop.call_soon_threadsafe(self._loop.stop)
                self.thread.join(_TO_STOP)
        self.helpers.shutdown(wait=False)

    def _run(self) -> None:
        assert self._loop is not None
        while not self._closing:
            try:
                self._loop.run_forever()
            except (KeyboardInterrupt, SystemExit):  # a task that a handler made raised this
                self._log.exception("a task ended the event loop; it goes on")
        self._loop.close()


class Coroutines:
    """Has the interface of dramatiq's worker threads, so that a stopping dramatiq worker also waits for async jobs."""

    def __init__(self, worker: Any, steps: Callable[[JobMessage], Generator[Call, Any, Any]], loop: EventLoop) -> None:
        self.paused_event = threading.Event()
        self.paused_event.set()
        self._worker = worker
        self._of_executor = steps
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
        """Do the same as dramatiq's ``process_message``, in steps that ``drive`` runs."""
        broker = self._worker.broker
        try:
            broker.emit_before("process_message", message)
            result = None if message.failed else (yield from self._of_executor(message))
            broker.emit_after("process_message", message, result=result)
        except SkipMessage as skip:
            if message.failed:
                message.stuff_exception(skip)
            broker.emit_after("skip_message", message)
        except BaseException as error:  # noqa: BLE001 (the error is recorded as the job's outcome)
            message.stuff_exception(error)
            broker.emit_after("process_message", message, exception=error)
        finally:
            self._worker.consumers[message.queue_name].post_process_message(message)
            message.clear_exception()


def _step(advance: list[Callable[[], Call]]) -> tuple[Call | None, Any, BaseException | None]:
    try:
        return advance.pop()(), None, None  # popped, because the traceback's frames keep the arguments in memory
    except StopIteration as end:
        return None, end.value, None
    except BaseException as error:  # noqa: BLE001 (the caller raises the error, or makes it an outcome)
        return None, None, error


async def _awaited(begin: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    pid = os.getpid()
    try:
        return await begin(), None
    except BaseException as error:  # noqa: BLE001 (the steps get the error; a SystemExit would end the loop)
        return None, error
    finally:
        if os.getpid() != pid:
            end_child(sys.exception())


def end_child(error: BaseException | None) -> NoReturn:
    """End a child process that a handler forked, because the child would use the worker's connections."""
    code = error.code if isinstance(error, SystemExit) else error and 1
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)
