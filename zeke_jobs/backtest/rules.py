"""Decides which job starts next, as the SQL function ``zeke_jobs.claim`` does (a test compares both).

1. Due jobs with the highest priority start first. Tasks whose due jobs have equal priority take turns in random order.
2. A task's oldest due jobs start first. The task's tightest limit bounds their number.
3. If a task has a limit or rate per key, its keys take turns. In a key's turn, as many jobs start as these allow.
4. If a task has ``order: strict``, only the oldest unfinished job of each key may start. With ``after_failure: hold``,
   a failed job blocks its key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from heapq import heappop, heappush
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from zeke_jobs.backtest.figures import TaskFigures
from zeke_jobs.backtest.limits import NEVER, Bucket, Rate, next_midnight
from zeke_jobs.backtest.workload import Attempt, Job, Workload
from zeke_jobs.config import catalogue
from zeke_jobs.config.models import Config, Task

#: These causes hold due jobs back, in addition to limits, whose causes have the limits' names.
THREADS, PAUSED, KEY = "threads", "paused", "key"


class Live:
    """Describes a simulated job that was sent and has not ended. ``order`` is the job's position in the order of sending."""

    __slots__ = ("due", "is_due", "job", "key", "lane", "order", "priority", "retries", "tried")

    def __init__(self, job: Job, lane: Lane, order: int) -> None:
        self.job, self.lane, self.order = job, lane, order
        self.priority = lane.task.priority if job.priority is None else job.priority
        # A job without a key gets a unique key.
        self.key: Any = None if not lane.is_keyed else self if job.key is None else job.key
        self.due, self.is_due = 0.0, False  # is_due: the job is due, and has not started
        self.tried = self.retries = 0  # attempts that have ended, and retries by the policy

    @property
    def attempt(self) -> Attempt:
        """Return the current attempt. If the simulation makes more attempts than recorded, the last one repeats."""
        return self.job.attempts[min(self.tried, len(self.job.attempts) - 1)]


