"""The jobs that a simulation runs: when each is sent or by which job, how long its attempts take, how they end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Ending = Literal["completed", "failed", "rejected", "cancelled", "retry", "deferred", "died"]


class Attempt(NamedTuple):
    """One attempt of a job."""

    held: float  # seconds from its claim to its end; it occupies a thread and its limits
    how: Ending = "completed"  # its end. failed: the retries were used up; rejected: no number of retries would help.
    gap: float | None = None  # seconds until the job was due again; None if the retry policy decided them
    own: bool = False  # whether the handler set its own limit of retries, which replaces the policy's

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
    """One job. Times are seconds from the workload's origin."""

    task: str
    sent: float  # when it is sent; for follow-ups, the recorded time
    attempts: tuple[Attempt, ...]
    priority: int | None = None  # its priority; None is its task's
    key: int | str | None = None
    delay: float = 0.0  # seconds from its sending to its due time
    leaves: float | None = None  # seconds from its sending until it leaves the queue unstarted; None for never
    start: float = 0.0  # seconds from a claim to the start of the handler
    cost: float | None = None
    waited: float | None = None  # recorded seconds from its due time to its first start; None if unknown
    tick: bool = False  # whether a schedule sends it
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
    """The jobs of a time."""

    origin: float = 0.0  # time 0 in seconds of the epoch
    begin: float = 0.0  # start of the time that counts in the report; earlier jobs only fill the queue
    end: float = 0.0  # the last moment at which a job is sent
    currency: str | None = None  # the currency of costs; None if no cost is known
    roots: list[Job] = field(default_factory=list)  # jobs that no other job sends, by the time of sending

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
    """Worker processes with their threads."""

    processes: int = 1
    threads: int = 8
    wake_up: float = 0.0  # seconds until an idle worker claims after a job fell due or ended, or a limit opened

    @property
    def slots(self) -> int:
        """Jobs that can run at once."""
        return self.processes * self.threads

    def __str__(self) -> str:
        return f"{self.processes}x{self.threads}"
