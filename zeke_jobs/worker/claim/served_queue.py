"""What a process that claims knows of one of its queues."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field


@dataclass(eq=False)
class ServedQueue:
    """The jobs of a queue that run in threads, or those that run on the event loop; times are monotonic seconds.

    Attributes:
        is_async: Those of async handlers.
        look_on: The next look; infinite while one is under way.
        due_on: When the next delayed job is due, as far as this process knows.
        looks: Looks in a row that found less than they asked for, since the process asked to be notified.
        busy_since: Since when each look has found all it asked for.
        idle: The process asks to be notified of new jobs.
        limited: Limits that held jobs back and get room when a job ends, with the time of the last such look.
        full: Those of the last look.
        took: Seconds that the last look took.
        freed: A job of this process that counts for one of them has ended.
    """

    name: str
    is_async: bool
    look_on: float = 0.0
    due_on: float = math.inf
    looks: int = 0
    busy_since: float = field(default_factory=time.monotonic)
    idle: bool = False
    limited: dict[str, float] = field(default_factory=dict)
    full: set[str] = field(default_factory=set)
    took: float = 0.0
    freed: bool = False
