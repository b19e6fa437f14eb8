"""OpenTelemetry traces from a send over its handler to the jobs that this sends; nothing where OpenTelemetry is not used."""

from __future__ import annotations

import sys
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from opentelemetry.trace import Span

    from zeke_jobs.worker.claim.claims import Claim
    from zeke_jobs.worker.finish.outcome import Outcome

_API = "opentelemetry.trace"
_NOTHING: AbstractContextManager[None] = nullcontext()
_FAILED = {"retry", "failed"}


def is_on() -> bool:
    """Whether this program uses OpenTelemetry: it has imported it. Ours does for its sake only in ``trace_export``."""
    return _API in sys.modules


def sending(task: str) -> AbstractContextManager[object]:
    """A span around a send: its context is what the job carries."""
    return _sending(task) if is_on() else _NOTHING


@contextmanager
def _sending(task: str) -> Iterator[object]:
    from opentelemetry.trace import SpanKind

    with _tracer().start_as_current_span(f"send {task}", kind=SpanKind.PRODUCER) as span:
        span.set_attributes(
            {"messaging.system": "zeke_jobs", "messaging.operation.type": "send", "zeke_jobs.task": task}
        )
        yield span


def current() -> str | None:
    """The context of the current span as W3C ``traceparent``, where there is one."""
    if not is_on():
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


class _Silent:
    """Stands for a span where there is none."""

    trace_id: str | None = None

    def end(self, outcome: Outcome) -> None:
        """Nothing is told."""


class Attempt:
    """The span of one attempt; current while the handler runs.

    Attributes:
        trace_id: The trace that it is part of, in hexadecimal, as its log lines name it; None where nothing is recorded.
    """

    def __init__(self, span: Span) -> None:
        self._span = span
        context = span.get_span_context()
        self.trace_id = f"{context.trace_id:032x}" if context.is_valid else None

    def end(self, outcome: Outcome) -> None:
        """Say how the attempt ended."""
        from opentelemetry.trace import Status, StatusCode

        how = getattr(outcome, "how", "completed")
        self._span.set_attribute("zeke_jobs.outcome", how)
        if how in _FAILED:
            error: dict[str, Any] = getattr(outcome, "error", None) or {}
            self._span.set_attribute("error.type", str(error.get("type")))
            self._span.set_status(Status(StatusCode.ERROR, str(error.get("message"))))


_SILENT: AbstractContextManager[Attempt | _Silent] = nullcontext(_Silent())


def attempt(claim: Claim, traceparent: str | None) -> AbstractContextManager[Attempt | _Silent]:
    """A span around a handler, a child of the send whose ``traceparent`` the job carries."""
    return _attempt(claim, traceparent) if is_on() else _SILENT


@contextmanager
def _attempt(claim: Claim, traceparent: str | None) -> Iterator[Attempt]:
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    parent = TraceContextTextMapPropagator().extract({"traceparent": traceparent} if traceparent else {})
    attributes = {
        "messaging.system": "zeke_jobs",
        "messaging.operation.type": "process",
        "messaging.message.id": str(claim.id),
        "zeke_jobs.task": claim.task,
        "zeke_jobs.attempt": claim.attempt + 1,
        "zeke_jobs.revision": claim.revision,
    }
    with _tracer().start_as_current_span(
        f"process {claim.task}", context=parent, kind=SpanKind.CONSUMER, attributes=attributes
    ) as span:
        yield Attempt(span)


def _tracer() -> Any:
    from opentelemetry import trace

    return trace.get_tracer("zeke_jobs")
