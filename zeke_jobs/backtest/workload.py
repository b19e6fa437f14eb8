"""The jobs that a simulation runs, as columns: when each is sent or by which job, how long its attempts take, how they end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from zeke_jobs.backtest.lanes import Key

Ending = Literal["completed", "failed", "rejected", "cancelled", "retry", "deferred", "died"]


class Attempt(NamedTuple):
    """One attempt of a job.

    Attributes:
        held: Seconds from its claim to its end, in which it occupies a thread and its limits.
        how: How it ended: failed is for want of retries, rejected is for good.
        gap: Seconds to when the job was due again, where that was not the policy's doing; else None.
        own: Whether the handler had a limit of its own: a retry is then made whatever the policy's limit says.
    """

    held: float
    how: Ending = "completed"
    gap: float | None = None
    own: bool = False

    @property
    def failed(self) -> bool | None:
        """Whether it failed, as breakers count it; None where it is neither a failure nor a success."""
        if self.how in ("retry", "failed"):
            return True
        return self.own if self.how == "rejected" else False if self.how == "completed" else None

    @property
    def costs(self) -> bool:
        """Whether it ran to its end, and so had its part of the job's cost."""
        return self.how not in ("deferred", "died")


class FollowUp(NamedTuple):
    """A job that another one sends.

    Attributes:
        attempt: In which of its attempts, from 0.
        after: Seconds after that attempt's claim.
        job: Which job.
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
        origin: The epoch's seconds at time 0.
        begin: From when on jobs count in the report; earlier ones are there to fill the queue.
        end: The last moment at which a job is sent.
        currency: What costs are counted in; None where none is known.
        roots: Jobs that no other job of the workload sends, by the time at which they are sent.
        sent: When a root is sent; of others, when they were.
        task: Name of the task.
        priority: Its priority; None is its task's.
        key: Its key, if it has one.
        delay: Seconds from its sending to when it is due.
        leaves: Seconds from its sending to when it leaves the queue, if it has not started by then; None for never.
        start: Seconds from a claim to the start of the handler.
        attempts: What happens to it.
        cost: What it costs, where that is known.
        waited: Seconds from when it was due to its first start, as recorded; None where that is not known.
        tick: Whether a schedule sends it.
        follow_ups: What a job sends.
        ends: The jobs that are sent when the last job of a batch has ended, and the jobs of that batch.
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
        """Append a job, which neither is a root nor a follow-up yet; answers its number. Other columns have defaults."""
        for name, value in {**_DEFAULTS, "task": task, "sent": sent, "attempts": attempts, **columns}.items():
            getattr(self, name).append(value)
        return len(self.sent) - 1

    def copy(self, job: int, sent: float, key: Key | None) -> int:
        """Append a job like another one, without its follow-ups."""
        columns = {name: getattr(self, name)[job] for name in _DEFAULTS} | {"key": key, "waited": None}
        return self.add(self.task[job], sent, self.attempts[job], **columns)

    def follows(self, parent: int, job: int, *, attempt: int = 0, after: float = 0.0) -> None:
        """Have ``parent`` send a job."""
        self.follow_ups.setdefault(parent, []).append(FollowUp(attempt, after, job))

    def __len__(self) -> int:
        return len(self.sent)
