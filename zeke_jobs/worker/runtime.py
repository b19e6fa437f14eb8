"""Keeps the configuration that a worker process uses, the handlers of its tasks, and the services that handlers use."""

import asyncio
import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from zeke_jobs.config import handlers
from zeke_jobs.config.handlers import Handler
from zeke_jobs.config.models import Config, Retry, Service, Task
from zeke_jobs.core.logs import get_logger
from zeke_jobs.worker.claim.claims import Claim
from zeke_jobs.worker.run.event_loop import EventLoop

_TO_CLOSE = 5.0  # seconds for a service's async close()


@dataclass(frozen=True, slots=True)
class RunnableTask:
    """Holds a task, its handler, and its settings as an object of the handler's settings model."""

    task: Task
    handler: Handler
    settings: BaseModel | None


def _freed(task: Task, config: Config) -> frozenset[str]:
    """Return the limits in which the end of a job of this task may make room: all but rates, where only time does."""
    used = {name: config.limits[name] for name in task.uses}
    counted = {
        f"limit/{name}" for name, one in used.items() if one.concurrency or one.units or one.budget or one.breaker
    }
    if task.concurrency.limit or task.per_key or task.budget:
        counted.add(f"task/{task.id}")
    return frozenset(counted)


class Runtime:
    """Keeps the configuration that this process uses. Each job reads the configuration again, so changes apply at once."""

    def __init__(self, config: Config) -> None:
        self.file = config  # the configuration in the file of this process
        self.file_revision: int | None = None  # the revision with the text of that file, or None
        self.revision = 0  # the revision in force; 0 until the process has read it from the database
        self.loop = EventLoop()  # runs async handlers and services
        self._services: dict[str, tuple[Any, Any, bool]] = {}  # by name: stanza, object, and whether open() is async
        self._opening: dict[str, threading.RLock] = {}
        self._opening_on_loop: dict[str, asyncio.Lock] = {}
        self._lock = threading.Lock()  # held only briefly, never while code of a service or a handler runs
        self.use(config, 0)

    def use(self, config: Config, revision: int) -> None:
        """Use another configuration from the next job on. A service whose settings have changed is opened again.

        Raises ConfigurationError if ``config`` does not fit the process's code. The process then keeps the old one.
        """
        tasks = {
            name: RunnableTask(task, handler := handlers.resolve(task), handler.settings(task))
            for name, task in config.tasks.items()
        }
        with self._lock:
            self.config = config
            self.revision = revision
            self.tasks = tasks
            #: The ids of the tasks with async handlers (True), of the other tasks (False), and of all tasks (None).
            self.ids: dict[bool | None, list[str]] = {
                kind: [name for name, one in tasks.items() if kind in (None, one.handler.is_async)]
                for kind in (None, False, True)
            }
            self.frees = {task.id: _freed(task, config) for task in config.tasks.values()}

    def policy(self, claim: Claim) -> Retry:
        """Return a job's retry policy: the values set when it was sent, then its task's, then the defaults."""
        runnable, sent = self.tasks.get(claim.task), claim.retry
        policy = runnable.task.retry if runnable else Retry()
        if not sent:
            return policy
        parts = {part: int(n) if part == "limit" else timedelta(seconds=n) for part, n in sent.items()}
        return policy.model_copy(update=parts)

    def service(self, name: str) -> Any:
        """Return a service's object. Opens the service if it is new or changed. Raises KeyError for an unknown name."""
        stanza = self._stanza(name)
        with self._lock:
            opening = self._opening.setdefault(name, threading.RLock())
        with opening:  # each service has one lock, so that only threads that need this service wait
            opened = self._services.get(name)
            if opened is None or opened[0] != stanza or opened[2]:
                settings: Any = handlers.service_settings(stanza)
                if inspect.iscoroutinefunction(settings.open):
                    raise TypeError(f"expected `await ctx.aservice({name!r})` in an async handler: its open() is async")
                # Do not close the service's old object, because a handler may still use the object. Python frees an
                # unused object.
                self._services[name] = opened = (stanza, settings.open(), False)
            return opened[1]

    async def aservice(self, name: str) -> Any:
        """Return a service's object to an async handler. Unlike ``service``, this can also call an async ``open()``."""
        async with self._opening_on_loop.setdefault(name, asyncio.Lock()):
            stanza = self._stanza(name)
            opened = self._services.get(name)
            if opened is None or opened[0] != stanza:
                settings: Any = handlers.service_settings(stanza)
                if not inspect.iscoroutinefunction(settings.open):
                    return await self.loop.beside(self.service, name)
                self._services[name] = opened = (stanza, await settings.open(), True)
            return opened[1]

    def _stanza(self, name: str) -> Service:
        stanza = self.config.services.get(name)
        if stanza is None:
            known = ", ".join(self.config.services) or "none"
            raise KeyError(f"expected one of the services of jobs.yaml ({known}), got {name!r}")
        return stanza

    def close(self) -> None:
        """Close the services that have a ``close``, and the event loop."""
        self.loop.drain()
        with self._lock:
            opened, self._services = self._services, {}
        for name, (_, service, is_async) in opened.items():
            close = getattr(service, "close", None) or getattr(service, "aclose", None)
            if close is None:
                continue
            try:
                if is_async or inspect.iscoroutinefunction(close):
                    self.loop.run(_finish(close), _TO_CLOSE)
                else:
                    close()
            except Exception:  # noqa: BLE001 (the service ends with the process; others must be closed too)
                get_logger(__name__).exception("a service could not be closed", service=name)
        self.loop.close()


async def _finish(close: Callable[[], object]) -> None:
    if inspect.isawaitable(closing := close()):
        await closing
