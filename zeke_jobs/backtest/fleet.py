"""The workers of a simulation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fleet:
    """Worker processes with their threads.

    Attributes:
        processes: Number of processes.
        threads: Threads of each process.
        wake_ups: Measured seconds from a job's due time to an idle worker's claim. One is drawn at random for each claim: after
            a job fell due, after one ended, after a limit opened.
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
