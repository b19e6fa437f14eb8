"""Blocked tasks: a limit holds their due jobs back. When another job ends, one of these jobs may start."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

LACKS_THREAD = "*"
"""A long job waits, because no thread is free for it."""
ANY = "?"
"""The look did not tell which tasks are blocked: it may be any of them."""
_IGNORED = 0.5  # seconds to ignore LACKS_THREAD after a look that had free threads and claimed no long job


class BlockedTasks:
    """The blocked tasks that the last look of each queue found. Thread-safe; a value read may be a moment old.

    Args:
        frees: Returns the limits that get room when a job of a task ends; None for a task that this process does not know.
    """

    def __init__(self, frees: Callable[[str], Collection[str] | None]) -> None:
        self._frees = frees
        # By queue: the blocked tasks, and the end of the look in monotonic seconds.
        self._looks: dict[str, tuple[Collection[str], float]] = {}
        # By queue with a look under way: tasks whose jobs have ended since it began.
        self._ended: dict[str, set[str]] = {}
        self._lack_threads: set[str] = set()
        self._ignored_until: dict[str, float] = {}
        self._pending: set[str] = set()
        self._lock = threading.Lock()

    def look_began(self, queue: str) -> None:
        """The queue's consumer begins a look. ``look_ended`` will compare its result with the jobs that end meanwhile."""
        with self._lock:
            self._ended[queue] = set()

    def look_ended(self, queue: str, tasks: Collection[str]) -> bool:
        """Note the result of the consumer's look: ids of tasks, ``LACKS_THREAD``, ``ANY``.

        Returns:
            Whether to look again at once: a job ended during the look and may have made room for one of these tasks.
        """
        now = time.monotonic()
        with self._lock:
            self._looks[queue] = (tasks, now)
            ended = self._ended.pop(queue, ())
        lacks = LACKS_THREAD in tasks and now >= self._ignored_until.get(queue, 0.0)
        (self._lack_threads.add if lacks else self._lack_threads.discard)(queue)
        return any(self._share(one, held) for one in ended for held in tasks)

    def no_long_job_found(self, queue: str) -> None:
        """Threads were free, but no long job came: something else, such as their keys, holds the long jobs back."""
        if queue in self._lack_threads:
            self._ignored_until[queue] = time.monotonic() + _IGNORED

    def freed_by(self, ended: str, since: float = -math.inf) -> list[str]:
        """The queues to look at again because a job of the task ``ended`` has ended.

        Leaves out queues whose last look ended before ``since``. ``look_ended`` decides about queues with a look under way.
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
        """Whether long jobs wait for a thread. Then short jobs must leave threads free for them."""
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
        """Whether the end of a job of one task makes room in a limit of the other task."""
        one = self._frees(ended)
        if held == LACKS_THREAD:
            return True
        if one is not None and not one:
            return False
        other = None if held == ANY else self._frees(held)
        # An unknown task was renamed or has left jobs.yaml. It may have shared any limit.
        return one is None or other is None or not {*one}.isdisjoint(other)
