"""What is true of a job that runs or has ended, as values; each says itself in a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from zeke_jobs.core.wording import count, listed, one_line, place, since, span, when
from zeke_jobs.diagnosis.reasons import Reason

if TYPE_CHECKING:
    from uuid import UUID

    from zeke_jobs.diagnosis.facts import SentRow


@dataclass(frozen=True, slots=True)
class Running(Reason):
    """A worker runs it."""

    kind: ClassVar[str] = "running"
    host: str | None
    pid: int | None
    since: datetime
    attempt: int
    timeout: timedelta | None
    heartbeat: datetime | None
    progress: str
    now: datetime

    def _say(self) -> str:
        said = [f"it runs on {place(self.host, self.pid)} {since(self.since, self.now)}, attempt {self.attempt}"]
        if self.timeout is not None:
            left = self.since + self.timeout - self.now
            said.append(
                f"timeout in {span(left)}" if left > timedelta(0) else f"its timeout of {span(self.timeout)} is over"
            )
        if self.heartbeat is not None:
            said.append(f"last heartbeat {span(self.now - self.heartbeat)} ago")
        said.append(f"progress: {self.progress}" if self.progress else "it has said nothing about its progress")
        return "; ".join(said)


@dataclass(frozen=True, slots=True)
class Claimed(Reason):
    """A worker has it; the handler has not been seen to start."""

    kind: ClassVar[str] = "claimed"
    host: str | None
    pid: int | None
    since: datetime
    now: datetime

    def _say(self) -> str:
        return f"{place(self.host, self.pid)} claimed it {since(self.since, self.now)}; its handler is about to start"


@dataclass(frozen=True, slots=True)
class NotHeld(Claimed):
    """A worker has it by the table, and not by its own word."""

    kind: ClassVar[str] = "not-held"

    def _say(self) -> str:
        claimed = f"{place(self.host, self.pid)} claimed it {since(self.since, self.now)}"
        return f"{claimed}, lives, and has not started it: it does not hold it"

    def _advise(self) -> str:
        return (
            f"restart {place(self.host, self.pid)}: it hands back what it has by the table when it stops; and report it"
        )


@dataclass(frozen=True, slots=True)
class HolderSilent(Reason):
    """The worker that has it does not prove life any more."""

    kind: ClassVar[str] = "holder-silent"
    host: str | None
    pid: int | None
    heartbeat: datetime | None
    lost_after: timedelta | None
    now: datetime

    def _say(self) -> str:
        if self.heartbeat is None:
            return "the worker that claimed it is not in the fleet; the others take its jobs back after a minute"
        return (
            f"{place(self.host, self.pid)} last proved life {span(self.now - self.heartbeat)} ago; "
            f"after {span(self.lost_after or timedelta(0))} the other workers take its jobs back"
        )

    def _advise(self) -> str:
        return "where no other worker is alive, start one: dramatiq zeke_jobs.actors"


@dataclass(frozen=True, slots=True)
class BeingCancelled(Reason):
    """It runs, and is being stopped."""

    kind: ClassVar[str] = "being-cancelled"
    by: str | None
    since: datetime
    reason: str
    now: datetime

    def _say(self) -> str:
        return f"it is being stopped: cancelled{_by(self.by)} {since(self.since, self.now)}{_because(self.reason)}"


@dataclass(frozen=True, slots=True)
class Completed(Reason):
    """It is done."""

    kind: ClassVar[str] = "completed"
    on: datetime
    attempt: int
    waited: timedelta | None
    took: timedelta | None

    def _say(self) -> str:
        waited = "" if self.waited is None else f"; it waited {span(self.waited)}"
        took = "" if self.took is None else f" and ran {span(self.took)}"
        return f"it completed on {when(self.on)} at attempt {self.attempt}{waited}{took}"


@dataclass(frozen=True, slots=True)
class Failed(Reason):
    """It failed: out of retries, or without any because its handler or its payload left no hope."""

    kind: ClassVar[str] = "failed"
    job: UUID
    on: datetime
    attempts: int
    is_final: bool
    error: str

    def _say(self) -> str:
        why = "no retry could help" if self.is_final else "no retries left"
        return f"it failed on {when(self.on)} at attempt {self.attempts} ({why}): {self.error}"

    def _advise(self) -> str:
        return f"zeke-jobs retry {self.job}"


@dataclass(frozen=True, slots=True)
class Quarantined(Reason):
    """Too many workers died while they held it."""

    kind: ClassVar[str] = "quarantined"
    job: UUID
    on: datetime
    deaths: tuple[str, ...]

    def _say(self) -> str:
        return f"it is quarantined as failed since {when(self.on)}: {'; '.join(self.deaths)}"

    def _advise(self) -> str:
        return f"look for what ends the process (memory, a crash in C code); then zeke-jobs retry {self.job}"


@dataclass(frozen=True, slots=True)
class Cancelled(Reason):
    """Somebody cancelled it."""

    kind: ClassVar[str] = "cancelled"
    job: UUID
    by: str | None
    on: datetime
    reason: str

    def _say(self) -> str:
        return f"it was cancelled{_by(self.by)} on {when(self.on)}{_because(self.reason)}"

    def _advise(self) -> str:
        return f"to run it after all: zeke-jobs retry {self.job}"


@dataclass(frozen=True, slots=True)
class Expired(Reason):
    """It did not start in time."""

    kind: ClassVar[str] = "expired"
    job: UUID
    on: datetime
    expires_on: datetime
    waited: timedelta

    def _say(self) -> str:
        return f"it expired: it had to start by {when(self.expires_on)}, and had been due for {span(self.waited)} then"

    def _advise(self) -> str:
        return f"to run it after all: zeke-jobs retry {self.job}"


@dataclass(frozen=True, slots=True)
class Attempted(Reason):
    """One attempt that did not complete."""

    kind: ClassVar[str] = "attempt"
    number: int
    outcome: str
    started_on: datetime | None
    took: timedelta | None
    said: str

    def _say(self) -> str:
        began = f" on {when(self.started_on)}" if self.started_on else ""
        took = f", after {span(self.took)}" if self.took is not None else ""
        return f"attempt {self.number}{began}: {self.outcome}{took}{_because(self.said)}"


@dataclass(frozen=True, slots=True)
class Origin(Reason):
    """Which job or which tick of a schedule sent it."""

    kind: ClassVar[str] = "origin"
    parent: str
    parent_task: str | None
    tick: datetime | None

    def _say(self) -> str:
        if self.tick is not None:
            return f"its schedule sent it for the tick of {when(self.tick)}"
        return f"{self.parent_task or 'a job that was purged'} {self.parent} sent it"


@dataclass(frozen=True, slots=True)
class Sent(Reason):
    """Which jobs it sent."""

    kind: ClassVar[str] = "sent"
    jobs: tuple[SentRow, ...]

    def _say(self) -> str:
        groups = [
            f"{count(one.jobs, 'job')} of {one.task} ({one.status}: {', '.join(map(str, one.first))}"
            f"{', …' if one.jobs > len(one.first) else ''})"
            for one in self.jobs
        ]
        return f"it sent {listed(groups)}"


def _by(name: str | None) -> str:
    return f" by {name}" if name else ""


def _because(reason: str) -> str:
    return f": {one_line(reason)}" if reason else ""
