"""The span of an attempt, a child of its send's span; none where the program does not use OpenTelemetry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from zeke_jobs.client import tracing
from zeke_jobs.worker.claim.claims import Claim
from zeke_jobs.worker.finish.outcome import Outcome

if TYPE_CHECKING:
    from opentelemetry.trace import Span

_FAILED = {"retry", "failed"}


class _Silent:
    """Replaces a span when tracing is off."""

    trace_id: str | None = None

    def end(self, outcome: Outcome) -> None:
        """Do nothing."""


class Attempt:
    """The span of one attempt; current while the handler runs.

    Attributes:
        trace_id: The trace's id in hexadecimal, as log lines show it; None when nothing is recorded.
    """

    def __init__(self, span: Span) -> None:
        self._span = span
        context = span.get_span_context()
        self.trace_id = f"{context.trace_id:032x}" if context.is_valid else None

    def end(self, outcome: Outcome) -> None:
        """Record how the attempt ended, and end the span."""
        from opentelemetry.trace import Status, StatusCode

        how = getattr(outcome, "how", "completed")
        self._span.set_attribute("zeke_jobs.outcome", how)
        if how in _FAILED:
            error: dict[str, Any] = getattr(outcome, "error", None) or {}
            self._span.set_attribute("error.type", str(error.get("type")))
            names = {"type": "type", "message": "message", "traceback": "stacktrace"}
            # span.record_exception is not used, because it would include secrets.
            described = {f"exception.{name}": str(error[part]) for part, name in names.items() if part in error}
            self._span.add_event("exception", described)
            self._span.set_status(Status(StatusCode.ERROR, str(error.get("message"))))


_SILENT: AbstractContextManager[Attempt | _Silent] = nullcontext(_Silent())


def attempt(claim: Claim, traceparent: str | None) -> AbstractContextManager[Attempt | _Silent]:
    """A span around a handler, a child of the send whose ``traceparent`` the job carries."""
    return _attempt(claim, traceparent) if tracing.is_on() else _SILENT


@contextmanager
def _attempt(claim: Claim, traceparent: str | None) -> Iterator[Attempt]:
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    parent = TraceContextTextMapPropagator().extract({"traceparent": traceparent} if traceparent else {})
    attributes = {
        **tracing.attributes("process", claim.task),
        "messaging.message.id": str(claim.id),
        "zeke_jobs.attempt": claim.attempt + 1,
        "zeke_jobs.revision": claim.revision,
    }
    with tracing.tracer().start_as_current_span(
        f"process {claim.task}", context=parent, kind=SpanKind.CONSUMER, attributes=attributes
    ) as span:
        yield Attempt(span)
