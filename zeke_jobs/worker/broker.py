"""The broker: dramatiq-pg's table and message, our own claims."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dramatiq_pg import PostgresBroker

from zeke_jobs import client
from zeke_jobs.core import environment
from zeke_jobs.core.refusal import refuse
from zeke_jobs.errors import ConfigurationError, MigrationError
from zeke_jobs.postgres.pool import AddressError
from zeke_jobs.scheduler import beat
from zeke_jobs.worker.claim.consumer import JobConsumer
from zeke_jobs.worker.lifecycle import Lifecycle
from zeke_jobs.worker.process import WorkerProcess
from zeke_jobs.worker.results import JobResults

if TYPE_CHECKING:
    from dramatiq.message import Message

    from zeke_jobs.worker.runtime import Runtime

SCHEMA = "zeke_jobs"


class JobBroker(PostgresBroker):  # type: ignore[misc] # dramatiq-pg has no types
    """A ``dramatiq_pg.PostgresBroker`` whose consumer claims in the database, within limits that hold over all machines.

    It opens no connection before it is used. Dramatiq's own middleware is left out: retries, time limits and results are ours.
    """

    def __init__(self, runtime: Runtime, url: str | None = None) -> None:
        self.runtime = runtime
        self.process = WorkerProcess(runtime, url)
        self.lifecycle = Lifecycle(self.process)
        super().__init__(pool=self.process.pool, results=False, schema=SCHEMA, prefix="", middleware=[])
        for middleware in (self.lifecycle, self.process.executor, JobResults()):
            self.add_middleware(middleware)
        if environment.metrics_address() is not None:
            from zeke_jobs.worker.metrics import WorkerMetrics

            self.add_middleware(WorkerMetrics())
        if environment.traces_endpoint() is not None:
            from zeke_jobs.worker.trace_export import TraceExport

            self.add_middleware(TraceExport())

    def declare_queue(self, queue_name: str) -> None:
        """Declare a queue, without the delay queue that dramatiq has beside it: ``run_at`` is a column."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues[queue_name] = True
            self.emit_after("declare_queue", queue_name)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30_000) -> JobConsumer:  # noqa: ARG002
        """The consumer of a queue. How much it claims ahead is not dramatiq's to say."""
        return JobConsumer(self.process, queue_name)

    def enqueue(self, message: Message, *, delay: int | None = None) -> Message:
        """Send a job the dramatiq way; ``delay`` is in milliseconds.

        Raises:
            TypeError: positional arguments, or an option that ``zeke_jobs.send`` does not take.
            UnknownTask, InvalidPayload, QueueFull: as ``zeke_jobs.send``.
            SystemExit: a scheduler's first beat found that it must not start.
        """
        if message.actor_name == beat.NAME:
            try:
                beat.beat(self.process.url, self.lifecycle.boot_scheduler)
            except (AddressError, ConfigurationError, MigrationError) as error:
                refuse(error)  # periodiq would call it an unhandled error
            return message
        if message.args:
            raise TypeError(f"expected the payload as keywords, got {len(message.args)} positional arguments")
        self.emit_before("enqueue", message, delay)
        client.send(
            message.actor_name,
            message.kwargs,
            id=message.message_id,
            delay=None if delay is None else timedelta(milliseconds=delay),
            **_options(message.options),
        )
        self.emit_after("enqueue", message, delay)
        return message

    def close(self) -> None:
        """Close the idle connections."""
        self.process.pool.close()


_OPTIONS = {"run_at", "priority", "key", "unique", "expires", "idempotency_key"}


def _options(options: dict[str, Any]) -> dict[str, Any]:
    if unknown := options.keys() - _OPTIONS:
        raise TypeError(f"expected options among {', '.join(sorted(_OPTIONS))}, got {', '.join(sorted(unknown))}")
    return options
