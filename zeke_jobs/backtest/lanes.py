"""The due jobs of a task, in the order in which they start, and the room of their keys."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from zeke_jobs.backtest.limits import NEVER, Limit, Spacing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zeke_jobs.backtest.workload import Key
    from zeke_jobs.config.models import Task

#: What holds due jobs back, beside limits by their names.
THREADS, PAUSED, KEY = "threads", "paused", "key"

_DEFERRED = 1.0  # seconds; the least deferral of a job that fails while a breaker is open
Waiting = tuple[float, int, int]  # due time, order of sending, job


class Holdups:
    """What holds the due jobs of a task back.

    Attributes:
        cause: The cause at the last look; empty if there was none, or no job is due.
        held: Seconds in which each cause did so, within ``span``.
    """

    def __init__(self) -> None:
        self.cause, self.held = "", dict[str, float]()
        self.span = (float("-inf"), float("inf"))
        self._since = 0.0

    def note(self, cause: str, now: float) -> None:
        """Note what does so from now on."""
        if cause != self.cause:
            passed = min(now, self.span[1]) - max(self._since, self.span[0])
            if self.cause and passed > 0:
                self.held[self.cause] = self.held.get(self.cause, 0.0) + passed
            self.cause, self._since = cause, now


@dataclass(slots=True)
class Level:
    """The due jobs of one task and priority, in order, by key: of keys that may have room, and of others. ``due`` counts them."""

    priority: int
    open: OrderedDict[Key | None, list[Waiting]] = field(default_factory=OrderedDict)
    shut: dict[Key | None, list[Waiting]] = field(default_factory=dict)
    due: int = 0


class Lane:
    """The queued jobs of one task.

    Attributes:
        levels: Its due jobs by priority.
        due, high: Number of due jobs, and the highest since it was last reset.
        holdups: What holds its due jobs back.
    """

    def __init__(self, task: Task, limits: tuple[Limit, ...], *, paused: bool) -> None:
        self.task, self.queue, self.limits, self.paused = task.id, task.queue, limits, paused
        rate = task.rate.per_key if task.rate else None
        self.strict, self.holds = task.order is not None, task.after_failure == "hold"
        self.is_keyed = bool(task.per_key or rate or self.strict)
        self.metered = any(limit.is_metered for limit in limits)
        self.estimates = {unit: float(estimate) for unit, estimate in task.units.items()}
        self.levels: dict[int, Level] = {}
        self.due = self.high = 0
        self.holdups = Holdups()
        self._per_key = task.per_key or NEVER
        self._spacing = Spacing(rate, 0) if rate else None
        self._active: dict[Key | None, int] = {}
        self._shut: set[Key | None] = set()
        self._gone: set[int] = set()  # jobs that left the queue unstarted and are still in a heap, not at its head
        self._next: dict[Key | None, float] = {}
        self._resting: list[tuple[float, int, Key | None]] = []  # when the rates of keys let the next job start
        self._pushed = 0
        # In strict order, each key's jobs that have not ended, and where a due one waits for another.
        self._line: dict[Key | None, dict[int, tuple[int, Waiting] | None]] = {}

    # ── due jobs ──

    def line_up(self, job: int, key: Key | None) -> None:
        """Give a job that was sent its place in the strict order."""
        if self.strict:
            self._line.setdefault(self._key(job, key), {}).setdefault(job, None)

    def add(self, priority: int, waiting: Waiting, key: Key | None) -> None:
        """Add a due job."""
        key = self._key(waiting[2], key)
        self.due += 1
        if self.strict and next(iter(self._line[key])) != waiting[2]:
            self._line[key][waiting[2]] = priority, waiting
        else:
            self._put(priority, waiting, key)

    def _put(self, priority: int, waiting: Waiting, key: Key | None) -> None:
        level = self.levels.get(priority)
        if level is None:
            level = self.levels[priority] = Level(priority)
        level.due += 1
        heappush((level.shut if key in self._shut else level.open).setdefault(key, []), waiting)

    def remove(self, priority: int, job: int, key: Key | None) -> None:
        """Remove a due job that has not started."""
        key = self._key(job, key)
        self.due -= 1
        if self.strict and self._line[key].get(job) is not None:
            self._line[key][job] = None
            return
        level = self.levels[priority]
        self._gone.add(job)
        self._less(level, level.open if key in level.open else level.shut, key, 1)

    def leave(self, job: int, key: Key | None, *, failed: bool) -> None:
        """A job has ended for good: in strict order the next one of its key may start, unless it failed and holds the key."""
        line = self._line.get(self._key(job, key))
        if line is None or job not in line or (failed and self.holds):
            return
        del line[job]
        first = next(iter(line), None)
        if first is not None and (waits := line[first]) is not None:
            line[first] = None
            self._put(*waits, self._key(job, key))

    def _less(self, level: Level, keys: dict[Key | None, list[Waiting]], key: Key | None, count: int) -> None:
        self._clean(keys[key])
        if not keys[key]:
            del keys[key]
        level.due -= count
        if not level.due:
            del self.levels[level.priority]

    def _clean(self, jobs: list[Waiting]) -> None:
        while jobs and jobs[0][2] in self._gone:
            self._gone.discard(heappop(jobs)[2])

    def _key(self, job: int, key: Key | None) -> Key | None:
        if not self.is_keyed:
            return None
        return -1 - job if key is None else key  # a job without a key has its own

    # ── keys ──

    def _room(self, key: Key | None, now: float) -> float:
        room = self._per_key - self._active.get(key, 0)
        return room if self._spacing is None else min(room, self._spacing.ready(self._next.get(key, -NEVER), now))

    def rested(self, now: float) -> float:
        """Reopen the keys whose rates let a job start now; returns when the next one does."""
        while self._resting and self._resting[0][0] <= now:
            self._reopen(heappop(self._resting)[2])
        return self._resting[0][0] if self._resting else NEVER

    def _reopen(self, key: Key | None) -> None:
        """Look at a key again in the next claim."""
        if key in self._shut:
            self._shut.discard(key)
            for level in self.levels.values():
                if key in level.shut:
                    level.open[key] = level.shut.pop(key)

    def take(self, level: Level, most: float, now: float, keys: Iterable[Key | None]) -> list[int]:
        """Start up to ``most`` jobs of a level; ``keys`` are its keys in the order of their turns."""
        started: list[int] = []
        for key in keys:
            jobs, room, count = level.open[key], self._room(key, now), 0
            while jobs and count < room and len(started) < most:
                started.append(heappop(jobs)[2])
                self._clean(jobs)
                count += 1
            if self.is_keyed:
                self._began(key, count, now)
                level.open.move_to_end(key)
            self._less(level, level.open, key, count)
            if count == room:
                self._shut.add(key)
                for one in self.levels.values():
                    if key in one.open:
                        one.shut[key] = one.open.pop(key)
            if len(started) == most:
                break
        self.due -= len(started)
        return started

    def _began(self, key: Key | None, count: int, now: float) -> None:
        self._active[key] = self._active.get(key, 0) + count
        if self._spacing is not None and count:
            self._next[key] = self._spacing.moved(self._next.get(key, -NEVER), count, now)
            self._pushed += 1
            heappush(self._resting, (self._next[key], self._pushed, key))

    def end(self, job: int, key: Key | None) -> None:
        """An attempt ended: its key has room for another job."""
        if self.is_keyed:
            key = self._key(job, key)
            self._active[key] -= 1
            if not self._active[key]:
                del self._active[key]
            self._reopen(key)

    # ── causes ──

    def room(self, now: float) -> tuple[float, str, float]:
        """How many jobs its limits let start, what allows no more, and until when."""
        found = (NEVER, "", NEVER)
        for limit in self.limits:
            one = limit.room(now)
            if one[0] < found[0]:
                found = one
        return found

    def obstacle(self, now: float) -> str:
        """What holds its due jobs back while all threads are busy."""
        room, cause, _ = (0, PAUSED, NEVER) if self.paused else self.room(now)
        if room <= 0:
            return cause
        return THREADS if any(level.open for level in self.levels.values()) else KEY

    def deferred_until(self, now: float) -> float | None:
        """The end of the deferral for a job that fails while a breaker is open; None if none is open."""
        paused = [limit.breaker.until for limit in self.limits if limit.breaker and limit.breaker.until is not None]
        return max(now + _DEFERRED, *paused) if paused else None
