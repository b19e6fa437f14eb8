"""Which job starts next: the rules of ``zeke_jobs.claim``, with which a test compares them. Times are seconds on any one clock.

1. A claim goes through the due jobs by priority. Tasks of one priority share its places, in random order.
2. A task starts as many jobs as the limit with the least room allows, its oldest due jobs first.
3. With a limit or a rate per key, each key starts as many as it has room for; keys take turns.
4. In strict order, only the key's first-sent job that has not ended may start; with ``after_failure: hold`` a failed one stays.
"""

from collections.abc import Iterator
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from zeke_jobs.backtest.lanes import KEY, Lane, Live
from zeke_jobs.backtest.limits import NEVER, Bucket, Rate, next_midnight
from zeke_jobs.backtest.workload import Attempt
from zeke_jobs.config import catalogue
from zeke_jobs.config.models import Config


class Board:
    """All waiting and running jobs under one configuration.

    Args:
        origin: Time 0 in seconds of the epoch.
        currency: The currency of costs; None is the budget's own.

    Attributes:
        queues: The lanes of each queue.
        opens: When a limit that held jobs back lets another one start, if no job ends before; the simulation resets it.
    """

    def __init__(self, config: Config, chance: Random, origin: float = 0.0, currency: str | None = None) -> None:
        zone = ZoneInfo(config.timezone)
        limits: dict[str, list[Bucket]] = {task: [] for task in config.tasks}
        key_rates: dict[str, Rate] = {}
        for row in catalogue.buckets(config):
            bucket = Bucket(
                row, lambda now: next_midnight(origin + now, zone) - origin, learns=currency in (None, row["unit"])
            )
            for task in limits.keys() & row["tasks"]:
                limits[task].append(bucket)
                if row.get("key_period"):
                    key_rates[task] = Rate(row["key_amount"], row["key_period"])
        self.lanes = {
            task.id: Lane(
                task,
                limits[task.id],
                key_rate=key_rates.get(task.id),
                paused=task.paused or any(config.limits[used].paused for used in task.uses),
            )
            for task in config.tasks.values()
        }
        self.queues = {name: [one for one in self.lanes.values() if one.queue == name] for name in config.queues}
        self.opens = NEVER
        self._random = chance.random

    def queue(self, live: Live, due: float) -> None:
        """Queue a job that was sent, or whose attempt has ended; it is due now or later."""
        live.due = due
        if live.lane.is_strict:
            live.lane.line.setdefault(live.key, {}).setdefault(live)

    def withdraw(self, live: Live, now: float) -> None:
        """Remove a queued job."""
        if live.is_due:
            live.lane.remove(live, now)

    def leave(self, live: Live, now: float, *, failed: bool) -> None:
        """A job has ended for good: in strict order the next one of its key may start, unless it failed and holds the key."""
        line = live.lane.line.get(live.key, {})
        if live not in line or (failed and live.lane.holds):
            return
        is_first = next(iter(line)) is live
        del line[live]
        if is_first and line and (first := next(iter(line))).is_due:
            live.lane.put(first, now)

    def end(self, live: Live, attempt: Attempt, spent: float | None) -> None:
        """An attempt ended; ``spent`` is its cost, where it is known."""
        for bucket, _ in live.lane.limits:
            bucket.end(live.lane.task, live, attempt.how, spent)
        live.lane.end(live.key)

    def claim(self, now: float, want: int, queue: str) -> list[Live]:
        """Start up to ``want`` jobs of a queue; returns them in order."""
        lanes = [lane for lane in self.queues[queue] if lane.due]
        for bucket in dict.fromkeys(one for lane in lanes if not lane.paused for one in lane.metered):
            bucket.catch_up(now)
        peers: dict[int, list[Lane]] = {}
        for lane in lanes:
            if lane.is_keyed:
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
        served = 0  # of the peers, in this turn
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
                bucket.start(lane.task, estimate, taken, now)
            started += taken
            served = 0 if served + 1 >= peers else served + (len(taken) == share)
            if len(taken) == share:
                lanes.append(lane)
            elif lane.is_keyed:
                causes.setdefault(lane, KEY)
                self.opens = min(self.opens, lane.rested(now))

    def order(self, _priority: int, lanes: list[Lane]) -> list[Lane]:
        """Bring the tasks with jobs of a priority into a random order."""
        if len(lanes) > 1:
            lanes.sort(key=lambda _: self._random())
        return lanes

    def keys(self, lane: Lane, priority: int) -> Iterator[Any]:
        """The keys of a priority, each when it has its turn; by then, the one before has no room or no job any more."""
        while lane.open.get(priority):
            yield next(iter(lane.open[priority]))
