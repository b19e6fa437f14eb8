"""The only owner of a worker process's claims: the stage of each job, the free threads and the slots."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from zeke_jobs.worker.claim.capacity import Capacity
from zeke_jobs.worker.claim.claims import UNSTARTED, Stage
from zeke_jobs.worker.claim.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from uuid import UUID

    from zeke_jobs.worker.claim.claims import Claim, JobMessage
    from zeke_jobs.worker.claim.slots import KeptSlots


class Accepted(NamedTuple):
    """The result of accepting a claim from the database.

    Attributes:
        held: The claim that this process holds for that job: this one, or an earlier one.
        starts: The job that starts now: this one, or one that has waited longer for a slot.
    """

    held: Claim
    starts: JobMessage | None = None


class End(NamedTuple):
    """The effects of a job's end.

    Attributes:
        is_first: The job had not ended before; so the caller records its outcome.
        successor: The job that starts in its slot.
        frees: The process was full, and this leaves its first free thread.
    """

    is_first: bool
    successor: JobMessage | None = None
    frees: bool = False


class HeldJobs:
    """Thread-safe: each method is one step under one lock. ``Claim.move`` raises when a step does not fit the claim's stage.

    docs/engine-internals.md draws the stages. Only the first caller that ends a claim records its outcome, so an end counts once.
    """

    def __init__(self, threads: int = 0) -> None:
        self._claims: dict[UUID, Claim] = {}
        self._capacity = Capacity(threads)
        self._slots = Slots(threads)
        self._looks = 0
        self._one_looks_alone = False
        self._changed = threading.Condition(threading.RLock())

    def resize(self, threads: int) -> None:
        """Set the number of threads that run handlers; called before the first claim."""
        with self._changed:
            self._capacity.threads = self._slots.threads = threads

    # ── stages of a claim ──

    def accept(self, message: JobMessage) -> Accepted:
        """A claim came from the database."""
        claim = message.claim
        with self._changed:
            held = self._claims.get(claim.id)
            if held is not None and held.number == claim.number:
                # The server lost the claim in a crash, and has given it again with the same number. The run goes on.
                held.marked = False
                if claim.is_ahead:
                    self._slots.claimed_again(held)
                return Accepted(held)
            if held is not None and not held.ended:
                return Accepted(held)
            # The database has the end of the earlier run, but its answer has not arrived here yet.
            self._claims[claim.id] = claim
            starts: JobMessage | None = message
            if claim.is_ahead:
                claim.move(Stage.WAITS_FOR_SLOT)
                starts = self._slots.wait(message)
            else:
                self._slots.take(claim)
            if starts is not None:
                self._capacity.take(starts.claim)
            return Accepted(claim, starts)

    def start(self, claim: Claim) -> bool:
        """A thread starts a job; False when the job has ended in the meantime."""
        with self._changed:
            if claim.ended:
                return False
            self._capacity.start(claim)
            return True

    def end(self, claim: Claim, *, unstarted: bool = False, is_written: bool = False, hand_on: bool = True) -> End:
        """A job ends: its place is free, and its slot goes to another job.

        Args:
            claim: The job.
            unstarted: End it only if it has not started.
            is_written: The database knows the end, and has given the slot to others.
            hand_on: False: no job starts in its slot.
        """
        with self._changed:
            was = claim.stage
            if was is Stage.ENDED or (unstarted and was not in UNSTARTED):
                return End(is_first=False)
            if was is Stage.WAITS_FOR_SLOT:
                self._slots.drop(claim)
                return End(is_first=True)
            frees = self._capacity.end(claim)
            self._changed.notify_all()
            if was is Stage.GIVEN_UP:
                return End(is_first=False, frees=frees)
            successor = self._hand_on(claim, is_written=is_written, hand_on=hand_on)
            return End(True, successor, frees and successor is None)

    def give_up(self, claim: Claim, *, hand_on: bool = True) -> End:
        """End a running job without its handler. Its thread is lost until the handler returns."""
        with self._changed:
            if claim.stage is not Stage.RUNS:
                return End(is_first=False)
            self._capacity.give_up(claim)
            return End(True, self._hand_on(claim, is_written=False, hand_on=hand_on))

    def forget(self, claims: Iterable[Claim]) -> None:
        """Forget claims whose ends the database knows, or that are no longer ours. Wakes a consumer that waits for room."""
        with self._changed:
            for claim in claims:
                if self._claims.get(claim.id) is claim:
                    del self._claims[claim.id]
            self._changed.notify_all()

    def _hand_on(self, claim: Claim, *, is_written: bool, hand_on: bool) -> JobMessage | None:
        successor = self._slots.end(claim, is_written=is_written, hand_on=hand_on)
        if successor is not None:
            self._capacity.take(successor.claim)
        return successor

    def unmarked(self, longer_than: float, tasks: Collection[str] | None = None) -> list[Claim]:
        """Jobs, of these tasks only, that have run longer than so many seconds and whose start the database does not know."""
        now = time.monotonic()
        return [
            claim
            for claim in self.all()
            if claim.started is not None
            and not (claim.marked or claim.ended)
            and now - claim.started > longer_than
            and (tasks is None or claim.task in tasks)
        ]

    # ── waiting jobs to hand back; the methods below end them ──

    def behind_long_job(self) -> tuple[list[Claim], float]:
        """Jobs that have waited too long for a thread behind a long job. This does not end them yet.

        Returns:
            The jobs, and the time of ``Capacity.too_long_since``.
        """
        with self._changed:
            before, is_long = self._capacity.too_long_since(self._claims.values())
            waiting = [one for one in self._claims.values() if is_long and one.stage is Stage.WAITS_FOR_THREAD]
            return [one for one in waiting if one.received < before], before

    def waiting_for_slot_since(self, before: float) -> list[Claim]:
        """Jobs that have waited for a slot since before that time (monotonic seconds)."""
        with self._changed:
            return self._slots.waiting_since(before)

    def without_slot(self) -> list[Claim]:
        """Jobs that wait for a slot of a task that has none left here."""
        with self._changed:
            return self._slots.without_slot()

    def of_queue(self, queue: str) -> list[Claim]:
        """Jobs of a queue that wait for a slot."""
        with self._changed:
            return self._slots.of_queue(queue)

    def lose_slots(self) -> list[Claim]:
        """Others took this process for dead and have its slots. Returns the jobs that waited for one."""
        with self._changed:
            return self._slots.lose(self._claims.values())

    # ── reports about slots to the database ──

    def write(self, claims: Iterable[Claim]) -> KeptSlots:
        """Prepare to write the ends of these claims. Write the returned report before the ends, or with them."""
        with self._changed:
            return self._slots.write(claims)

    def report_slots_again(self) -> None:
        """Report all slots again: the server may have crashed and forgotten them, or never have received the report."""
        with self._changed:
            self._slots.report_again()

    def has_unreported_slots(self) -> bool:
        """Whether some kept slots are not reported to the database yet."""
        return self._slots.has_unreported()

    # ── how much to claim ──

    @contextmanager
    def look(self, room: int, *, alone: bool) -> Iterator[int]:
        """Yield the number of jobs to claim inside the block; 0: do not look. The block ends when the jobs are accepted.

        Args:
            room: Number of jobs that the process has room for.
            alone: Claim a job that must run apart from all others: only while no job is held and no other look is under way.
        """
        with self._changed:
            # Another look under way may still bring jobs.
            if self._one_looks_alone or (alone and (self._looks or self._claims)):
                room = 0
            if room > 0:
                self._looks += 1
                self._one_looks_alone = alone
        try:
            yield room
        finally:
            if room > 0:
                with self._changed:
                    self._looks -= 1
                    self._one_looks_alone = False

    def room(self, *, may_be_ahead: bool = True) -> int:
        """As ``Capacity.room``."""
        with self._changed:
            return self._capacity.room(may_be_ahead=may_be_ahead)

    def short_tasks(self) -> dict[str, int]:
        """As ``Capacity.short_tasks``."""
        with self._changed:
            return self._capacity.short_tasks()

    def ahead_limits(self, short: Mapping[str, int], *, may_wait: bool) -> dict[str, list[Any]]:
        """As ``Slots.ahead_limits``."""
        with self._changed:
            return self._slots.ahead_limits(short, may_wait=may_wait)

    def is_low(self, task: str) -> bool:
        """As ``Slots.is_low``."""
        with self._changed:
            return self._slots.is_low(task)

    # ── state; a reading may be a moment old ──

    @property
    def threads(self) -> int:
        """Number of threads that run handlers."""
        return self._capacity.threads

    @property
    def lost(self) -> int:
        """Number of threads whose handlers ignore an interrupt."""
        return self._capacity.lost

    def free(self) -> int:
        """Number of threads without a job; negative by the number of jobs claimed ahead."""
        return self._capacity.free()

    def waiting(self) -> int:
        """Number of jobs that have a place and have not started."""
        return self._capacity.waiting()

    def find(self, job: UUID) -> Claim | None:
        """The claim that this process holds for a job."""
        return self._claims.get(job)

    def all(self) -> list[Claim]:
        """All claims at this moment."""
        with self._changed:
            return list(self._claims.values())

    def __len__(self) -> int:
        return len(self._claims)

    def wait_for_change(self, timeout: float) -> None:
        """Return when a job has ended or its end is written, or after ``timeout`` seconds."""
        with self._changed:
            self._changed.wait(timeout)
