"""Options that Dramatiq's middleware adds to a message before the send, for the middleware of the worker that gets it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_carried: ContextVar[Mapping[str, Any] | None] = ContextVar("carried", default=None)


@contextmanager
def carrying(options: Mapping[str, Any]) -> Iterator[None]:
    """Add these options to the messages of jobs that are sent in this context."""
    token = _carried.set(options or None)
    try:
        yield
    finally:
        _carried.reset(token)


def current() -> dict[str, Any]:
    """These options in the form of one option of a send; empty if there are none."""
    carried = _carried.get()
    return {} if carried is None else {"carried": dict(carried)}
