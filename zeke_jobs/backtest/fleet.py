"""The workers of a simulation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fleet:
    """Worker processes, with so many threads each.

    Attributes:
        processes: How many.
        threads: Of each one.
        wake_ups: Seconds from a job's due time to an idle worker's claim: measured values, of which one is drawn at random.
    """

    processes: int = 1
    threads: int = 8
    wake_ups: tuple[float, ...] = (0.0,)

    @property
    def slots(self) -> int:
        """Jobs that can run at once."""
        return self.processes * self.threads

    def __str__(self) -> str:
        return f"{self.processes}x{self.threads}"
