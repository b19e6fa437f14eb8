"""Sends a worker process's traces to the collector that the environment names, if any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dramatiq.middleware import Middleware

from zeke_jobs.core import environment
from zeke_jobs.core.environment import missing
from zeke_jobs.core.logs import refuse
from zeke_jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider


class TraceExport(Middleware):  # type: ignore[misc] # dramatiq has no types
    """Sets OpenTelemetry up when a worker boots, and sends the last spans when it stops."""

    def __init__(self) -> None:
        self._provider: TracerProvider | None = None

    def before_worker_boot(self, _broker: Any, _worker: Any) -> None:
        """Start after the fork, because the exporter has a thread. Ends the process with status 2 when the SDK is missing."""
        try:
            self._provider = start()
        except ConfigurationError as error:
            refuse(error)

    def after_worker_shutdown(self, _broker: Any, _worker: Any) -> None:
        """Send the last spans."""
        if self._provider is not None:
            self._provider.shutdown()


def start() -> TracerProvider | None:
    """Send this process's traces to the address in the standard variable ``OTEL_EXPORTER_OTLP_ENDPOINT``.

    Does nothing when the program has set up OpenTelemetry itself, as ``opentelemetry-instrument`` does.
    """
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        expected = f"OpenTelemetry's SDK, since {environment.OTEL_ENDPOINT} is set"
        raise missing(expected, "zeke-jobs[otel]", error=error) from error
    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return None
    # Resource.create adds the attributes of OTEL_RESOURCE_ATTRIBUTES.
    service = environment.lookup("OTEL_SERVICE_NAME") or "zeke-jobs"
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider
