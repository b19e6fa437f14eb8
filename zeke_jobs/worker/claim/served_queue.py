"""What the producer of a process knows about one of its queues."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field


@dataclass(eq=False)
class ServedQueue:
    """The jobs of a queue that run in threads, or those that run on the event loop; times are monotonic seconds.

    Attributes:
        is_async: It stands for the jobs of async handlers.
        look_on: When the next look is due; infinite during a look.
        due_on: When the next delayed job is due, as far as this process knows.
        looks: How many looks in a row found fewer jobs than they asked for, since the process asked to be notified.
        busy_since: Since when each look has found as many jobs as it asked for.
        idle: The process asks to be notified of new jobs.
        limited: Limits that held jobs back and get room when a job ends, each with the time of the last look that met it.
        full: The limits of this kind that the last look met.
        took: Seconds that the last look took.
        freed: A job of this process has ended that counts in one of the limits in ``limited``.
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
