"""The trace span of a send. Does nothing if the program does not use OpenTelemetry."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

from zeke_jobs.core.job import Sent

T = TypeVar("T", Sent, "list[Sent]")
_API = "opentelemetry.trace"
_NOTHING: AbstractContextManager[None] = nullcontext()


def is_on() -> bool:
    """Whether this program has imported OpenTelemetry. Only our module ``trace_export`` imports it on its own."""
    return _API in sys.modules


def sending(task: str) -> AbstractContextManager[object]:
    """A span around a send; the job carries its context."""
    return _sending(task) if is_on() else _NOTHING


@contextmanager
def _sending(task: str) -> Iterator[object]:
    from opentelemetry.trace import SpanKind

    span = tracer().start_as_current_span(f"send {task}", kind=SpanKind.PRODUCER, attributes=attributes("send", task))
    with span as current_span:
        try:
            yield current_span
        except Exception as error:
            current_span.set_attribute("error.type", type(error).__qualname__)
            raise


def sent(result: T) -> T:
    """Record the job's id, or the number of sent jobs, in the span of a send."""
    if is_on():
        from opentelemetry.trace import get_current_span

        if isinstance(result, Sent):
            get_current_span().set_attribute("messaging.message.id", str(result.id))
        else:
            get_current_span().set_attribute("messaging.batch.message_count", len(result))
    return result


def attributes(operation: str, task: str) -> dict[str, Any]:
    """The attributes that each span has, by OpenTelemetry's conventions for messaging. The destination is the task."""
    return {
        "messaging.system": "zeke_jobs",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": task,
        "zeke_jobs.task": task,
    }


def current() -> str | None:
    """The context of the current span as W3C ``traceparent``, or None."""
    if not is_on():
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


def tracer() -> Any:
    """OpenTelemetry's tracer of this package."""
    from opentelemetry import trace

    return trace.get_tracer("zeke_jobs")
