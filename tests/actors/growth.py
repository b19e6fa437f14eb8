"""Measures how the CPU time of a function grows with the size of its input, in this thread."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LINEAR = 8
"""Work on four times as much takes four times as long where it is linear, and sixteen times where it is quadratic."""


def growth(make: Callable[[int], T], work: Callable[[T], object], size: int) -> float:
    """How many times longer ``work`` takes on four times ``size``."""
    small, large = make(size), make(4 * size)

    def ratio() -> float:
        return min(_seconds(work, large) for _ in range(3)) / min(_seconds(work, small) for _ in range(5))

    # Again only after a high one: work beside the test can push its data out of the processor's cache.
    first = ratio()
    return first if first < LINEAR else min(first, ratio(), ratio())


def _seconds(work: Callable[[T], object], material: T) -> float:
    start = time.thread_time()
    work(material)
    return time.thread_time() - start
