"""The rules for the next job to start: the simulation follows them, and a test compares them with ``zeke_jobs.claim``.

1. A job may start when it is due, its task is not paused, every gate of its task has room, and fewer than ``per_key`` jobs of
   its task and key are active.
2. A gate has room under all of these conditions:
   - Concurrency: fewer of its jobs are active than its limit.
   - Rate, also per key: fewer jobs than the burst have started within the window of the rate, a four-hundredth longer (at most a
     quarter of a second).
   - Units: the estimates of running jobs and of jobs started within the window leave enough for the next job's estimate.
   - Budget: the day's costs, with the expected costs of running jobs, leave enough for the next job's expected cost. The
     expected cost is the average of recent jobs, or else the estimate.
   - Breaker: it is closed, or its pause is over and no job probes.
3. Among jobs that may start, the highest priority goes first. While a task lacks units, tasks of a lower priority take none.
4. At equal priority tasks take turns in random order: no task gets a second job of a claim before each other task with a job has
   its first. Queues are claimed one by one.
5. Within a task, jobs start by priority, then by due time, then by order of sending. With a limit per key, jobs that may start
   go by priority too; keys with such a job take turns, and within a key the order is by age.
6. In strict order, only a key's first-sent job may start, until it has ended; with ``after_failure: hold`` a failed job blocks
   its key.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from zeke_jobs.backtest.gates import Budget, Meter, gates_of, owners
from zeke_jobs.backtest.lanes import THREADS, Lane
from zeke_jobs.config.limits import Limit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from random import Random

    from zeke_jobs.backtest.lanes import Waiting
    from zeke_jobs.backtest.workload import Ending, Key
    from zeke_jobs.config.models import Config


class Board:
    """All waiting and running jobs under one configuration. Times are seconds on any one clock.

    Args:
        config: The configuration.
        chance: The source of random numbers.
        origin: Time 0 in seconds of the epoch.
        currency: The currency of costs; None is the budget's own.
    """

    def __init__(self, config: Config, chance: Random, origin: float = 0.0, currency: str | None = None) -> None:
        self.gates = dict(gates_of(config))
        self.lanes = {
            task.id: Lane(
                task,
                tuple(
                    self.gates[name]
                    for name in (f"task/{task.id}", *(f"limit/{used}" for used in task.uses))
                    if name in self.gates
                ),
                paused=task.paused or any(config.limits[used].paused for used in task.uses),
            )
            for task in config.tasks.values()
        }
        for name, owner, users in owners(config):
            meters: dict[str, Meter | Budget] = {}
            if isinstance(owner, Limit):
                meters |= {unit: Meter(f"{name} {unit}", one.window) for unit, one in owner.units.items() if one.window}
            if (budget := owner.budget) is not None:
                learns = currency in (None, budget.currency)
                daily = Budget(f"{name} budget", float(budget.amount), ZoneInfo(config.timezone), origin, learns=learns)
                meters[budget.currency] = daily
            for task in users:
                self.lanes[task.id].meters += [
                    (meter, float(task.units.get(unit, 0))) for unit, meter in meters.items()
                ]
        self._units = {
            meter.name for lane in self.lanes.values() for meter, _ in lane.meters if isinstance(meter, Meter)
        }
        self._has_breaker = any(gate.breaker for gate in self.gates.values())
        #: Lanes with due jobs, by queue.
        self.busy: dict[str, dict[Lane, None]] = {queue: {} for queue in config.queues}
        self._random = chance.random
        self._level: int | None = None

    # ── events of a job ──

    def queue(self, lane: Lane, job: int, priority: int, due: float, key: Key | None) -> None:  # noqa: ARG002 (see the tests)
        """Queue a job that was sent, or whose attempt has ended; it is due now or later."""
        if lane.strict:
            lane.line.setdefault(_key(key, job), {}).setdefault(job, None)

    def leave(self, lane: Lane, job: int, key: Key | None, *, failed: bool) -> None:
        """Note that a job has ended for good."""
        if not lane.strict:
            return
        line = lane.line.get(_key(key, job), {})
        if job not in line or (failed and lane.holds):
            return
        del line[job]
        if line:
            first = next(iter(line))
            entry, line[first] = line[first], None
            if entry is not None:
                self._line_up(lane, _key(key, job), entry)

    def release(self, lane: Lane, job: int, priority: int, due: float, order: int, key: Key | None) -> None:
        """Make a queued job due; ``order`` is its order of sending."""
        entry = (-priority, due, order, job)
        if lane.per_key is None:
            heappush(lane.heap, entry)
        else:
            key = _key(key, job)
            if lane.strict and next(iter(lane.line[key])) != job:
                lane.line[key][job] = entry
            else:
                self._line_up(lane, key, entry)
        lane.due += 1
        if lane.due > lane.high:  # noqa: PLR1730 (a call for each job is dear)
            lane.high = lane.due
        if lane.due == 1:
            self.busy[lane.queue][lane] = None

    def _line_up(self, lane: Lane, key: Key, entry: Waiting) -> None:
        waiting = lane.keys.setdefault(key, [])
        heappush(waiting, entry)
        if waiting[0] is entry:
            lane.look_at(key)

    def unqueue(self, lane: Lane, priority: int) -> None:
        """Remove a queued job that is not due."""

    def end(
        self,
        lane: Lane,
        job: int,
        key: Key | None,
        now: float,
        *,
        how: Ending,
        failed: bool | None = None,
        spent: float | None = None,
    ) -> None:
        """An attempt ended: for breakers as a success, a failure or neither (None), and cost that, where it is known."""
        for gate in lane.gates:
            gate.active -= 1
            if gate.breaker is not None:
                gate.breaker.end(job, now, failed=failed)
        if lane.meters:
            lane.ended(job, now, how, spent)
        if lane.per_key is not None:
            key = _key(key, job)
            left = lane.active[key] - 1
            if left:
                lane.active[key] = left
            else:
                del lane.active[key]
            lane.look_at(key)

    def withdraw(self, lane: Lane, job: int, priority: int, key: Key | None, now: float) -> None:  # noqa: ARG002 (see the tests)
        """Remove a due job that has not started."""
        key = _key(key, job)
        if lane.strict and lane.line[key][job] is not None:
            lane.line[key][job] = None
        elif lane.per_key is None:
            lane.gone.add(job)
            lane.clean(lane.heap)
        else:
            lane.gone.add(job)
            lane.clean(lane.keys[key])
            lane.look_at(key)
        self._less(lane)
        if not lane.due:
            lane.note("", now)

    # ── the next job ──

    def next_lanes(self, now: float, queue: str) -> list[Lane]:
        """The lanes of a queue from which the next job may come: unblocked, and of the highest priority."""
        free = list[Lane]()
        wanted: dict[str, int] = {}  # units that a lane lacks, and its priority
        for lane in self.busy[queue]:
            cause = lane.obstacle(now)
            lane.note(cause, now)
            if not cause:
                free.append(lane)
            elif cause in self._units:
                wanted[cause] = max(lane.level(), wanted.get(cause, lane.level()))
        if wanted:
            free = [lane for lane in free if not self._yields(lane, wanted, now)]
        best = max((lane.level() for lane in free), default=0)
        return [lane for lane in free if lane.level() == best]

    def _yields(self, lane: Lane, wanted: Mapping[str, int], now: float) -> bool:
        """Whether it waits until a lane of a higher priority has got enough of a unit."""
        for meter, _ in lane.meters:
            if lane.level() < wanted.get(meter.name, lane.level()):
                lane.note(meter.name, now)
                return True
        return False

    def claim(self, now: float, want: int, queue: str) -> list[int]:
        """Start up to ``want`` jobs of a queue; returns them in order."""
        started: list[int] = []
        busy = self.busy[queue]
        if not busy:
            return started
        self.begin(now, queue)
        while lanes := self.next_lanes(now, queue):
            if len(started) == want:
                for lane in busy:
                    if not lane.cause:
                        lane.note(THREADS, now)
                break
            started.append(self.start(self._chosen(lanes), now))
        return started

    def begin(self, now: float, queue: str) -> None:
        """Begin a claim: reset the turns of the lanes, and open or close breakers."""
        self._level = None
        if self._has_breaker:
            for lane in self.busy[queue]:
                for gate in lane.gates:
                    if gate.breaker is not None and not lane.paused:
                        gate.breaker.turn(now)

    def in_turn(self, lanes: list[Lane]) -> list[Lane]:
        """The lanes with the fewest jobs in this claim, out of lanes with equal priority."""
        level = lanes[0].level()
        if level != self._level:
            self._level = level
            for lane in self.busy[lanes[0].queue]:
                lane.turns = 0
        if len(lanes) == 1:
            return lanes
        fewest = min([lane.turns for lane in lanes])
        return [lane for lane in lanes if lane.turns == fewest]

    def start(self, lane: Lane, now: float, job: int | None = None) -> int:
        """Start the next job of a lane, or a given one of its heads; returns it."""
        if lane.per_key is None:
            started = heappop(lane.heap)[3]
            lane.began(started, None, now)
            if lane.gone:
                lane.clean(lane.heap)
        else:
            key = next(key for key in lane.open[lane.level()] if job is None or lane.keys[key][0][3] == job)
            started = heappop(lane.keys[key])[3]
            if lane.gone:
                lane.clean(lane.keys[key])
            lane.active[key] = lane.active.get(key, 0) + 1
            lane.began(started, key, now)
            lane.look_at(key, had_turn=True)
        for gate in lane.gates:
            gate.active += 1
            if gate.rate is not None:
                gate.passed.append(now)
            if gate.breaker is not None:
                gate.breaker.start(started)
        lane.turns += 1
        self._less(lane)
        if not lane.due:
            lane.note("", now)
        return started

    def opens(self) -> Iterator[float]:
        """When the limits that are now used up or closed let the next job start, if no job ends before."""
        for busy in self.busy.values():
            for lane in busy:
                for gate in lane.gates:
                    if lane.cause == gate.rate_name:
                        yield gate.opens()
                    if gate.breaker is not None and lane.cause == gate.breaker.name:
                        yield gate.breaker.opens()
                for meter, _ in lane.meters:
                    if lane.cause == meter.name:
                        yield meter.opens()
                if lane.resting:
                    yield lane.resting[0][0]

    def _chosen(self, lanes: list[Lane]) -> Lane:
        waiting = self.in_turn(lanes)
        return waiting[0] if len(waiting) == 1 else waiting[int(self._random() * len(waiting))]

    def _less(self, lane: Lane) -> None:
        lane.due -= 1
        if not lane.due:
            del self.busy[lane.queue][lane]


def _key(key: Key | None, job: int) -> Key:
    # A job without a key has its own.
    return -1 - job if key is None else key
