"""Counts the attempts of a worker process by outcome, both in Dramatiq's metrics and in those of zeke_jobs."""

import time
from typing import Any

from dramatiq.middleware import prometheus

from zeke_jobs.core import environment
from zeke_jobs.core.logs import refuse
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.metrics import exposition
from zeke_jobs.metrics.exposition import ATTEMPT_SECONDS, ATTEMPTS, THREADS_LOST
from zeke_jobs.worker.claim.claims import JobMessage, Stage
from zeke_jobs.worker.finish.outcome import SETTLED

_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)


class WorkerMetrics(prometheus.Prometheus):  # type: ignore[misc] # dramatiq has no types
    """Extends Dramatiq's Prometheus middleware: counts attempts by outcome, so that a deferral does not count as an error."""

    @property
    def forks(self) -> list[Any]:
        """Return the function that serves the metrics of all worker processes. Dramatiq runs it in an extra process."""
        return [exposition.run]

    def after_process_boot(self, broker: Any) -> None:
        """Create the metrics in files, from which another process serves them. Exits with status 2 if this fails."""
        try:
            prometheus.DB_PATH = str(exposition.prepare())
        except OSError as error:  # dramatiq would log this error once, and again for each job that it cannot count
            help_ = f"help: unset {environment.METRICS}"
            refuse(ConfigurationError(f"expected a folder for metrics, got: {error}\n  {help_}"))
        super().after_process_boot(broker)
        import prometheus_client as prom

        self._process = broker.process
        registry = prom.CollectorRegistry()
        self._attempts = prom.Counter(ATTEMPTS.name, ATTEMPTS.help, ATTEMPTS.labels, registry=registry)
        self._seconds = prom.Histogram(
            ATTEMPT_SECONDS.name, ATTEMPT_SECONDS.help, ATTEMPT_SECONDS.labels, registry=registry, buckets=_BUCKETS
        )
        self._lost = prom.Gauge(THREADS_LOST.name, THREADS_LOST.help, registry=registry, multiprocess_mode="livesum")

    def after_process_message(
        self, broker: Any, message: JobMessage, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """Count an attempt by its outcome."""
        outcome, labels = _outcome_of(message), (message.queue_name, message.actor_name)
        reported = (exception or RuntimeError("failed")) if outcome in ("retry", "failed") else None
        super().after_process_message(broker, message, result=result, exception=reported)
        if outcome == "retry":
            self.total_retried_messages.labels(*labels).inc()
        task = (message.actor_name, message.queue_name)
        for one in message.members:
            self._attempts.labels(*task, _outcome_of(one)).inc()
        if message.claim.started is not None:
            self._seconds.labels(*task).observe(time.monotonic() - message.claim.started)
        self._lost.set(self._process.held.lost)

    after_skip_message = after_process_message


def _outcome_of(message: JobMessage) -> str:
    if message.outcome is not None and message.outcome is not SETTLED:
        return message.outcome.how
    # SETTLED means that ctx.complete completed the job, or that the job left this process before its handler began.
    return "returned" if message.claim.started is None or message.claim.stage is Stage.GIVEN_UP else "completed"
