"""Tasks whose due jobs a limit holds back. When another job ends, one of them may start."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

LACKS_THREAD = "*"
"""A job that may take long is held back because no thread is free for it."""
ANY = "?"
"""Not known yet."""
_DEAF = 0.5  # seconds in which LACKS_THREAD is ignored, after threads were free and no long job could be claimed


class HeldBack:
    """The tasks that the last look of each queue found held back. Thread-safe; a reading may be a moment old.

    Args:
        uses: Returns the shared limits of a task; None for a task that this process does not know.
    """

    def __init__(self, uses: Callable[[str], Collection[str] | None]) -> None:
        self._uses = uses
        self._looks: dict[
            str, tuple[Collection[str], float]
        ] = {}  # tasks held back, and end of the look in monotonic seconds
        self._short_of_threads: set[str] = set()
        self._deaf_until: dict[str, float] = {}
        self._owed: set[str] = set()
        self._lock = threading.Lock()

    def looking(self, queue: str) -> None:
        """The queue's consumer looks for jobs. Until it is done, any job that ends may let another one start."""
        self._looks[queue] = ((ANY,), math.inf)

    def found(self, queue: str, tasks: Collection[str]) -> None:
        """Note the result of the consumer's look: ids of tasks, ``LACKS_THREAD``, ``ANY``."""
        now = time.monotonic()
        self._looks[queue] = (tasks, now)
        lacks = LACKS_THREAD in tasks and now >= self._deaf_until.get(queue, 0.0)
        (self._short_of_threads.add if lacks else self._short_of_threads.discard)(queue)

    def found_no_long(self, queue: str) -> None:
        """Threads were free for long jobs, and none came: something else, such as their keys, holds them back."""
        if queue in self._short_of_threads:
            self._deaf_until[queue] = time.monotonic() + _DEAF

    def freed_by(self, ended: str, since: float = -math.inf) -> list[str]:
        """The queues to look at because a job of the task ``ended`` has ended, if their last look ended after ``since``."""
        return [
            queue
            for queue, (tasks, looked) in list(self._looks.items())
            if looked > since and any(self._share(ended, held) for held in tasks)
        ]

    def is_short_of_threads(self) -> bool:
        """Whether long jobs wait for a thread. Short jobs must then leave some threads to them."""
        return bool(self._short_of_threads)

    def owe(self, queues: Iterable[str]) -> None:
        """Note queues to look at later."""
        with self._lock:
            self._owed.update(queues)

    def pay(self) -> set[str]:
        """Return the noted queues, to be looked at now, and forget them."""
        with self._lock:
            owed, self._owed = self._owed, set()
            return owed

    def _share(self, ended: str, held: str) -> bool:
        """Whether one limit counts both tasks."""
        if held in (ANY, LACKS_THREAD, ended):
            return True
        one, other = self._uses(ended), self._uses(held)
        # The task was renamed or has left jobs.yaml, but may have had limits.
        return one is None or other is None or not {*one}.isdisjoint(other)
