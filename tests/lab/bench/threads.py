"""Calls by several threads of one program, one after another in each."""

import time
from collections.abc import Callable
from threading import Barrier, Thread

_PATIENCE = 120.0  # seconds, should a thread have failed


def rate(call: Callable[[int], object], threads: int, seconds: float) -> float:
    """Calls a second of all threads together. Each makes its first call, with its set-up, before the clock starts."""
    counts = [0] * threads
    ready, over = (Barrier(threads + 1, timeout=_PATIENCE) for _ in range(2))
    end = 0.0

    def work(which: int) -> None:
        call(0)
        ready.wait()
        while time.perf_counter() < end or not end:
            call(counts[which])
            counts[which] += 1
        over.wait()

    for which in range(threads):
        Thread(target=work, args=(which,), daemon=True).start()
    ready.wait()
    begin = time.perf_counter()
    end = begin + seconds
    over.wait()
    return sum(counts) / (time.perf_counter() - begin)
