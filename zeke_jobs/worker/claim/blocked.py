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
_IGNORED = 0.5  # seconds in which LACKS_THREAD is ignored, after threads were free and no long job could be claimed


class BlockedTasks:
    """The tasks that the last look of each queue found held back. Thread-safe; a reading may be a moment old.

    Args:
        frees: Returns the limits in which the end of a task's job makes room; None for a task that this process does not know.
    """

    def __init__(self, frees: Callable[[str], Collection[str] | None]) -> None:
        self._frees = frees
        # By queue: the tasks held back, and the end of the look in monotonic seconds.
        self._looks: dict[str, tuple[Collection[str], float]] = {}
        self._ended: dict[str, set[str]] = {}  # by queues with a look under way: tasks of which jobs end meanwhile
        self._lack_threads: set[str] = set()
        self._ignored_until: dict[str, float] = {}
        self._pending: set[str] = set()
        self._lock = threading.Lock()

    def look_began(self, queue: str) -> None:
        """The queue's consumer looks for jobs. Only its result tells whether a job that ends meanwhile lets another one start."""
        with self._lock:
            self._ended[queue] = set()

    def look_ended(self, queue: str, tasks: Collection[str]) -> bool:
        """Note the result of the consumer's look: ids of tasks, ``LACKS_THREAD``, ``ANY``.

        Returns:
            Whether to look again at once, because a job ended meanwhile and may let one of them start.
        """
        now = time.monotonic()
        with self._lock:
            self._looks[queue] = (tasks, now)
            ended = self._ended.pop(queue, ())
        lacks = LACKS_THREAD in tasks and now >= self._ignored_until.get(queue, 0.0)
        (self._lack_threads.add if lacks else self._lack_threads.discard)(queue)
        return any(self._share(one, held) for one in ended for held in tasks)

    def no_long_job_found(self, queue: str) -> None:
        """Threads were free for long jobs, and none came: something else, such as their keys, holds them back."""
        if queue in self._lack_threads:
            self._ignored_until[queue] = time.monotonic() + _IGNORED

    def freed_by(self, ended: str, since: float = -math.inf) -> list[str]:
        """The queues to look at because a job of the task ``ended`` has ended, if their last look ended after ``since``.

        A look that is under way learns of the end from ``look_ended``.
        """
        with self._lock:
            for meanwhile in self._ended.values():
                meanwhile.add(ended)
            looks = [(queue, *look) for queue, look in self._looks.items() if queue not in self._ended]
        return [
            queue
            for queue, tasks, looked in looks
            if looked > since and any(self._share(ended, held) for held in tasks)
        ]

    def long_jobs_wait(self) -> bool:
        """Whether long jobs wait for a thread. Short jobs must then leave some threads to them."""
        return bool(self._lack_threads)

    def add_pending(self, queues: Iterable[str]) -> None:
        """Note queues to look at soon."""
        with self._lock:
            self._pending.update(queues)

    def take_pending(self) -> set[str]:
        """Return the noted queues, to be looked at now, and forget them."""
        with self._lock:
            pending, self._pending = self._pending, set()
            return pending

    def _share(self, ended: str, held: str) -> bool:
        """Whether an end makes room in a limit of the other task."""
        one = self._frees(ended)
        if held == LACKS_THREAD:
            return True
        if one is not None and not one:
            return False
        other = None if held == ANY else self._frees(held)
        # The task was renamed or has left jobs.yaml, but may have had limits.
        return one is None or other is None or not {*one}.isdisjoint(other)
