"""Several threads of a program call a function, each thread one call after another."""

import time
from collections.abc import Callable
from threading import Barrier, Thread

_PATIENCE = 120.0  # A thread may have failed, so the barriers wait at most _PATIENCE seconds.


def rate(call: Callable[[int], object], threads: int, seconds: float) -> float:
    """Return the calls a second of all threads; each thread makes its first call before the clock starts."""
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
