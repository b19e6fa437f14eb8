"""Which job starts next: the rules of ``zeke_jobs.claim``, with which a test compares them. Times are seconds on any one clock.

1. A claim goes through the due jobs by priority. Tasks of one priority share its places, in random order.
2. A task starts as many jobs as the limit with the least room allows (``Limit.room``), its oldest due jobs first.
3. With a limit or a rate per key, each key starts as many as it has room for; keys take turns.
4. In strict order, only the key's first-sent job that has not ended may start; with ``after_failure: hold`` a failed one stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from zeke_jobs.backtest.lanes import KEY, Lane
from zeke_jobs.backtest.limits import NEVER, Limit, owners

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from zeke_jobs.backtest.lanes import Level
    from zeke_jobs.backtest.workload import Ending, Key
    from zeke_jobs.config.models import Config


class Board:
    """All waiting and running jobs under one configuration.

    Args:
        config: The configuration.
        chance: The source of random numbers.
        origin: Time 0 in seconds of the epoch.
        currency: The currency of costs; None is the budget's own.

    Attributes:
        busy: Lanes with due jobs, by queue.
        opens: When a limit that held jobs back lets another one start, if no job ends before; the simulation resets it.
    """

    def __init__(self, config: Config, chance: Random, origin: float = 0.0, currency: str | None = None) -> None:
        zone = ZoneInfo(config.timezone)
        found = (Limit(name, owner, zone, origin, currency) for name, owner, _ in owners(config))
        self.limits = {limit.name: limit for limit in found if limit.slots is not None or limit.is_metered}
        self.lanes = {
            task.id: Lane(
                task,
                tuple(
                    self.limits[name]
                    for name in (f"task/{task.id}", *(f"limit/{used}" for used in task.uses))
                    if name in self.limits
                ),
                paused=task.paused or any(config.limits[used].paused for used in task.uses),
            )
            for task in config.tasks.values()
        }
        self.busy: dict[str, dict[Lane, None]] = {queue: {} for queue in config.queues}
        self.opens = NEVER
        self._is_metered = any(limit.is_metered for limit in self.limits.values())
        self._random = chance.random

    def queue(self, lane: Lane, job: int, priority: int, due: float, key: Key | None) -> None:  # noqa: ARG002 (see the tests)
        """Queue a job that was sent, or whose attempt has ended; it is due now or later."""
        lane.line_up(job, key)

    def release(self, lane: Lane, job: int, priority: int, due: float, order: int, key: Key | None) -> None:
        """Make a queued job due; ``order`` is its order of sending."""
        lane.add(priority, (due, order, job), key)
        if lane.due > lane.high:  # noqa: PLR1730 (a call for each job is dear)
            lane.high = lane.due
        self.busy[lane.queue][lane] = None

    def withdraw(self, lane: Lane, job: int, priority: int, key: Key | None, now: float, *, is_due: bool) -> None:
        """Remove a queued job."""
        if is_due:
            lane.remove(priority, job, key)
            self._rests(lane, now)

    def leave(self, lane: Lane, job: int, key: Key | None, *, failed: bool) -> None:
        """Note that a job has ended for good."""
        lane.leave(job, key, failed=failed)

    def end(
        self, lane: Lane, job: int, key: Key | None, now: float, how: Ending, *, failed: bool | None, spent: float | None
    ) -> None:  # fmt: skip
        """An attempt ended: a success, a failure or neither (None) for breakers; ``spent`` is its cost, where it is known."""
        for limit in lane.limits:
            limit.end(lane.task, job, now, how, spent, failed=failed)
        lane.end(job, key)

    def claim(self, now: float, want: int, queue: str) -> list[int]:
        """Start up to ``want`` jobs of a queue; returns them in order."""
        lanes = list(self.busy[queue])
        if self._is_metered:
            for limit in {limit: None for lane in lanes if lane.metered and not lane.paused for limit in lane.limits}:
                limit.catch_up(now)
        levels: dict[int, list[tuple[Lane, Level]]] = {}
        for lane in lanes:
            if lane.is_keyed:
                lane.rested(now)
            for priority, level in lane.levels.items() if not lane.paused else ():
                levels.setdefault(priority, []).append((lane, level))
        started: list[int] = []
        causes: dict[Lane, str] = {}
        for priority in sorted(levels, reverse=True):
            self._share(self.order(levels[priority]), want, now, started, causes)
        for lane in lanes:
            if not lane.due:
                self._rests(lane, now)
            elif (cause := causes.get(lane) or lane.obstacle(now)) != lane.holdups.cause:
                lane.holdups.note(cause, now)
        return started

    def _share(
        self, levels: list[tuple[Lane, Level]], want: int, now: float, started: list[int], causes: dict[Lane, str]
    ) -> None:
        """Start jobs of levels of one priority: each takes its part and goes behind the others, until it has no more."""
        served = 0  # of the peers, in this turn
        while levels and len(started) < want:
            peers = len(levels)
            lane, level = levels.pop(0)
            room, cause, opens = lane.room(now)
            if room <= 0:
                causes.setdefault(lane, cause)
                self.opens = min(self.opens, opens)
                served = 0
                continue
            share = -(-min(want - len(started), room) // (peers - served))
            taken = lane.take(level, share, now, self.keys(lane, level))
            for limit in lane.limits if taken else ():
                limit.start(lane.task, lane.estimates, taken, now)
            started += taken
            served = 0 if served + 1 >= peers else served + (len(taken) == share)
            if len(taken) == share:
                levels.append((lane, level))
            elif lane.is_keyed:
                causes.setdefault(lane, KEY)
                self.opens = min(self.opens, lane.rested(now))

    def order(self, levels: list[tuple[Lane, Level]]) -> list[tuple[Lane, Level]]:
        """Levels of one priority in random order."""
        if len(levels) > 1:
            levels.sort(key=lambda _: self._random())
        return levels

    def keys(self, lane: Lane, level: Level) -> Iterator[Key | None]:  # noqa: ARG002 (see the tests)
        """The keys of a level, each when it has its turn; by then, the one before has no room or no job any more."""
        while level.open:
            yield next(iter(level.open))

    def _rests(self, lane: Lane, now: float) -> None:
        if not lane.due:
            lane.holdups.note("", now)
            self.busy[lane.queue].pop(lane, None)
