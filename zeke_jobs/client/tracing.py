"""Makes the OpenTelemetry span of ``send``. If the program has not imported OpenTelemetry, this module does nothing."""

import sys
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, TypeAlias, TypeVar

from zeke_jobs.client.plans import Database, P
from zeke_jobs.core.job import Sent

T = TypeVar("T", Sent, "list[Sent]")
Sending: TypeAlias = Callable[Concatenate[Database, str, P], Coroutine[Any, Any, T]]


def is_on() -> bool:
    """Return whether this program has imported OpenTelemetry. In zeke_jobs, only ``trace_export`` imports it."""
    return "opentelemetry.trace" in sys.modules


def in_span(plan: Sending[P, T]) -> Sending[P, T]:
    """Wrap a function that sends jobs, so that each call has a span. The job carries the context of this span."""

    def run(database: Database, task: str, /, *args: P.args, **options: P.kwargs) -> Coroutine[Any, Any, T]:
        send = plan(database, task, *args, **options)
        return _in_span(task, send) if is_on() else send

    return run


async def _in_span(task: str, send: Coroutine[Any, Any, T]) -> T:
    from opentelemetry.trace import SpanKind

    of_send = attributes("send", task)
    with tracer().start_as_current_span(f"send {task}", kind=SpanKind.PRODUCER, attributes=of_send) as span:
        try:
            sent = await send
        except Exception as error:
            span.set_attribute("error.type", type(error).__qualname__)
            raise
        if isinstance(sent, Sent):
            span.set_attribute("messaging.message.id", str(sent.id))
        else:
            span.set_attribute("messaging.batch.message_count", len(sent))
        return sent


def attributes(operation: str, task: str) -> dict[str, Any]:
    """Return a span's attributes, named by OpenTelemetry's conventions for messaging. The task is the destination."""
    return {
        "messaging.system": "zeke_jobs",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": task,
        "zeke_jobs.task": task,
    }


def current() -> str | None:
    """Return the context of the current span as W3C ``traceparent``, or None."""
    if not is_on():
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


def tracer() -> Any:
    """Return the OpenTelemetry tracer for this package."""
    from opentelemetry import trace

    return trace.get_tracer("zeke_jobs")
