"""The jobs that a simulation runs, as columns: when each is sent or by which job, how long its attempts take, how they end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Ending = Literal["completed", "failed", "rejected", "cancelled", "retry", "deferred", "died"]
Key = int | str


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
    def failed(self) -> bool | None:
        """Whether breakers count it as a failure; None if it is neither a failure nor a success."""
        if self.how in ("retry", "failed"):
            return True
        return self.own if self.how == "rejected" else False if self.how == "completed" else None

    @property
    def costs(self) -> bool:
        """Whether it ran to its end, and so shares the job's cost."""
        return self.how not in ("deferred", "died")


class FollowUp(NamedTuple):
    """A job that another job sends.

    Attributes:
        attempt: The sending attempt, from 0.
        after: Seconds after that attempt's claim.
        job: Number of the job that is sent.
    """

    attempt: int
    after: float
    job: int


_DEFAULTS: dict[str, Any] = {
    "priority": None,
    "key": None,
    "delay": 0.0,
    "leaves": None,
    "start": 0.0,
    "cost": None,
    "waited": None,
    "tick": False,
}


@dataclass
class Workload:
    """Jobs by number. Times are seconds from ``origin``.

    Attributes:
        origin: Time 0 in seconds of the epoch.
        begin: Start of the time that counts in the report; earlier jobs only fill the queue.
        end: The last moment at which a job is sent.
        currency: The currency of costs; None if no cost is known.
        roots: Jobs that no other job of the workload sends, by the time of sending.
        sent: When a root is sent; for other jobs, the recorded time.
        task: Name of the task.
        priority: Its priority; None is its task's.
        key: Its key, if it has one.
        delay: Seconds from its sending to its due time.
        leaves: Seconds from its sending until it leaves the queue unstarted; None for never.
        start: Seconds from a claim to the start of the handler.
        attempts: Its attempts.
        cost: Its cost, if known.
        waited: Recorded seconds from its due time to its first start; None if unknown.
        tick: Whether a schedule sends it.
        follow_ups: The jobs that a job sends.
        ends: The jobs at the end of batches, each with the jobs of its batch.
    """

    origin: float = 0.0
    begin: float = 0.0
    end: float = 0.0
    currency: str | None = None
    roots: list[int] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    task: list[str] = field(default_factory=list)
    priority: list[int | None] = field(default_factory=list)
    key: list[Key | None] = field(default_factory=list)
    delay: list[float] = field(default_factory=list)
    leaves: list[float | None] = field(default_factory=list)
    start: list[float] = field(default_factory=list)
    attempts: list[tuple[Attempt, ...]] = field(default_factory=list)
    cost: list[float | None] = field(default_factory=list)
    waited: list[float | None] = field(default_factory=list)
    tick: list[bool] = field(default_factory=list)
    follow_ups: dict[int, list[FollowUp]] = field(default_factory=dict)
    ends: dict[int, list[int]] = field(default_factory=dict)

    def add(self, task: str, sent: float, attempts: tuple[Attempt, ...], **columns: Any) -> int:
        """Append a job that is not yet a root or a follow-up; returns its number. Other columns have defaults."""
        for name, value in {**_DEFAULTS, "task": task, "sent": sent, "attempts": attempts, **columns}.items():
            getattr(self, name).append(value)
        return len(self.sent) - 1

    def copy(self, job: int, sent: float, key: Key | None) -> int:
        """Append a copy of a job, without its follow-ups."""
        columns = {name: getattr(self, name)[job] for name in _DEFAULTS} | {"key": key, "waited": None}
        return self.add(self.task[job], sent, self.attempts[job], **columns)

    def follows(self, parent: int, job: int, *, attempt: int = 0, after: float = 0.0) -> None:
        """Make a job a follow-up of ``parent``."""
        self.follow_ups.setdefault(parent, []).append(FollowUp(attempt, after, job))

    def __len__(self) -> int:
        return len(self.sent)


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
