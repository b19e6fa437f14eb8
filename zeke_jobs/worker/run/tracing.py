"""The trace span of an attempt, a child of the span of its send. There is none if the program does not use OpenTelemetry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zeke_jobs.client import tracing
from zeke_jobs.worker.claim.claims import JobMessage
from zeke_jobs.worker.finish.outcome import Outcome

if TYPE_CHECKING:
    from opentelemetry.trace import Span

_FAILED = {"retry", "failed"}


@contextmanager
def attempt(message: JobMessage) -> Iterator[dict[str, str]]:
    """A span around an attempt, a child of the span of its send. Yields the trace's id, if any, as log lines show it."""
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
        _record(span, message.outcome)


def _record(span: Span, outcome: Outcome | None) -> None:
    """Record how the attempt ended."""
    from opentelemetry.trace import Status, StatusCode

    how = getattr(outcome, "how", "completed")
    span.set_attribute("zeke_jobs.outcome", how)
    if how in _FAILED:
        error: dict[str, Any] = getattr(outcome, "error", None) or {}
        span.set_attribute("error.type", str(error.get("type")))
        names = {"type": "type", "message": "message", "traceback": "stacktrace"}
        # span.record_exception is not used, because it would include secrets.
        described = {f"exception.{name}": str(error[part]) for part, name in names.items() if part in error}
        span.add_event("exception", described)
        span.set_status(Status(StatusCode.ERROR, str(error.get("message"))))
