"""Defines the Dramatiq broker, which uses dramatiq-pg's table and messages, and claims jobs by zeke_jobs' rules."""

import sys
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from dramatiq.message import Message
from dramatiq.results import Results
from dramatiq_pg import PostgresBroker

from zeke_jobs.client import drivers, sending
from zeke_jobs.config.handlers import open_middleware
from zeke_jobs.core import environment
from zeke_jobs.core.batch import OneJobOptions
from zeke_jobs.core.logs import refuse
from zeke_jobs.core.quoting import quote, suggest
from zeke_jobs.errors import ConfigurationError, MigrationError
from zeke_jobs.postgres.pool import AddressError
from zeke_jobs.scheduler import beat
from zeke_jobs.worker.claim.consumer import JobConsumer, JobResultBackend
from zeke_jobs.worker.claim.producer import Producer
from zeke_jobs.worker.lifecycle import Lifecycle
from zeke_jobs.worker.process import WorkerProcess
from zeke_jobs.worker.run.payload import INSTEAD
from zeke_jobs.worker.runtime import Runtime

SCHEMA = "zeke_jobs"


class JobBroker(PostgresBroker):  # type: ignore[misc] # dramatiq-pg has no types
    """Is a ``dramatiq_pg.PostgresBroker`` whose jobs are claimed in the database, within limits that hold for all workers.

    The broker opens no connection before its first use. Retries, time limits and results need no middleware of Dramatiq.
    """

    def __init__(self, runtime: Runtime, url: str | None = None) -> None:
        self.runtime = runtime
        self.process = WorkerProcess(runtime, url)
        self.producer = Producer(self.process)
        self.lifecycle = Lifecycle(self.producer)
        super().__init__(pool=self.process.pool, results=False, schema=SCHEMA, prefix="", middleware=[])
        self.add_middleware(self.lifecycle)
        self.add_middleware(self.process.executor)
        # Do not subclass Results: dramatiq warns about return values unless a middleware is of exactly this class.
        self.add_middleware(Results(backend=JobResultBackend(), store_results=True))
        if environment.metrics_address() is not None:
            from zeke_jobs.worker.metrics import WorkerMetrics

            self.add_middleware(WorkerMetrics())
        if environment.lookup(environment.OTEL_ENDPOINT):
            from zeke_jobs.worker.tracing import TraceExport

            self.add_middleware(TraceExport())
        if "sentry_sdk" in sys.modules:
            from zeke_jobs.worker.sentry import SentryEvents

            self.add_middleware(SentryEvents())
        for stanza in runtime.file.middleware:
            self.add_middleware(open_middleware(stanza))

    def emit_before(self, signal: str, *args: Any, **kwargs: Any) -> None:
        """Call middleware as dramatiq does. Before an acknowledgement, errors are only logged, so that the job ends."""
        if signal in ("ack", "nack"):
            self._emit(self.middleware, f"before_{signal}", *args, **kwargs)
        else:
            super().emit_before(signal, *args, **kwargs)

    def emit_after(self, signal: str, *args: Any, **kwargs: Any) -> None:
        """Call middleware as dramatiq does. After a job, only log errors: ``SystemExit`` must not end the thread."""
        if signal in ("process_message", "skip_message", "ack", "nack"):
            self._emit(reversed(self.middleware), f"after_{signal}", *args, **kwargs)
        else:
            super().emit_after(signal, *args, **kwargs)

    def _emit(self, middleware: Iterable[Any], hook: str, *args: Any, **kwargs: Any) -> None:
        for one in middleware:
            try:
                getattr(one, hook)(self, *args, **kwargs)
            except BaseException:  # go on, so that the next middleware and the acknowledgement follow
                self.logger.critical("Unexpected failure in %s of %r.", hook, one, exc_info=True)

    def declare_queue(self, queue_name: str) -> None:
        """Declare a queue without dramatiq's queue for delayed messages, because the column ``run_at`` delays jobs."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues[queue_name] = True
            self.emit_after("declare_queue", queue_name)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30_000) -> JobConsumer:  # noqa: ARG002
        """Return a consumer that gives no messages, because the process's producer claims the jobs of all queues."""
        return JobConsumer(self.producer, timeout)

    def enqueue(self, message: Message, *, delay: int | None = None) -> Message:
        """Send a job through dramatiq's interface. ``delay`` is in milliseconds.

        Raises:
            TypeError: there are positional arguments, or an option unknown to ``zeke_jobs.send`` and all middleware.
            UnknownTask, InvalidPayload, QueueFull: see ``zeke_jobs.send``.
            SystemExit: the message is a scheduler's beat, and the scheduler's checks failed.
        """
        if message.actor_name == beat.NAME:
            try:
                beat.beat(self.process.url, self.lifecycle.boot_scheduler)
            except (AddressError, ConfigurationError, MigrationError) as error:
                refuse(error)  # periodiq would log this error as an unhandled one
            return message
        if message.args:
            raise TypeError(f"expected the payload as keywords, got {len(message.args)} positional arguments")
        delay = message.options.pop("delay", None) if delay is None else delay
        # Options that a middleware declares stay with the message, as in dramatiq. Packages that call
        # ``message_with_options(options=…)``, such as OpenTelemetry's instrumentor, nest their options in ``options``.
        for name in message.options.keys() - _OPTIONS - (self.actor_options - INSTEAD.keys()) - {"options"}:
            instead = INSTEAD.get(name) or suggest(name, sorted(_OPTIONS), what="options")
            raise TypeError(f"expected an option of send or of a middleware, got {quote(name)}; {instead}")
        options: dict[str, Any] = {name: value for name, value in message.options.items() if name in _OPTIONS}
        self.emit_before("enqueue", message, delay)
        carried = {name: value for name, value in message.options.items() if name not in options}
        options |= {"id": message.message_id, "delay": None if delay is None else timedelta(milliseconds=delay)}
        drivers.perform(None, sending.one, message.actor_name, message.kwargs, options, carried)
        self.emit_after("enqueue", message, delay)
        return message

    def close(self) -> None:
        """Close the idle connections."""
        self.process.pool.close()


_OPTIONS = OneJobOptions.__annotations__.keys() - {"id", "delay", "parent", "scheduled_for"}
