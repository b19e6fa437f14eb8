"""Several threads of a program call a function, each thread one call after another."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier


def rate(call: Callable[[int], object], threads: int, seconds: float) -> float:
    """Return the calls a second of all threads; each thread makes its first call before the clock starts."""
    ready = Barrier(threads, timeout=120)

    def work(_: int) -> float:
        call(0)
        ready.wait()
        begin, count = time.perf_counter(), 0
        while (took := time.perf_counter() - begin) < seconds:
            call(count)
            count += 1
        return count / took

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(work, range(threads)))
