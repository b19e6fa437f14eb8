"""Slots of limits that this process holds, and the jobs claimed ahead that start in them when other jobs give them up."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zeke_jobs.worker.claim.claims import Slot, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from zeke_jobs.worker.claim.claims import Claim, JobMessage

_MOST_WAITING = 512  # jobs of a task
_WHILE = 0.1  # seconds after a claim in which slots are handed on
_CLOCKS = 0.05  # seconds that clocks may drift apart by within a claim; more is a clock that was set
_MARGIN = 2e-6  # seconds; times in rows are rounded to microseconds


@dataclass(frozen=True)
class Kept:
    """What this process says of the slots that it keeps: ``counts`` by task, and a number that grows with each word."""

    counts: Mapping[str, int]
    said: int

    def columns(self) -> dict[str, object]:
        """As the parallel arrays that SQL takes."""
        return {"kept_of": list(self.counts), "kept": list(self.counts.values()), "said": self.said}


class Slots:
    """Pure, but for the clock; ``HeldJobs`` calls it under its lock.

    A job that ends gives its slot to one of the same task that waits here, and that one starts at once. A slot is given up when
    the end of its last holder is about to be written: so no more jobs run than the database counts. A task's slots are handed on
    until a short while after a claim that let more of it start or wait: later, others may wait for them, it may be paused, or its
    limit lowered. And only as many as this process has threads: for more, jobs would wait for a thread here while another idles.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._lost_on = -math.inf  # monotonic seconds
        self._waiting: dict[str, deque[JobMessage]] = defaultdict(deque)
        self._low: dict[str, int] = {}
        self._vacant: dict[str, list[Slot]] = defaultdict(list)
        self._held: Counter[str] = Counter()
        self._until: dict[str, float] = {}  # monotonic seconds
        self._kept: Counter[str] = Counter()
        self._unsaid: set[str] = set()
        self._said = 0
        self._write_their_ends: set[str] = set()

    def take(self, claim: Claim) -> None:
        """A job was claimed with a slot of its own."""
        if claim.asked < self._lost_on:
            return  # an answer that was under way when others took this process for dead
        claim.slot = Slot(claim, claim)
        self._until[claim.task] = time.monotonic() + _WHILE
        self._held[claim.task] += 1

    def wait(self, message: JobMessage) -> JobMessage | None:
        """A job was claimed ahead, and waits here: answers the one of its task that starts now, where a slot is vacant."""
        task = message.claim.task
        self._until[task] = time.monotonic() + _WHILE
        self._waiting[task].append(message)
        if self._vacant[task] and (first := self._next(task)) is not None:
            self._give(self._vacant[task].pop(), first.claim)
            self._held[task] += 1
            return first
        self._low[task] = len(self._waiting[task]) // 2
        return None

    def end(self, claim: Claim, *, is_written: bool = False, gives: bool = True) -> JobMessage | None:
        """A job has ended: the one that starts in its slot. A claim gives its slot away once.

        Args:
            claim: The job.
            is_written: The database knows, and has given its slot to others.
            gives: False, and nobody starts, as at a shutdown.
        """
        task = claim.task
        if claim.done is not None:
            return None
        claim.done = time.monotonic()
        if claim.slot is None:
            return None
        gives = gives and not is_written and claim.done < self._until[task] and self._held[task] <= self.threads
        if gives and (message := self._next(task)) is not None:
            self._give(claim.slot, message.claim)
            return message
        self._held[task] -= 1
        if is_written:
            # It would be so again: the slot is free before another one could have it.
            self._write_their_ends.add(task)
            self._write(claim)
        else:
            self._vacant[task].append(claim.slot)
        return None

    def write(self, claims: Iterable[Claim]) -> Kept:
        """The ends of these claims are about to be written. The answer must be written before them, or with them."""
        for claim in claims:
            self._write(claim)
        said, self._unsaid = self._unsaid, set()
        self._said += bool(said)
        return Kept({task: self._kept[task] for task in said}, self._said)

    def doubt(self) -> None:
        """The server may have crashed and forgotten, or never have heard: say all of it again."""
        self._unsaid.update(self._kept)

    def forgotten(self, claim: Claim) -> None:
        """A crash of the server undid the claim of a job that runs here, and it was claimed anew, ahead."""
        if claim.slot is not None and claim.slot.origin is claim:
            claim.slot.origin = None
            self._keep(claim.task, 1)

    def lose(self, claims: Iterable[Claim]) -> list[Claim]:
        """This process was taken for dead, and others have its slots: answers the jobs that waited here for one."""
        self._lost_on = time.monotonic()
        for claim in claims:
            claim.slot = None
        self._held.clear()
        self._vacant.clear()
        self._kept = Counter(dict.fromkeys(self._kept, 0))
        self._unsaid.update(self._kept)  # an earlier word may still be under way
        return self._take_out(lambda _: True)

    def has_unsaid(self) -> bool:
        """Whether the database has not been told of all that is kept here."""
        return bool(self._unsaid)

    def is_low(self, task: str) -> bool:
        """Whether half of those that waited have started: time to claim more. Said once until more wait."""
        if len(self._waiting[task]) > self._low.get(task, -1):
            return False
        del self._low[task]
        return True

    def more(self, short: Mapping[str, int], *, may_wait: bool = True) -> dict[str, list[Any]]:
        """How many jobs may be claimed ahead: more of each task, more for each slot that is claimed, and at most.

        Args:
            short: Tasks whose jobs are short, and how many of each a slot lets through while a claimed job may wait.
            may_wait: False, and none.

        Returns:
            Parallel arrays, as SQL takes them.
        """
        each = [n if may_wait and task not in self._write_their_ends else 0 for task, n in short.items()]
        most = [_MOST_WAITING - len(self._waiting[task]) for task in short]
        held = [
            n * min(self._held[task], self.threads) - len(self._waiting[task])
            for task, n in zip(short, each, strict=True)
        ]
        return {"short": list(short), "more": list(map(min, held, most)), "per_slot": each, "most": most}

    def stranded(self) -> list[Claim]:
        """Those that wait for a slot of a task of which none is left here: they are not to start here."""
        return self._take_out(lambda message: not self._held[message.claim.task])

    def late(self, before: float) -> list[Claim]:
        """Those that wait since a time before that (monotonic seconds): they are not to start here."""
        return self._take_out(lambda message: message.claim.received < before)

    def drop(self, claim: Claim) -> bool:
        """One is not to start here; False when it does not wait for a slot (any more)."""
        return bool(self._take_out(lambda message: message.claim is claim))

    def of_queue(self, queue: str) -> list[Claim]:
        """Those of a queue that wait: they are not to start here."""
        return self._take_out(lambda message: message.queue_name == queue)

    def _take_out(self, leaves: Callable[[JobMessage], bool]) -> list[Claim]:
        out: list[Claim] = []
        for task, waiting in self._waiting.items():
            if gone := {message.claim for message in waiting if leaves(message)}:
                self._waiting[task] = deque(message for message in waiting if message.claim not in gone)
                out += gone
        for claim in out:
            claim.move(Stage.ENDED)
        return out

    def _next(self, task: str) -> JobMessage | None:
        waiting = self._waiting[task]
        return waiting.popleft() if waiting else None

    def _give(self, slot: Slot, claim: Claim) -> None:
        assert slot.holder is not None
        # By its own answer from the database it might have begun a moment before the other one ended.
        before = slot.holder
        apart = (before.claimed_on - claim.claimed_on).total_seconds() - (before.received - claim.received)
        if -_MARGIN < apart < claim.received - claim.asked + _CLOCKS:
            claim.received -= apart + _MARGIN
        claim.slot, slot.holder = slot, claim

    def _write(self, claim: Claim) -> None:
        slot, claim.slot = claim.slot, None
        if slot is None:
            return
        if slot.holder is claim:
            slot.holder = None
            if slot in self._vacant[claim.task]:
                self._vacant[claim.task].remove(slot)
            if slot.origin is None:
                self._keep(claim.task, -1)
        elif slot.origin is claim and slot.holder is not None:
            self._keep(claim.task, 1)
        if slot.origin is claim:
            slot.origin = None

    def _keep(self, task: str, by: int) -> None:
        self._kept[task] += by
        self._unsaid.add(task)
