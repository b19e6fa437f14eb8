"""The tasks whose due jobs a limit held back: the end of another job may let one start."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

LACKS_THREAD = "*"
"""A job that may take long is held back for want of a thread."""
ANY = "?"
"""Not known yet."""
_DEAF = 0.5  # seconds in which nobody is believed to lack a thread, once none could be claimed with threads free


class HeldBack:
    """Queue by queue, as the last look found it. Thread-safe: each queue has one consumer, and a reading may be a moment old.

    Args:
        uses: The shared limits of a task; None for one that is not known here.
    """

    def __init__(self, uses: Callable[[str], Collection[str] | None]) -> None:
        self._uses = uses
        self._looks: dict[str, tuple[Collection[str], float]] = {}  # with when they ended, in monotonic seconds
        self._short_of_threads: set[str] = set()
        self._deaf_until: dict[str, float] = {}
        self._owed: set[str] = set()
        self._lock = threading.Lock()

    def looking(self, queue: str) -> None:
        """The queue's consumer looks: a job that ends until it has found something may let another one start."""
        self._looks[queue] = ((ANY,), math.inf)

    def found(self, queue: str, tasks: Collection[str]) -> None:
        """What the queue's consumer found: ids of tasks, ``LACKS_THREAD``, ``ANY``."""
        now = time.monotonic()
        self._looks[queue] = (tasks, now)
        lacks = LACKS_THREAD in tasks and now >= self._deaf_until.get(queue, 0.0)
        (self._short_of_threads.add if lacks else self._short_of_threads.discard)(queue)

    def found_no_long(self, queue: str) -> None:
        """Threads were free for jobs that may take long, and none came: they are held back otherwise, as by their keys."""
        if queue in self._short_of_threads:
            self._deaf_until[queue] = time.monotonic() + _DEAF

    def freed_by(self, ended: str, since: float = -math.inf) -> list[str]:
        """The queues to look at when a job of the task ``ended`` has ended, if their last look ended after ``since``."""
        return [
            queue
            for queue, (tasks, looked) in list(self._looks.items())
            if looked > since and any(self._share(ended, held) for held in tasks)
        ]

    def is_short_of_threads(self) -> bool:
        """Whether long jobs wait for a thread: short ones must not take every thread that comes free."""
        return bool(self._short_of_threads)

    def owe(self, queues: Iterable[str]) -> None:
        """These are to be looked at, if not at once."""
        with self._lock:
            self._owed.update(queues)

    def pay(self) -> set[str]:
        """The queues to look at now."""
        with self._lock:
            owed, self._owed = self._owed, set()
            return owed

    def _share(self, ended: str, held: str) -> bool:
        """Whether one limit counts both tasks."""
        if held in (ANY, LACKS_THREAD, ended):
            return True
        one, other = self._uses(ended), self._uses(held)
        # A task that is not known here was renamed, or has left jobs.yaml; it may have had limits.
        return one is None or other is None or not {*one}.isdisjoint(other)
