"""The only owner of a worker process's claims: the stage of each job, the free threads, and the slots."""

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
    from zeke_jobs.worker.claim.slots import Kept


class Accepted(NamedTuple):
    """What became of a claim that came from the database.

    Attributes:
        held: The claim that this process holds of that job: this one, or an earlier one.
        starts: Who starts now: this one, or one that waited longer for a slot.
    """

    held: Claim
    starts: JobMessage | None = None


class End(NamedTuple):
    """What the end of a job brings.

    Attributes:
        is_first: Nobody had ended it before; the caller says how it ended.
        successor: Who starts in its slot.
        frees: It leaves the first free thread of a process that was full.
    """

    is_first: bool
    successor: JobMessage | None = None
    frees: bool = False


class HeldJobs:
    """Thread-safe: each method is one step under one lock, and ``Claim.move`` raises where a step does not fit a claim's stage.

    docs/engine-internals.md draws the stages. Whoever ends a claim first says how it ended, so that one end counts once.
    """

    def __init__(self, threads: int = 0) -> None:
        self._claims: dict[UUID, Claim] = {}
        self._capacity = Capacity(threads)
        self._slots = Slots(threads)
        self._looks = 0
        self._one_looks_alone = False
        self._changed = threading.Condition(threading.RLock())

    def resize(self, threads: int) -> None:
        """So many threads run handlers; known before the first claim."""
        with self._changed:
            self._capacity.threads = self._slots.threads = threads

    # ── a claim's way ──

    def accept(self, message: JobMessage) -> Accepted:
        """A claim came from the database."""
        claim = message.claim
        with self._changed:
            held = self._claims.get(claim.id)
            if held is not None and held.number == claim.number:
                # The server forgot the claim in a crash; its run goes on, and the number is the same again.
                held.marked = False
                if claim.is_ahead:
                    self._slots.forgotten(held)
                return Accepted(held)
            if held is not None and not held.ended:
                return Accepted(held)
            # The end of an earlier run is written; only the word of it had not come back yet.
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
        """A thread begins with a job; False when it has ended in the meantime."""
        with self._changed:
            if claim.ended:
                return False
            self._capacity.start(claim)
            return True

    def end(self, claim: Claim, *, unstarted: bool = False, is_written: bool = False, gives: bool = True) -> End:
        """A job has ended, its place is free, and its slot is another's.

        Args:
            claim: The job.
            unstarted: It ends before its start, and not at all once it has started.
            is_written: The database knows, and has given its slot to others.
            gives: False, and nobody starts in its slot.
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
            successor = self._hand_on(claim, is_written=is_written, gives=gives)
            return End(True, successor, frees and successor is None)

    def give_up(self, claim: Claim, *, gives: bool = True) -> End:
        """A job that runs ends without its handler, whose thread is lost until it returns."""
        with self._changed:
            if claim.stage is not Stage.RUNS:
                return End(is_first=False)
            self._capacity.give_up(claim)
            return End(True, self._hand_on(claim, is_written=False, gives=gives))

    def written(self, claim: Claim) -> None:
        """The database knows its end, or it is no longer ours: forget it, and wake a consumer that waits for room."""
        with self._changed:
            if self._claims.get(claim.id) is claim:
                del self._claims[claim.id]
            self._changed.notify_all()

    def _hand_on(self, claim: Claim, *, is_written: bool, gives: bool) -> JobMessage | None:
        successor = self._slots.end(claim, is_written=is_written, gives=gives)
        if successor is not None:
            self._capacity.take(successor.claim)
        return successor

    def unmarked(self, longer_than: float, tasks: Collection[str] | None = None) -> list[Claim]:
        """Those that have run for so many seconds, of which the database has not been told that they started; of some tasks."""
        now = time.monotonic()
        return [
            claim
            for claim in self.all()
            if claim.started is not None
            and not (claim.marked or claim.ended)
            and now - claim.started > longer_than
            and (tasks is None or claim.task in tasks)
        ]

    # ── those that wait, and are not to start here: they have ended with the answer ──

    def late(self) -> tuple[list[Claim], float]:
        """Those that wait for a thread behind a long job, and have not ended; and since when one waits too long."""
        with self._changed:
            before, is_long = self._capacity.too_late(self._claims.values())
            waiting = [one for one in self._claims.values() if is_long and one.stage is Stage.WAITS_FOR_THREAD]
            return [one for one in waiting if one.received < before], before

    def late_for_slots(self, before: float) -> list[Claim]:
        """Those that wait for a slot since a time before that (monotonic seconds)."""
        with self._changed:
            return self._slots.late(before)

    def stranded(self) -> list[Claim]:
        """Those that wait for a slot of a task of which none is left here."""
        with self._changed:
            return self._slots.stranded()

    def of_queue(self, queue: str) -> list[Claim]:
        """Those of a queue that wait for a slot."""
        with self._changed:
            return self._slots.of_queue(queue)

    def lose_slots(self) -> list[Claim]:
        """This process was taken for dead, and others have its slots: answers the jobs that wait for one."""
        with self._changed:
            return self._slots.lose(self._claims.values())

    # ── what the database is told of slots ──

    def write(self, claims: Iterable[Claim]) -> Kept:
        """The ends of these claims are about to be written. The answer must be written before them, or with them."""
        with self._changed:
            return self._slots.write(claims)

    def doubt_slots(self) -> None:
        """The server may have crashed and forgotten, or never have heard: tell it all again."""
        with self._changed:
            self._slots.doubt()

    def has_unsaid(self) -> bool:
        """Whether the database has not been told of all slots that are kept here."""
        return self._slots.has_unsaid()

    # ── how much to claim ──

    @contextmanager
    def look(self, room: int, *, alone: bool) -> Iterator[int]:
        """How many jobs to claim within the block, which ends when they are accepted; 0 is no look.

        Args:
            room: How many the process has room for.
            alone: Jobs that must run apart from all others: while nothing is held, and no other look is under way.
        """
        with self._changed:
            # Nobody sees yet what a look will bring that is under way.
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

    def short(self) -> dict[str, int]:
        """As ``Capacity.short``."""
        with self._changed:
            return self._capacity.short()

    def more(self, short: Mapping[str, int], *, may_wait: bool) -> dict[str, list[Any]]:
        """As ``Slots.more``."""
        with self._changed:
            return self._slots.more(short, may_wait=may_wait)

    def is_low(self, task: str) -> bool:
        """As ``Slots.is_low``."""
        with self._changed:
            return self._slots.is_low(task)

    # ── what is there; a reading may be a moment old ──

    @property
    def threads(self) -> int:
        """Threads that run handlers."""
        return self._capacity.threads

    @property
    def lost(self) -> int:
        """Threads whose handlers take no notice of an interrupt."""
        return self._capacity.lost

    def free(self) -> int:
        """Threads without a job; below zero by the number of jobs claimed ahead."""
        return self._capacity.free()

    def waiting(self) -> int:
        """Jobs that have a place and have not started."""
        return self._capacity.waiting()

    def find(self, job: UUID) -> Claim | None:
        """The claim that this process holds of a job."""
        return self._claims.get(job)

    def all(self) -> list[Claim]:
        """The claims at this moment."""
        with self._changed:
            return list(self._claims.values())

    def __len__(self) -> int:
        return len(self._claims)

    def wait_for_change(self, timeout: float) -> None:
        """Return when a job has ended or its end is written, or after ``timeout`` seconds."""
        with self._changed:
            self._changed.wait(timeout)
