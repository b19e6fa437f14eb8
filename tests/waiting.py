"""Waits for what other threads and processes bring about."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def eventually(condition: Callable[[], Any], seconds: float = 30.0, what: str = "it") -> Any:
    """Ask until the answer is true, and return it."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.01)
    return value
