"""The jobs that a simulation runs: when each is sent or by which job, how long its attempts take, how they end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Ending = Literal["completed", "failed", "rejected", "cancelled", "retry", "deferred", "died"]


class Attempt(NamedTuple):
    """One attempt of a job.

    Attributes:
        held: Seconds from its claim to its end; it occupies a thread and its limits.
        how: Its end. failed: the retries were used up; rejected: no number of retries would help.
        gap: Seconds until the job was due again; None if the retry policy decided them.
        own: Whether the handler set its own limit of retries, which replaces the policy's.
    """

    held: float
    how: Ending = "completed"
    gap: float | None = None
    own: bool = False

    @property
    def costs(self) -> bool:
        """Whether it ran to its end, and so shares the job's cost."""
        return self.how not in ("deferred", "died")


class FollowUp(NamedTuple):
    """A job that an attempt (from 0) of another job sends, ``after`` seconds after that attempt's claim."""

    attempt: int
    after: float
    job: Job


@dataclass(slots=True, eq=False)
class Job:
    """One job. Times are seconds from the workload's origin.

    Attributes:
        sent: When it is sent; for follow-ups, the recorded time.
        priority: Its priority; None is its task's.
        delay: Seconds from its sending to its due time.
        leaves: Seconds from its sending until it leaves the queue unstarted; None for never.
        start: Seconds from a claim to the start of the handler.
        waited: Recorded seconds from its due time to its first start; None if unknown.
        tick: Whether a schedule sends it.
    """

    task: str
    sent: float
    attempts: tuple[Attempt, ...]
    priority: int | None = None
    key: int | str | None = None
    delay: float = 0.0
    leaves: float | None = None
    start: float = 0.0
    cost: float | None = None
    waited: float | None = None
    tick: bool = False
    sends: list[FollowUp] = field(default_factory=list)

    def send(self, job: Job, *, attempt: int = 0, after: float = 0.0) -> None:
        """Make ``job`` one that this job sends."""
        self.sends.append(FollowUp(attempt, after, job))

    def cost_of(self, attempt: Attempt) -> float | None:
        """The cost of an attempt: attempts that ran to their end share the job's cost. None if it is unknown."""
        if self.cost is None or not attempt.costs:
            return None
        return self.cost / sum(one.costs for one in self.attempts)


@dataclass
class Workload:
    """The jobs of a time.

    Attributes:
        origin: Time 0 in seconds of the epoch.
        begin: Start of the time that counts in the report; earlier jobs only fill the queue.
        end: The last moment at which a job is sent.
        currency: The currency of costs; None if no cost is known.
        roots: Jobs that no other job sends, by the time of sending.
    """

    origin: float = 0.0
    begin: float = 0.0
    end: float = 0.0
    currency: str | None = None
    roots: list[Job] = field(default_factory=list)

    def jobs(self) -> Iterator[Job]:
        """All jobs: the sent ones, and the jobs that these send in turn."""
        todo = self.roots[::-1]
        while todo:
            job = todo.pop()
            yield job
            todo += [one.job for one in job.sends]

    def counted(self) -> Iterator[Job]:
        """The jobs that count in the report."""
        return (job for job in self.jobs() if job.sent >= self.begin)


@dataclass(frozen=True)
class Fleet:
    """Worker processes with their threads.

    Attributes:
        wake_up: Seconds until an idle worker claims after a job fell due, after one ended, after a limit opened.
    """

    processes: int = 1
    threads: int = 8
    wake_up: float = 0.0

    @property
    def slots(self) -> int:
        """Jobs that can run at once."""
        return self.processes * self.threads

    def __str__(self) -> str:
        return f"{self.processes}x{self.threads}"
