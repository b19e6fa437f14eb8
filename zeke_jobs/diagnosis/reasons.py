"""The reasons why a queued job does not run yet, as values; each says itself in a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from zeke_jobs.core.wording import count, listed, one_line, since, span, until, when

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


class Reason:
    """One thing that is true of a job and tells why it is where it is.

    Attributes:
        kind: Its name, for programs.
        sentence: The same for people, with the figures.
        help: What to do about it, if anything.
    """

    kind: ClassVar[str]
    __slots__ = ()

    @property
    def sentence(self) -> str:
        """For people, with the figures."""
        return self._say()

    @property
    def help(self) -> str:
        """What to do about it; empty where there is nothing."""
        return self._advise()

    def _say(self) -> str:
        raise NotImplementedError

    def _advise(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class UnknownTask(Reason):
    """No task of that name is in force."""

    kind: ClassVar[str] = "unknown-task"
    task: str

    def _say(self) -> str:
        return f"no task in force is called {self.task}, so nobody claims it"

    def _advise(self) -> str:
        return f"put {self.task} back into jobs.yaml, or name its successor: zeke-jobs apply --rename {self.task}=NEW"


@dataclass(frozen=True, slots=True)
class Moving(Reason):
    """Its task has another name or queue by now."""

    kind: ClassVar[str] = "moving"
    task: str
    queue: str

    def _say(self) -> str:
        return f"its task is now {self.task} in queue {self.queue}; it follows at the next heartbeat of a worker"


@dataclass(frozen=True, slots=True)
class Paused(Reason):
    """Somebody, or jobs.yaml, stopped its task, its queue or a limit."""

    kind: ClassVar[str] = "paused"
    target: str
    by: str
    since: datetime | None
    reason: str
    now: datetime

    def _say(self) -> str:
        began = f" {since(self.since, self.now)}" if self.since else ""
        said = f": {one_line(self.reason)}" if self.reason else ""
        return f"{self.target} is paused by {self.by}{began}{said}"

    def _advise(self) -> str:
        if self.by == "jobs.yaml":
            return "take paused: true out of jobs.yaml and apply it"
        return f"zeke-jobs resume {self.target}"


@dataclass(frozen=True, slots=True)
class Unserved(Reason):
    """No live worker would claim it."""

    kind: ClassVar[str] = "unserved"
    task: str
    queue: str
    alive: int
    consuming: int
    stopping: int

    def _say(self) -> str:
        if not self.alive:
            return "no worker is alive"
        alive = f"{count(self.alive, 'worker process', 'worker processes')} alive"
        if not self.consuming:
            return f"{alive}, but none consumes queue {self.queue}"
        if self.stopping == self.consuming:
            return f"{alive}, but all that consume queue {self.queue} are stopping"
        return f"{alive}, but none of those that consume queue {self.queue} has the task {self.task}"

    def _advise(self) -> str:
        if not self.alive or not self.consuming:
            return f"start one: dramatiq zeke_jobs.actors (for this queue alone: --queues {self.queue})"
        return "wait for their successors" if self.stopping else "restart them with a jobs.yaml and code that have it"


@dataclass(frozen=True, slots=True)
class NotDue(Reason):
    """It was sent for later."""

    kind: ClassVar[str] = "not-due"
    until: datetime
    now: datetime

    def _say(self) -> str:
        return f"it was sent for later: not before {when(self.until)} (in {span(self.until - self.now)})"


@dataclass(frozen=True, slots=True)
class Deferred(Reason):
    """Its handler, or a lease, put it off."""

    kind: ClassVar[str] = "deferred"
    until: datetime
    reason: str
    now: datetime

    def _say(self) -> str:
        return f"its handler deferred it {until(self.until, self.now)}: {one_line(self.reason)}"


@dataclass(frozen=True, slots=True)
class WaitsForRetry(Reason):
    """An attempt failed; the next one comes later."""

    kind: ClassVar[str] = "waits-for-retry"
    job: UUID
    until: datetime
    failed: int
    retries_left: int
    error: str
    now: datetime

    def _say(self) -> str:
        left = count(self.retries_left, "retry", "retries")
        return f"attempt {self.failed} failed ({self.error}); the next one waits {until(self.until, self.now)}, {left} left"

    def _advise(self) -> str:
        return f"to run it at once: zeke-jobs retry {self.job}"


@dataclass(frozen=True, slots=True)
class StartsNext(Reason):
    """Nothing stands in its way."""

    kind: ClassVar[str] = "starts-next"

    def _say(self) -> str:
        return "nothing stands in its way: the next claim of a worker takes it"


@dataclass(frozen=True, slots=True)
class Expires(Reason):
    """It is cancelled unless it starts in time."""

    kind: ClassVar[str] = "expires"
    on: datetime
    now: datetime

    def _say(self) -> str:
        if self.on <= self.now:
            return f"it had to start by {when(self.on)} and did not: the next heartbeat of a worker cancels it"
        return f"it is cancelled unless it starts by {when(self.on)} (in {span(self.on - self.now)})"


@dataclass(frozen=True, slots=True)
class StandsForOthers(Reason):
    """Its task is ``unique``: sends of an equal job are answered with this one."""

    kind: ClassVar[str] = "stands-for-others"
    fields: tuple[str, ...]
    held_while: str

    def _say(self) -> str:
        how = {"queued": "while it is queued", "active": "until it has ended"}.get(self.held_while, "for a time")
        same = f"the same {listed(self.fields)}" if self.fields else "the same payload"
        return f"it is unique: {how}, a send with {same} makes no second job and is answered with this one"
