"""Slots of limits that this process holds, and jobs claimed ahead, which start when another job leaves its slot."""

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

_MOST_WAITING = 512  # jobs of one task
_HAND_ON_FOR = 0.1  # seconds after a claim during which slots are handed on
_CLOCK_DRIFT = 0.05  # seconds by which clocks may drift apart within a claim; more means that a clock was set
_MARGIN = 2e-6  # seconds; times in rows are rounded to microseconds


@dataclass(frozen=True)
class KeptSlots:
    """A report of the slots that this process keeps: ``counts`` by task, and its number, which grows."""

    counts: Mapping[str, int]
    number: int

    def columns(self) -> dict[str, object]:
        """As parallel arrays for SQL."""
        return {"kept_of": list(self.counts), "kept": list(self.counts.values()), "said": self.number}


class Slots:
    """Pure, but for the clock; ``HeldJobs`` calls it under its lock.

    A job that ends gives its slot to a waiting job of the same task, which starts at once. The slot is given up when the end of
    its last holder is about to be written, so that never more jobs run than the database counts. Slots of a task are handed on
    only for a short while after a claim that brought jobs of it: later, others may wait for them, the task may be paused, or its
    limit may be lowered. This process hands on as many slots as it has threads; with more, jobs would wait here while other
    processes have free threads.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._lost_on = -math.inf  # monotonic seconds
        self._waiting: dict[str, deque[JobMessage]] = defaultdict(deque)
        self._low: dict[str, int] = {}
        self._vacant: dict[str, list[Slot]] = defaultdict(list)
        self._held: Counter[str] = Counter()
        self._hand_on_until: dict[str, float] = {}  # monotonic seconds
        self._kept: Counter[str] = Counter()
        self._unreported: set[str] = set()
        self._reports = 0
        self._ended_by_handlers: set[str] = set()

    def take(self, claim: Claim) -> None:
        """A job was claimed with a slot."""
        if claim.asked < self._lost_on:
            return  # after the request, others took this process for dead: the claim is no longer valid
        claim.slot = Slot(claim, claim)
        self._hand_on_until[claim.task] = time.monotonic() + _HAND_ON_FOR
        self._held[claim.task] += 1

    def wait(self, message: JobMessage) -> JobMessage | None:
        """A job was claimed ahead and waits here. If a slot is vacant, returns the job of its task that starts now."""
        task = message.claim.task
        self._hand_on_until[task] = time.monotonic() + _HAND_ON_FOR
        self._waiting[task].append(message)
        if self._vacant[task] and (first := self._next(task)) is not None:
            self._give(self._vacant[task].pop(), first.claim)
            self._held[task] += 1
            return first
        self._low[task] = len(self._waiting[task]) // 2
        return None

    def end(self, claim: Claim, *, is_written: bool = False, hand_on: bool = True) -> JobMessage | None:
        """A job has ended: returns the job that starts in its slot. Each claim gives its slot away only once.

        Args:
            claim: The job.
            is_written: The database knows the end, and has given the slot to others.
            hand_on: False: no job starts, as at a shutdown.
        """
        task = claim.task
        if claim.done is not None:
            return None
        claim.done = time.monotonic()
        if claim.slot is None:
            return None
        hand_on = (
            hand_on and not is_written and claim.done < self._hand_on_until[task] and self._held[task] <= self.threads
        )
        if hand_on and (message := self._next(task)) is not None:
            self._give(claim.slot, message.claim)
            return message
        self._held[task] -= 1
        if is_written:
            # The handler wrote its own end, which frees the slot before another job here can have it. Expect the same of the
            # task's other jobs, and claim none of them ahead.
            self._ended_by_handlers.add(task)
            self._write(claim)
        else:
            self._vacant[task].append(claim.slot)
        return None

    def write(self, claims: Iterable[Claim]) -> KeptSlots:
        """Prepare to write the ends of these claims. Write the returned report before the ends, or with them."""
        for claim in claims:
            self._write(claim)
        tasks, self._unreported = self._unreported, set()
        self._reports += bool(tasks)
        return KeptSlots({task: self._kept[task] for task in tasks}, self._reports)

    def report_again(self) -> None:
        """Report all slots again: the server may have crashed and forgotten them, or never have received the report."""
        self._unreported.update(self._kept)

    def claimed_again(self, claim: Claim) -> None:
        """A server crash undid the claim of a job that runs here, and the job was claimed ahead again."""
        if claim.slot is not None and claim.slot.origin is claim:
            claim.slot.origin = None
            self._keep(claim.task, 1)

    def lose(self, claims: Iterable[Claim]) -> list[Claim]:
        """Others took this process for dead and have its slots. Returns the jobs that waited here for one."""
        self._lost_on = time.monotonic()
        for claim in claims:
            claim.slot = None
        self._held.clear()
        self._vacant.clear()
        self._kept = Counter(dict.fromkeys(self._kept, 0))
        self.report_again()  # an earlier report may still be under way
        return self._take_out(lambda _: True)

    def has_unreported(self) -> bool:
        """Whether some kept slots are not reported to the database yet."""
        return bool(self._unreported)

    def is_low(self, task: str) -> bool:
        """Whether half of the waiting jobs have started, so that more should be claimed. True only once, until more wait."""
        if len(self._waiting[task]) > self._low.get(task, -1):
            return False
        del self._low[task]
        return True

    def ahead_limits(self, short: Mapping[str, int], *, may_wait: bool = True) -> dict[str, list[Any]]:
        """Numbers of jobs that may be claimed ahead, by task: now, for each slot that the claim brings, and at most.

        Args:
            short: Tasks with short jobs, and the number that one slot lets through in the time that a claimed job may wait.
            may_wait: False: claim none ahead.

        Returns:
            Parallel arrays for SQL.
        """
        each = [n if may_wait and task not in self._ended_by_handlers else 0 for task, n in short.items()]
        most = [_MOST_WAITING - len(self._waiting[task]) for task in short]
        held = [
            n * min(self._held[task], self.threads) - len(self._waiting[task])
            for task, n in zip(short, each, strict=True)
        ]
        return {"short": list(short), "more": list(map(min, held, most)), "per_slot": each, "most": most}

    def without_slot(self) -> list[Claim]:
        """Take out the jobs that wait for a slot of a task that has none left here."""
        return self._take_out(lambda message: not self._held[message.claim.task])

    def waiting_since(self, before: float) -> list[Claim]:
        """Take out the jobs that have waited since before that time (monotonic seconds)."""
        return self._take_out(lambda message: message.claim.received < before)

    def drop(self, claim: Claim) -> None:
        """Take one job out."""
        self._take_out(lambda message: message.claim is claim)

    def of_queue(self, queue: str) -> list[Claim]:
        """Take out the jobs of a queue that wait."""
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
        # By the database's times alone, this job might seem to start before the last holder of the slot ended.
        before = slot.holder
        apart = (before.claimed_on - claim.claimed_on).total_seconds() - (before.received - claim.received)
        if -_MARGIN < apart < claim.received - claim.asked + _CLOCK_DRIFT:
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
        self._unreported.add(task)
