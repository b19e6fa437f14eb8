"""Makes a trace span for each attempt, as a child of the sender's span. Exports traces if a collector is configured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dramatiq.middleware import Middleware

from zeke_jobs.client import tracing
from zeke_jobs.core import environment
from zeke_jobs.core.logs import refuse
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.worker.claim.claims import JobMessage
from zeke_jobs.worker.finish.outcome import DONE, RETURNED, Outcome

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span


@contextmanager
def attempt(message: JobMessage) -> Iterator[dict[str, str]]:
    """Make a span around an attempt, as a child of the sender's span. Yields log fields: ``trace_id`` or none."""
    if not tracing.is_on():
        yield {}
        return
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    claim, sender = message.claim, message.traceparent
    attributes = {
        **tracing.attributes("process", claim.task),
        "messaging.message.id": str(claim.id),
        "zeke_jobs.attempt": claim.attempt + 1,
        "zeke_jobs.revision": claim.revision,
    }
    with tracing.tracer().start_as_current_span(
        f"process {claim.task}",
        context=TraceContextTextMapPropagator().extract({"traceparent": sender} if sender else {}),
        kind=SpanKind.CONSUMER,
        attributes=attributes,
    ) as span:
        context = span.get_span_context()
        yield {"trace_id": f"{context.trace_id:032x}"} if context.is_valid else {}
        _record(span, message.outcome or RETURNED)


def _record(span: Span, outcome: Outcome) -> None:
    """Add the outcome of the attempt to its span."""
    from opentelemetry.trace import Status, StatusCode

    how = "completed" if outcome.how in DONE else outcome.how
    span.set_attribute("zeke_jobs.outcome", how)
    if how in ("retry", "failed"):
        error: dict[str, Any] = outcome.error or {}
        span.set_attribute("error.type", str(error.get("type")))
        names = {"type": "type", "message": "message", "traceback": "stacktrace"}
        # Do not use span.record_exception, because the recorded text could contain secrets.
        described = {f"exception.{name}": str(error[part]) for part, name in names.items() if part in error}
        span.add_event("exception", described)
        span.set_status(Status(StatusCode.ERROR, str(error.get("message"))))


class TraceExport(Middleware):  # type: ignore[misc] # dramatiq has no types
    """Sets up OpenTelemetry when a worker boots, and sends the last spans when the worker stops."""

    def __init__(self) -> None:
        self._provider: TracerProvider | None = None

    def before_worker_boot(self, _broker: Any, _worker: Any) -> None:
        """Start the export after the fork, which its thread would not survive. Exits with 2 if the SDK is missing."""
        try:
            self._provider = start()
        except ConfigurationError as error:
            refuse(error)

    def after_worker_shutdown(self, _broker: Any, _worker: Any) -> None:
        """Send the last spans."""
        if self._provider is not None:
            self._provider.shutdown()


def start() -> TracerProvider | None:
    """Send this process's traces to ``OTEL_EXPORTER_OTLP_ENDPOINT``, unless the program has set up OpenTelemetry itself."""
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        expected = f"OpenTelemetry's SDK, since {environment.OTEL_ENDPOINT} is set"
        raise environment.missing(expected, "zeke-jobs[otel]", error=error) from error
    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return None
    # Resource.create adds the attributes of OTEL_RESOURCE_ATTRIBUTES.
    service = environment.lookup("OTEL_SERVICE_NAME") or "zeke-jobs"
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider
