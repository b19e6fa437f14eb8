"""Simulates jobs under one configuration, event by event, without clock or database. Equal seeds give equal results."""

from collections import Counter
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any

from zeke_jobs.backtest.figures import Figures, LimitFigures
from zeke_jobs.backtest.limits import NEVER
from zeke_jobs.backtest.rules import Board, Live
from zeke_jobs.backtest.workload import Attempt, Fleet, Job, Workload
from zeke_jobs.config.models import Config
from zeke_jobs.worker.finish.outcome import backoff

_SAMPLES = 120  # number of samples of the queues, evenly over the time that counts
_WAIT_WHEN_FULL = 30.0  # seconds after which a handler sends again if the queue was full, as with ``ctx.send``


class Simulation:
    """Simulates one run. Leaves out jobs whose task is not in ``config``. ``now`` is the simulated time.

    The simulation goes on after the workload's end until no job is left, but not beyond ``horizon``.
    """

    def __init__(
        self,
        workload: Workload,
        config: Config,
        fleet: Fleet,
        *,
        seed: int = 0,
        horizon: float | None = None,
        board: Callable[[Workload, Config, Random], Board] = Board,
    ) -> None:
        self.workload, self.now, self.last = workload, 0.0, 0.0
        self._fleet, self._end_of_time = fleet, workload.end
        self.horizon = horizon if horizon is not None else workload.end + max(3600.0, workload.end)
        self._random = Random(seed)  # noqa: S311 (chance needs no secrets)
        self.board = board(workload, config, self._random)
        lanes = self.board.lanes.values()
        self._lanes = {name: lane for lane in lanes for name in (lane.task.id, *lane.task.aliases)}
        self._unserved: Counter[str] = Counter()
        self._free = fleet.slots
        self._order = count()
        self._events: list[tuple[float, int, Callable[[Any, float], object], Any]] = []
        for job in workload.roots:
            self._push(job.sent, self._send, job)
        self._queued: dict[Live, None] = {}
        self._opens = NEVER  # when a limit lets another job start

    def run(self) -> Figures:
        """Run the simulation to its end, and return its figures."""
        events, next_sample = self._events, 0.0
        while events and events[0][0] <= self.horizon:
            self.now = now = events[0][0]
            if now > next_sample:
                next_sample = self._sample(next_sample, now)
            acts = False
            while events and events[0][0] <= now:
                _, _, happens, what = heappop(events)
                happens(what, now)
                acts = acts or happens != self._end  # a claim follows at the end of the moment
            if acts and self._free:
                self._claim(now)
        self._sample(next_sample, self._end_of_time)
        return self._figures(min(self.horizon, max(self.last, self._end_of_time)))

    def _figures(self, now: float) -> Figures:
        for live in self._queued:
            if not live.tried and self._counts(live.job):
                live.lane.figures.unstarted += 1
                live.lane.figures.waited(now - live.due, now)
        lanes, seconds = self.board.lanes.values(), max(self._end_of_time, 1e-9)
        for lane in lanes:
            lane.note("", now)
            limit = lane.task.concurrency.limit
            lane.figures.close(seconds, self._fleet.slots if limit is None else limit)
        tasks = {lane.task.id: lane.figures for lane in lanes}
        shown = {name: one for name, one in tasks.items() if one.jobs or one.refused or one.skipped}
        unserved, currency = dict(self._unserved), self.workload.currency
        return Figures(str(self._fleet), seconds, shown, self._of_limits(), unserved, currency)

    def _of_limits(self) -> dict[str, LimitFigures]:
        """Return by name the figures of the threads, each limit, each rate, and each other cause that blocked jobs."""
        lanes = self.board.lanes.values()
        slots: dict[str, tuple[int | None, float]] = {}
        slots["threads"] = self._fleet.slots, sum(lane.figures.busy for lane in lanes)
        for bucket in dict.fromkeys(bucket for lane in lanes for bucket, _ in lane.limits):
            if bucket.slots is not None:
                used = sum(lane.figures.busy for lane in lanes if any(one is bucket for one, _ in lane.limits))
                slots[bucket.name] = bucket.slots, used
            if bucket.rate is not None and bucket.unit == "jobs":
                slots[bucket.cause] = None, 0.0
        held: dict[str, dict[str, float]] = {name: {} for name in slots}
        for lane in lanes:
            for cause, length in lane.figures.held_by.items():
                held.setdefault(cause, {})[lane.task.id] = length
        found = {}
        for name, of in held.items():
            limit, used = slots.get(name, (None, 0.0))
            by_length = tuple(sorted(of, key=lambda task: -of[task]))
            found[name] = LimitFigures(limit, used / limit if limit else None, sum(of.values()), by_length)
        return found

    def _sample(self, moment: float, now: float) -> float:
        """Record the queue lengths at the sample times up to now. Returns the time of the next sample."""
        while moment <= now and moment <= self._end_of_time:
            for lane in self.board.lanes.values():
                lane.figures.depth.append(lane.high if moment else lane.due)
                lane.high = lane.due
            moment += max(self._end_of_time / _SAMPLES, 1e-9)
        return moment if moment <= self._end_of_time else NEVER

    def _counts(self, job: Job) -> bool:
        return job.sent >= 0

    def _send_from_job(self, job: Job, now: float) -> None:
        """Send a job as the handler of another job does: if the queue is full, try later, unless the task is paused."""
        lane = self._lanes.get(job.task)
        if not self._send(job, now) and lane and not lane.paused:
            self._push(now + _WAIT_WHEN_FULL, self._send_from_job, job)

    def _send(self, job: Job, now: float) -> bool:
        """Send a job. Returns False if the job's queue is full."""
        lane = self._lanes.get(job.task)
        if lane is None:
            self._unserved[job.task] += 1
            return True
        if job.tick and lane.ticks and any(cron.overlap == "skip" for cron in lane.task.schedules.values()):
            lane.figures.skipped += 1
            return True
        bound = lane.task.max_queued
        if bound is not None and lane.queued >= bound:
            lane.figures.refused += 1
            return False
        lane.ticks += job.tick
        lane.figures.jobs += self._counts(job)
        live = Live(job, lane, next(self._order))
        if job.leaves is not None:
            self._push(now + job.leaves, self._leave, live)
        self._queue(live, now + job.delay)
        return True

    def _queue(self, live: Live, due: float) -> None:
        self._queued[live] = None
        live.lane.queued += 1
        self.board.queue(live, due)
        self._push(due + self._fleet.wake_up, self._release, live)

    def _release(self, live: Live, now: float) -> None:
        if live not in self._queued:  # the job left before it was due
            return
        live.lane.add(live, now)
        if not self._free and not live.lane.cause:
            live.lane.note(live.lane.obstacle(now), now)

    def _leave(self, live: Live, now: float) -> None:
        if live not in self._queued or live.tried:  # the job started in time
            return
        del self._queued[live]
        live.lane.queued -= 1
        self.board.withdraw(live, now)
        if self._counts(live.job):
            live.lane.figures.expired += 1
            live.lane.figures.waited(now - live.due, now)
        self._over(live, now)

    def _end(self, live: Live, now: float) -> None:
        lane, attempt = live.lane, live.attempt
        self._free += 1
        again = self._again(live, attempt)
        self.board.end(live, attempt, live.job.cost_of(attempt) if lane.metered else None)
        self._push(now + self._fleet.wake_up, self._look, None)
        figures, counts = lane.figures, self._counts(live.job)
        if again is None:
            self.last = now
            figures.completed += counts and attempt.how == "completed"
            figures.failed += counts and attempt.how != "completed"
            self._over(live, now, failed=attempt.how not in ("completed", "cancelled"))
            return
        delay, is_retry = again
        live.tried += 1
        live.retries += is_retry
        figures.retried += is_retry and counts
        self._queue(live, now + delay)

    def _again(self, live: Live, attempt: Attempt) -> tuple[float, bool] | None:
        """Return the seconds until the next attempt, and whether it is a retry. None means that the job has ended."""
        if attempt.how in ("completed", "rejected", "cancelled"):
            return None
        if attempt.how == "deferred":
            return attempt.gap or 0.0, False
        policy = live.lane.task.retry
        if attempt.how == "died":  # this uses up no retry, but the job fails if its task has no retries
            return (0.0, False) if policy.limit else None
        if live.retries >= policy.limit and not attempt.own:
            return None
        if attempt.gap is not None:
            return attempt.gap, True
        return backoff(policy, live.retries + 1, chance=self._random.random()), True

    def _over(self, live: Live, now: float, *, failed: bool = False) -> None:
        self.board.leave(live, now, failed=failed)
        live.lane.ticks -= live.job.tick

    def _look(self, _: None, now: float) -> None:
        if self._opens <= now:
            self._opens = NEVER

    def _claim(self, now: float) -> None:
        queues = [name for name, lanes in self.board.queues.items() if any(lane.due for lane in lanes)]
        if len(queues) > 1:
            self._random.shuffle(queues)
        self.board.opens = NEVER
        for queue in queues:
            for live in self.board.claim(now, self._free, queue):
                self._start(live, now)
        # If a rate or a budget blocks the claim, claim again when the rate or budget lets a job start.
        if self._free and self.board.opens < self._opens:
            self._opens = self.board.opens
            self._push(self._opens + self._fleet.wake_up, self._look, None)

    def _start(self, live: Live, now: float) -> None:
        job, figures, held = live.job, live.lane.figures, live.attempt.held
        self._free -= 1
        del self._queued[live]
        live.lane.queued -= 1
        figures.busy += max(0.0, min(now + held, self._end_of_time) - max(now, 0.0))
        if not live.tried and self._counts(job):
            figures.waited(now - live.due + job.start, now)
            if job.cost is not None:
                figures.cost = (figures.cost or 0.0) + job.cost
        self._push(now + held, self._end, live)
        for follow_up in job.sends:
            if follow_up.attempt == live.tried:
                self._push(now + min(follow_up.after, held), self._send_from_job, follow_up.job)

    def _push(self, at: float, happens: Callable[[Any, float], object], what: Live | Job | None) -> None:
        heappush(self._events, (at, next(self._order), happens, what))
