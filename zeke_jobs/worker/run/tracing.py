"""The trace span of an attempt, a child of the span of its send. There is none if the program does not use OpenTelemetry."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from zeke_jobs.client import tracing
from zeke_jobs.worker.claim.claims import Claim
from zeke_jobs.worker.finish.outcome import Outcome

if TYPE_CHECKING:
    from opentelemetry.trace import Span

_FAILED = {"retry", "failed"}
_SILENT: AbstractContextManager[None] = nullcontext()


def attempt(claim: Claim, traceparent: str | None) -> AbstractContextManager[Span | None]:
    """A span around a handler, a child of the span of the send, which the job carries as ``traceparent``."""
    if not tracing.is_on():
        return _SILENT
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    parent = TraceContextTextMapPropagator().extract({"traceparent": traceparent} if traceparent else {})
    attributes = {
        **tracing.attributes("process", claim.task),
        "messaging.message.id": str(claim.id),
        "zeke_jobs.attempt": claim.attempt + 1,
        "zeke_jobs.revision": claim.revision,
    }
    span: AbstractContextManager[Span] = tracing.tracer().start_as_current_span(
        f"process {claim.task}", context=parent, kind=SpanKind.CONSUMER, attributes=attributes
    )
    return span


def trace_id(span: Span | None) -> dict[str, str]:
    """The trace's id in hexadecimal, as log lines show it; empty when nothing is recorded."""
    return {"trace_id": f"{span.get_span_context().trace_id:032x}"} if span and span.get_span_context().is_valid else {}


def end(span: Span | None, outcome: Outcome) -> None:
    """Record how the attempt ended."""
    if span is None:
        return
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
