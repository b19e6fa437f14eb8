"""Tests use this module to wait for the work of other threads and processes."""

import time
from collections.abc import Callable
from typing import Any


def eventually(
    condition: Callable[[], Any], seconds: float = 30.0, what: str | Callable[[], str] = "it", *, every: float = 0.01
) -> Any:
    """Call the condition until it is true, and return its value. If the time runs out, the error shows ``what``."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {seconds} s: {what() if callable(what) else what}"
        time.sleep(every)
    return value