class Lane:
    """Holds the queued jobs of one task. ``figures`` says how long each cause held jobs back before ``end``."""

    def __init__(self, task: Task, limits: list[Bucket], key_rate: Rate | None, end: float, *, paused: bool) -> None:
        self.task, self.paused, self._end = task, paused, end
        self.queued = self.ticks = 0  # queued jobs, due or not; unfinished jobs of ticks
        self.figures = TaskFigures(max_wait=task.max_wait.total_seconds() if task.max_wait else None)
        self.limits = [(bucket, float(task.units.get(bucket.unit, 0))) for bucket in limits]
        self.metered = [bucket for bucket in limits if bucket.rate or bucket.unit != "jobs"]
        self.is_keyed = task.per_key is not None or key_rate is not None
        self.jobs: dict[int, dict[Any, list[tuple[float, int, Live]]]] = {}  # due jobs by priority and key, in order
        self.open: dict[int, dict[Any, None]] = {}  # by priority, the keys whose jobs may start, in the order of turns
        self.line: dict[Any, dict[Live, None]] = {}  # in strict order, the jobs of each key that have not ended
        self.due = self.high = self._pushed = 0  # due jobs, and their maximum since the last reset
        self.cause, self._since = "", 0.0  # the cause that holds the due jobs back, and since when
        self._per_key, self._rate = task.per_key or NEVER, key_rate
        self._rates: dict[Any, Rate] = {}
        self._active: dict[Any, int] = {}
        self._resting: list[tuple[float, int, Any]] = []  # when the rates of keys let their next jobs start

    def add(self, live: Live, now: float) -> None:
        """Add a due job."""
        live.is_due = True
        self.due += 1
        self.high = max(self.high, self.due)
        if self.task.order is None or next(iter(self.line[live.key])) is live:
            self.put(live, now)

    def put(self, live: Live, now: float) -> None:
        """Put a due job into the order in which jobs start."""
        jobs, open_ = self.jobs.setdefault(live.priority, {}), self.open.setdefault(live.priority, {})
        heappush(jobs.setdefault(live.key, []), (live.due, live.order, live))
        if not self.is_keyed or self._room(live.key, now) > 0:
            open_.setdefault(live.key)

    def clean(self, priority: int, key: Any) -> None:
        """Remove withdrawn jobs from the front of a key's jobs. Remove the key and the priority if no job is left."""
        by_key, jobs = self.jobs[priority], self.jobs[priority][key]
        while jobs and not jobs[0][2].is_due:
            heappop(jobs)
        if not jobs:
            del by_key[key]
            self.open[priority].pop(key, None)
            if not by_key:
                del self.jobs[priority], self.open[priority]

    def take(self, priority: int, most: float, now: float, keys: Iterable[Any]) -> list[Live]:
        """Start up to ``most`` jobs of a priority. ``keys`` yields, one at a time, the key whose turn it is."""
        started: list[Live] = []
        for key in keys:
            jobs, open_, count = self.jobs[priority][key], self.open[priority], 0
            room = self._room(key, now) if self.is_keyed else NEVER
            open_[key] = open_.pop(key)  # move the key behind the other keys
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
            self.clean(priority, key)
            if len(started) == most:
                break
        self.due -= len(started)
        return started

    def end(self, key: Any) -> None:
        """Record that an attempt ended, so that another job with the same key may start."""
        if self.is_keyed:
            self._active[key] -= 1
            if not self._active[key]:
                del self._active[key]
            self._reopen(key)

    def rested(self, now: float) -> float:
        """Put keys whose rates allow a start back into ``open``. Returns the time at which the next key follows."""
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
        """Return the result of ``Bucket.room`` for the limit of the task that allows the fewest jobs now."""
        rooms = (bucket.room(now) for bucket, _ in self.limits)
        return min(rooms, key=lambda room: room[0], default=(NEVER, "", NEVER))

    def obstacle(self, now: float) -> str:
        """Return why the task's due jobs do not start: a pause, a limit, the limits of keys, or no free thread."""
        room, cause, _ = (0, PAUSED, NEVER) if self.paused else self.room(now)
        if room <= 0:
            return cause
        return THREADS if any(self.open.values()) else KEY

    def note(self, cause: str, now: float) -> None:
        """Record the cause that holds the task's due jobs back from now on; an empty text means that nothing does."""
        if cause != self.cause:
            passed = min(now, self._end) - max(self._since, 0.0)
            if self.cause and passed > 0:
                self.figures.held_by[self.cause] = self.figures.held_by.get(self.cause, 0.0) + passed
            self.cause, self._since = cause, now


