"""The reasons why there is no room for a queued job yet: limits, rates, keys, other jobs, busy workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from zeke_jobs.core.wording import count, listed, place, since, span, until, up_to_most
from zeke_jobs.diagnosis import keepers
from zeke_jobs.diagnosis.reasons import Reason

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from zeke_jobs.diagnosis.facts import Holder
    from zeke_jobs.diagnosis.keepers import Keeper


@dataclass(frozen=True, slots=True)
class AtLimit(Reason):
    """Its task, or a limit that it shares, has as many active jobs as it may."""

    kind: ClassVar[str] = "at-limit"
    gate: str
    limit: int
    active: int
    holders: tuple[Holder, ...]
    now: datetime

    def _say(self) -> str:
        holders = _named(self.holders, self.active, self.now)
        return f"{_whose(self.gate)} is at its limit, {self.active} of {self.limit} active: {holders}"


@dataclass(frozen=True, slots=True)
class AtRate(Reason):
    """As many jobs started lately as may."""

    kind: ClassVar[str] = "at-rate"
    gate: str
    count: int
    period: timedelta
    used: int
    until: datetime | None
    now: datetime

    def _say(self) -> str:
        opens = f"; the next may start {until(self.until, self.now).removeprefix('until ')}" if self.until else ""
        return (
            f"{_whose(self.gate)} is at its rate, {self.used} of {self.count} starts within {span(self.period)}{opens}"
        )


@dataclass(frozen=True, slots=True)
class KeyTaken(Reason):
    """Its key has as many active jobs as it may."""

    kind: ClassVar[str] = "key-taken"
    key: str
    per_key: int
    holders: tuple[Holder, ...]
    now: datetime

    def _say(self) -> str:
        active = len(self.holders)
        return f"its key {self.key!r} is taken, {active} of {self.per_key} active: {_named(self.holders, active, self.now)}"


@dataclass(frozen=True, slots=True)
class Suspect(Reason):
    """Workers died while they held it, so it runs alone in a process, or with others of which one may have been the cause."""

    kind: ClassVar[str] = "suspect"
    deaths: int
    group_size: int
    most: int
    emptying: tuple[str, ...]

    def _say(self) -> str:
        died = "a worker died" if self.deaths == 1 else f"{self.deaths} workers died"
        who = (
            f"{listed(self.emptying)} makes itself empty for it"
            if self.emptying
            else "no worker makes itself empty yet"
        )
        beside = count(self.group_size - 1, "other suspect")
        where = (
            "alone in a process" if self.group_size == 1 else f"in a process with {beside} at most, and nothing else"
        )
        return f"{died} while running it, so it waits to run {where} ({who}); after {self.most} deaths it fails"


@dataclass(frozen=True, slots=True)
class KeptBySuspect(Reason):
    """All processes that could run it are kept by suspects, and claim nothing else."""

    kind: ClassVar[str] = "kept-by-suspect"
    queue: str
    keepers: tuple[Keeper, ...]
    now: datetime

    def _say(self) -> str:
        number = len(self.keepers)
        who = "the one process" if number == 1 else f"each of the {number} processes"
        return f"{who} for queue {self.queue} claims nothing else: {keepers.named(self.keepers, self.now)}"

    def _advise(self) -> str:
        return keepers.advice(self.keepers)


@dataclass(frozen=True, slots=True)
class Ahead(Reason):
    """Other due jobs are claimed first."""

    kind: ClassVar[str] = "ahead"
    higher: int
    earlier: int
    others: int

    def _say(self) -> str:
        parts = [
            f"{up_to_most(number, 'job')} {what}"
            for number, what in (
                (self.higher, "of its task with a higher priority"),
                (self.earlier, "of its task that became due earlier"),
                (self.others, "of other tasks in its queue with a higher priority"),
            )
            if number
        ]
        return f"before it go {listed(parts)}"


@dataclass(frozen=True, slots=True)
class WorkersBusy(Reason):
    """All threads that could run it have a job, in the processes that are not kept by suspects."""

    kind: ClassVar[str] = "workers-busy"
    queue: str
    threads: int
    busy: int
    processes: int
    kept: int = 0

    def _say(self) -> str:
        kept = f"; kept by suspects: {count(self.kept, 'more process', 'more processes')}"
        where = "the one process" if self.processes == 1 else f"the {self.processes} processes"
        busy = f"all {self.threads} threads of {where} for queue {self.queue} are busy ({self.busy} jobs claimed)"
        return f"{busy}{kept if self.kept else ''}"

    def _advise(self) -> str:
        return "more threads or processes: dramatiq zeke_jobs.actors --processes N --threads M"


def _whose(gate: str) -> str:
    kind, _, name = gate.partition("/")
    return f"its task {name}" if kind == "task" else f"the shared limit {name}"


def _named(holders: tuple[Holder, ...], active: int, now: datetime) -> str:
    named = [f"{one.task} {one.id} on {place(one.host, one.pid)} {since(one.since, now)}" for one in holders]
    if active > len(named):
        named.append(f"{active - len(named)} more")
    return "; ".join(named)
