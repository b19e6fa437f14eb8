"""The due jobs of a task, in the order in which they start, and the room of their keys."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from heapq import heappop, heappush
from typing import Any

from zeke_jobs.backtest.limits import NEVER, Bucket, Rate
from zeke_jobs.backtest.workload import Attempt, Job
from zeke_jobs.config.models import Task

#: What holds due jobs back, beside limits by their names.
THREADS, PAUSED, KEY = "threads", "paused", "key"


class Live:
    """A job that has been sent and has not ended.

    Attributes:
        key: Its key as its lane counts it: a job without a key has its own.
        order: Its order of sending.
        due: When it is due, while it is queued.
        is_due: Whether it is due, and has not started.
        tried: Attempts that have ended.
        retries: Retries by the policy among them.
    """

    __slots__ = ("due", "is_due", "job", "key", "lane", "order", "priority", "retries", "tried")

    def __init__(self, job: Job, lane: Lane, order: int) -> None:
        self.job, self.lane, self.order = job, lane, order
        self.priority = lane.priority if job.priority is None else job.priority
        self.key: Any = None if not lane.is_keyed else self if job.key is None else job.key
        self.due, self.is_due = 0.0, False
        self.tried = self.retries = 0

    @property
    def attempt(self) -> Attempt:
        """The attempt that it makes now. A job whose last recorded attempt failed is assumed to fail again."""
        attempts = self.job.attempts
        return attempts[self.tried] if self.tried < len(attempts) else attempts[-1]


class Lane:
    """The queued jobs of one task.

    Attributes:
        jobs: Its due jobs by priority and key, in order.
        open: For each priority the keys that may have room, in the order of their turns.
        due, high: Number of due jobs, and the highest since it was last reset.
        cause: What holds its due jobs back; empty if nothing did at the last look, or no job is due.
        held: Seconds in which each cause did so, within ``span``.
        line: In strict order, each key's jobs that have not ended.
    """

    def __init__(self, task: Task, limits: list[Bucket], *, key_rate: Rate | None, paused: bool) -> None:
        self.task, self.queue, self.priority, self.paused = task.id, task.queue, task.priority, paused
        self.limits = [(bucket, float(task.units.get(bucket.unit, 0))) for bucket in limits]
        self.metered = [bucket for bucket in limits if bucket.rate or bucket.unit != "jobs"]
        self.is_strict, self.holds = task.order is not None, task.after_failure == "hold"
        self.is_keyed = task.per_key is not None or key_rate is not None
        self.jobs: dict[int, dict[Any, list[tuple[float, int, Live]]]] = {}
        self.open: dict[int, dict[Any, None]] = {}
        self.due = self.high = 0
        self.cause, self.held, self.span = "", dict[str, float](), (-NEVER, NEVER)
        self._since = 0.0
        self._per_key, self._rate = task.per_key or NEVER, key_rate
        self._rates: dict[Any, Rate] = {}
        self._active: dict[Any, int] = {}
        self._resting: list[tuple[float, int, Any]] = []  # when the rates of keys let the next job start
        self._pushed = 0
        self.line: dict[Any, dict[Live, None]] = {}

    def add(self, live: Live, now: float) -> None:
        """Add a due job."""
        live.is_due = True
        self.due += 1
        self.high = max(self.high, self.due)
        if not self.is_strict or next(iter(self.line[live.key])) is live:
            self.put(live, now)

    def put(self, live: Live, now: float) -> None:
        """Let a due job start when its turn comes."""
        jobs, open_ = self.jobs.setdefault(live.priority, {}), self.open.setdefault(live.priority, {})
        heappush(jobs.setdefault(live.key, []), (live.due, live.order, live))
        if not self.is_keyed or self._room(live.key, now) > 0:
            open_.setdefault(live.key)

    def remove(self, live: Live, now: float) -> None:
        """Remove a due job that has not started."""
        live.is_due = False
        self.due -= 1
        if live.key in self.jobs.get(live.priority, ()):
            self._clean(live.priority, live.key)
        if not self.due:
            self.note("", now)

    def _clean(self, priority: int, key: Any) -> None:
        """Forget jobs of a key that left the queue unstarted, the key if none is left, and the priority if no key is."""
        by_key, jobs = self.jobs[priority], self.jobs[priority][key]
        while jobs and not jobs[0][2].is_due:
            heappop(jobs)
        if not jobs:
            del by_key[key]
            self.open[priority].pop(key, None)
            if not by_key:
                del self.jobs[priority], self.open[priority]

    def take(self, priority: int, most: float, now: float, keys: Iterable[Any]) -> list[Live]:
        """Start up to ``most`` jobs of a priority; ``keys`` are its keys in the order of their turns."""
        started: list[Live] = []
        for key in keys:
            jobs, open_, count = self.jobs[priority][key], self.open[priority], 0
            room = self._room(key, now) if self.is_keyed else NEVER
            open_[key] = open_.pop(key)  # behind the others
            while jobs and count < room and len(started) < most:
                live = heappop(jobs)[2]
                if live.is_due:
                    live.is_due = False
                    started.append(live)
                    count += 1
            if self.is_keyed and count:
                self._active[key] = self._active.get(key, 0) + count
                if self._rate is not None:
                    rate = self._rates.setdefault(key, copy(self._rate))
                    rate.move(count, now)
                    self._pushed += 1
                    heappush(self._resting, (rate.next_at, self._pushed, key))
            if self.is_keyed and count == room:
                for others in self.open.values():
                    others.pop(key, None)
            self._clean(priority, key)
            if len(started) == most:
                break
        self.due -= len(started)
        return started

    def end(self, key: Any) -> None:
        """An attempt ended: its key has room for another job."""
        if self.is_keyed:
            self._active[key] -= 1
            if not self._active[key]:
                del self._active[key]
            self._reopen(key)

    def rested(self, now: float) -> float:
        """Reopen the keys whose rates let a job start now; returns when the next one does."""
        while self._resting and self._resting[0][0] <= now:
            self._reopen(heappop(self._resting)[2])
        return self._resting[0][0] if self._resting else NEVER

    def _reopen(self, key: Any) -> None:
        for priority, jobs in self.jobs.items():
            if key in jobs:
                self.open[priority].setdefault(key)

    def _room(self, key: Any, now: float) -> float:
        room = self._per_key - self._active.get(key, 0)
        return min(room, self._rates[key].ready(now)) if key in self._rates else room

    def room(self, now: float) -> tuple[float, str, float]:
        """How many jobs its limits let start, what allows no more, and until when."""
        rooms = (bucket.room(now) for bucket, _ in self.limits)
        return min(rooms, key=lambda room: room[0], default=(NEVER, "", NEVER))

    def obstacle(self, now: float) -> str:
        """What holds its due jobs back while all threads are busy."""
        room, cause, _ = (0, PAUSED, NEVER) if self.paused else self.room(now)
        if room <= 0:
            return cause
        return THREADS if any(self.open.values()) else KEY

    def note(self, cause: str, now: float) -> None:
        """Note what holds its due jobs back from now on."""
        if cause != self.cause:
            passed = min(now, self.span[1]) - max(self._since, self.span[0])
            if self.cause and passed > 0:
                self.held[self.cause] = self.held.get(self.cause, 0.0) + passed
            self.cause, self._since = cause, now