class Board:
    """Holds all waiting and running jobs of a workload under one configuration."""

    def __init__(self, workload: Workload, config: Config, chance: Random) -> None:
        zone, origin = ZoneInfo(config.timezone), workload.origin
        limits: dict[str, list[Bucket]] = {task: [] for task in config.tasks}
        key_rates: dict[str, Rate] = {}
        for row in catalogue.buckets(config):
            learns = workload.currency in (None, row["unit"])
            bucket = Bucket(row, lambda now: next_midnight(origin + now, zone) - origin, learns=learns)
            for task in limits.keys() & row["tasks"]:
                limits[task].append(bucket)
                if row.get("key_period"):
                    key_rates[task] = Rate(row["key_amount"], row["key_period"])
        self.lanes: dict[str, Lane] = {}
        for task in config.tasks.values():
            paused = task.paused or any(config.limits[used].paused for used in task.uses)
            self.lanes[task.id] = Lane(task, limits[task.id], key_rates.get(task.id), workload.end, paused=paused)
        self.queues = {name: [one for one in self.lanes.values() if one.task.queue == name] for name in config.queues}
        # The earliest time at which a rate or budget that blocks jobs will let one start. The simulation resets it.
        self.opens = NEVER
        self._random = chance.random

    def queue(self, live: Live, due: float) -> None:
        """Queue a job that was just sent, or that waits for its next attempt. The job is due now or later."""
        live.due = due
        if live.lane.task.order is not None:
            live.lane.line.setdefault(live.key, {}).setdefault(live)

    def withdraw(self, live: Live, now: float) -> None:
        """Remove a queued job."""
        lane = live.lane
        if live.is_due:
            live.is_due = False
            lane.due -= 1
            if live.key in lane.jobs.get(live.priority, ()):
                lane.clean(live.priority, live.key)
            if not lane.due:
                lane.note("", now)

    def leave(self, live: Live, now: float, *, failed: bool) -> None:
        """Record that a job ended for good. In strict order, the key's next job may start unless this one blocks it."""
        line = live.lane.line.get(live.key, {})
        if live not in line or (failed and live.lane.task.after_failure == "hold"):
            return
        is_first = next(iter(line)) is live
        del line[live]
        if is_first and line and (first := next(iter(line))).is_due:
            live.lane.put(first, now)

    def end(self, live: Live, attempt: Attempt, spent: float | None) -> None:
        """Record that an attempt ended. ``spent`` is the attempt's cost, or None if unknown."""
        for bucket, _ in live.lane.limits:
            bucket.end(live.lane.task.id, live, attempt.how, spent)
        live.lane.end(live.key)

    def claim(self, now: float, want: int, queue: str) -> list[Live]:
        """Start up to ``want`` jobs of a queue. Returns the jobs in the order of their starts."""
        lanes = [lane for lane in self.queues[queue] if lane.due]
        for bucket in dict.fromkeys(one for lane in lanes if not lane.paused for one in lane.metered):
            bucket.catch_up(now)
        peers: dict[int, list[Lane]] = {}
        for lane in lanes:
            lane.rested(now)
            for priority in lane.jobs if not lane.paused else ():
                peers.setdefault(priority, []).append(lane)
        started: list[Live] = []
        causes: dict[Lane, str] = {}
        for priority in sorted(peers, reverse=True):
            self._share(priority, self.order(priority, peers[priority]), want, now, started, causes)
        for lane in lanes:
            lane.note((causes.get(lane) or lane.obstacle(now)) if lane.due else "", now)
        return started

    def _share(
        self, priority: int, lanes: list[Lane], want: int, now: float, started: list[Live], causes: dict[Lane, str]
    ) -> None:
        """Start jobs of one priority. The tasks take turns until no job can start."""
        served = 0  # number of lanes served in this turn
        while lanes and len(started) < want:
            peers = len(lanes)
            lane = lanes.pop(0)
            room, cause, opens = lane.room(now)
            if room <= 0:
                causes.setdefault(lane, cause)
                self.opens = min(self.opens, opens)
                served = 0
                continue
            share = -(-min(want - len(started), room) // (peers - served))
            taken = lane.take(priority, share, now, self.keys(lane, priority))
            for bucket, estimate in lane.limits if taken else ():
                bucket.start(lane.task.id, estimate, taken, now)
            started += taken
            served = 0 if served + 1 >= peers else served + (len(taken) == share)
            if len(taken) == share:
                lanes.append(lane)
            elif lane.is_keyed:
                causes.setdefault(lane, KEY)
                self.opens = min(self.opens, lane.rested(now))

    def order(self, _priority: int, lanes: list[Lane]) -> list[Lane]:
        """Return ``lanes`` (one per task) in random order. All of them have due jobs of the same priority."""
        return sorted(lanes, key=lambda _: self._random())

    def keys(self, lane: Lane, priority: int) -> Iterator[Any]:
        """Yield, one at a time, the key whose turn it is. ``take`` then starts all jobs that the key's limits allow."""
        while lane.open.get(priority):
            yield next(iter(lane.open[priority]))
