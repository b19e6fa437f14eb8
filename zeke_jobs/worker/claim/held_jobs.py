"""Keeps the jobs that a worker process holds, with their stages, and computes how many more jobs the process can claim."""

import math
import threading
import time
from collections.abc import Iterable
from uuid import UUID

from zeke_jobs.worker.claim.claims import Claim, Stage

_SHORT = 0.05  # seconds; if jobs of a task run longer, they are only claimed for free threads
_AHEAD, _MOST_AHEAD = 0.03, 256  # seconds (plus the time of four claims) and number of jobs that may wait for a thread
_LONGEST_AHEAD, _LONGEST_CLAIM = 0.5, 0.01  # seconds; longer times count as these, the second for jobs with limits
_SMOOTHING, _TOO_LONG = 0.1, 0.1  # the second in seconds: a job that runs longer is long, and no other waits for it


class HeldJobs:
    """Keeps the claims of a process. Every change is made under one lock, so threads can share the object.

    docs/engine-internals.md shows a claim's stages. Only the first caller that ends a claim records the outcome.
    """

    def __init__(self, threads: int = 0, places: int = 0) -> None:
        self.threads = threads
        self.places = places  # number of async handlers that may run at once; their jobs take a place, not a thread
        self.changed = threading.Condition(threading.RLock())  # notified when the process holds no job any more
        self.lost = 0  # number of threads whose handlers ignore an interrupt
        self._on_loop = 0  # number of jobs of async handlers
        self._claims: dict[UUID, Claim] = {}
        self._accepted = 0
        self._taken = self._started = self._long = 0  # numbers of jobs: with or awaiting a thread; started; long
        self._apart = 0  # number of held jobs that must run alone
        self._duration = _SHORT  # smoothed seconds of a short job
        self._durations: dict[str, float] = {}  # smoothed seconds of a job, by task
        self._pace, self._started_on = 0.0, 0.0  # jobs that threads can end per second; when one last started a job
        self._finished, self._counted_on = 0, time.monotonic()  # number of jobs that threads have ended since this time
        self._flows = False  # whether the last claim brought only short jobs

    # ── stages of a claim ──

    def accept(self, claims: Iterable[tuple[Claim, bool]], *, lack_threads: bool = False) -> list[Claim]:
        """Take new claims, each with a flag: whether its job may wait for a thread if its task's jobs are short.

        ``lack_threads`` is True if the database left other jobs to processes with free threads. Returns one claim for
        each job, in the same order: the new one, or an earlier one under which this process still runs the job.
        """
        with self.changed:
            factor = 2 if self.waiting() <= 0 else 1  # threads that ran out of jobs could have ended more
            held = [self._accept(claim, may_wait=may_wait) for claim, may_wait in claims]
            if lack_threads or any(not claim.is_async for claim in held):
                self._flows, now = not (lack_threads or any(claim.long for claim in held)), time.monotonic()
                past = now - self._counted_on
                self._pace += (factor * self._finished - self._pace * past) / max(past, _AHEAD)
                self._finished, self._counted_on = 0, now
            return held

    def _accept(self, claim: Claim, *, may_wait: bool) -> Claim:
        held = self._claims.get(claim.id)
        if held is not None and held.number == claim.number:
            held.marked = False  # the server lost the claim in a crash, and the job was claimed again; its run goes on
            return held
        if held is not None and not held.ended:
            return held
        self.forget([held] if held else [])  # the database has the end of the old claim, but has not confirmed it yet
        self._claims[claim.id] = claim
        claim.move(Stage.WAITS)
        self._accepted += 1
        claim.order = self._accepted
        if claim.is_async:
            self._on_loop += 1
        else:
            claim.long = not (may_wait and self._durations.get(claim.task, _TOO_LONG) <= _SHORT)
            self._taken += 1
            self._long += claim.long
        self._apart += claim.deaths > 1
        return claim

    def join(self, chunks: Iterable[list[Claim]]) -> None:
        """Make each list of accepted claims a chunk, which takes one thread or async place until its last job ends."""
        with self.changed:
            for claims in chunks:
                chunk = [claim for claim in claims if not claim.ended]
                for claim in chunk[1:]:
                    self._leave(claim)
                self._long += sum(not (claim.is_async or claim.long) for claim in chunk[:1])
                for claim in chunk:
                    claim.chunk, claim.long = chunk, True

    def start(self, claim: Claim) -> bool:
        """Record that a thread starts a job. Returns False if the job has ended in the meantime."""
        with self.changed:
            if claim.ended:
                return False
            claim.move(Stage.RUNS)
            self._started += not (claim.is_async or _has_started(claim))
            claim.started = time.monotonic()
            self._started_on = self._started_on if claim.is_async else claim.started
            return True

    def end(self, claim: Claim, *, unstarted: bool = False) -> bool:
        """End a job and free its thread; if ``unstarted``, only before its start. Returns whether the job ended now."""
        with self.changed:
            was = claim.stage
            if was is Stage.ENDED or (unstarted and was not in (Stage.CLAIMED, Stage.WAITS)):
                return False
            claim.move(Stage.ENDED)
            if was is not Stage.CLAIMED and all(one.stage is Stage.ENDED for one in reversed(claim.together)):
                self._leave(claim)
            if was is Stage.GIVEN_UP:
                self.lost -= not claim.is_async
                return False
            claim.done = time.monotonic()
            return True

    def _leave(self, claim: Claim) -> None:
        if claim.is_async:
            self._on_loop -= 1
            return
        self._taken -= 1
        self._long -= claim.long
        self._started -= _has_started(claim)
        if claim.started is not None and not claim.chunk:
            self._finished += 1
            self._learn(claim.task, time.monotonic() - claim.started)

    def give_up(self, claim: Claim) -> bool:
        """End a job whose handler still runs. The handler keeps its thread or async place until it returns."""
        with self.changed:
            if claim.stage is not Stage.RUNS:
                return False
            claim.move(Stage.GIVEN_UP)
            claim.done = time.monotonic()
            self.lost += not claim.is_async
            return True

    def forget(self, claims: Iterable[Claim]) -> None:
        """Forget claims whose outcomes are stored, or that this process no longer holds."""
        with self.changed:
            for claim in claims:
                if self._claims.get(claim.id) is claim:
                    del self._claims[claim.id]
                    self._apart -= claim.deaths > 1
            if not self._claims:
                self.changed.notify_all()

    # ── how much to claim ──

    def want(self, took: float = 0.0, *, is_async: bool = False) -> int:
        """Return how many jobs to claim, or 0 to wait for room for more. The last claim took ``took`` seconds."""
        with self.changed:
            if self._apart or is_async:
                return 0 if self._apart else max(0, self.free(is_async=True))
            free, ahead = self.free(), self._ahead(min(_LONGEST_AHEAD, _AHEAD + 4 * took), self._pace)
            return max(0, free) if not ahead else free + ahead if free + ahead > ahead // 2 else 0

    def room(self, took: float, *, is_async: bool = False) -> tuple[int, int]:
        """Return the free threads or async places, and how many jobs with limits may wait ``took`` seconds for one."""
        with self.changed:
            ahead = self._ahead(min(took, _LONGEST_CLAIM), self.threads / self._duration)
            return self.free(is_async=is_async), 0 if is_async else ahead

    def _ahead(self, seconds: float, pace: float) -> int:
        flows = self._flows and self._long + (self._long > 0) < self.threads  # one thread more may soon run long
        return min(_MOST_AHEAD, math.ceil(pace * seconds)) if flows else 0

    def behind_long_job(self) -> list[Claim]:
        """Return the jobs that have waited too long for a thread. Also record which jobs and tasks run long."""
        with self.changed:
            now, idle = time.monotonic(), max(0, self.threads - self._started)
            in_threads = [one for one in self._claims.values() if not one.is_async]
            for claim in in_threads:
                if claim.stage is Stage.RUNS and claim.started and now - claim.started > _TOO_LONG:
                    self._long += not claim.long
                    claim.long = True
                    self._learn(claim.task, now - claim.started)
            waiting = [one for one in in_threads if one.stage is Stage.WAITS and not one.chunk]
            longest = 2 * _LONGEST_AHEAD if now - self._started_on < 2 * _TOO_LONG else _TOO_LONG
            return [one for one in waiting[idle:] if now - one.received > longest]  # idle threads start the others

    def _learn(self, task: str, duration: float) -> None:
        self._duration += _SMOOTHING * (duration - self._duration) if duration <= _SHORT else 0.0
        known = min(self._durations.get(task, duration), _TOO_LONG)
        self._durations[task] = known + _SMOOTHING * (min(duration, _TOO_LONG) - known)

    # ── state ──

    def free(self, *, is_async: bool = False) -> int:
        """Return the number of free threads minus the jobs that wait for one; for async handlers, the free places."""
        return self.places - self._on_loop if is_async else self.threads - self._taken

    def waiting(self) -> int:
        """Return the number of jobs that wait for a thread."""
        return self._taken - self._started

    def find(self, job: UUID) -> Claim | None:
        """Return the claim that this process holds for a job."""
        return self._claims.get(job)

    def all(self) -> list[Claim]:
        """Return the claims that this process holds at this moment."""
        with self.changed:
            return list(self._claims.values())

    def __len__(self) -> int:
        return len(self._claims)


def _has_started(claim: Claim) -> bool:
    """Return whether a thread has started this job or another job of the same chunk."""
    return any(one.started is not None for one in claim.together)
