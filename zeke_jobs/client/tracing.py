"""The trace of a send; does nothing if the program does not use OpenTelemetry."""

from __future__ import annotations

import sys
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


_API = "opentelemetry.trace"
_NOTHING: AbstractContextManager[None] = nullcontext()


def is_on() -> bool:
    """Whether this program has imported OpenTelemetry. Of our modules, only ``trace_export`` imports it by itself."""
    return _API in sys.modules


def sending(task: str) -> AbstractContextManager[object]:
    """A span around a send; the job carries its context."""
    return _sending(task) if is_on() else _NOTHING


@contextmanager
def _sending(task: str) -> Iterator[object]:
    from opentelemetry.trace import SpanKind

    with tracer().start_as_current_span(f"send {task}", kind=SpanKind.PRODUCER) as span:
        span.set_attributes(
            {"messaging.system": "zeke_jobs", "messaging.operation.type": "send", "zeke_jobs.task": task}
        )
        yield span


def current() -> str | None:
    """The context of the current span as W3C ``traceparent``, if there is one."""
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
