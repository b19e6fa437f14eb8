"""The counts of limits: jobs at once, starts and units within a time, money within a day, and failures."""

from __future__ import annotations

from collections import deque
from datetime import datetime, time, timedelta
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from zeke_jobs.config.limits import Limit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from zeke_jobs.backtest.workload import Ending
    from zeke_jobs.config import limits
    from zeke_jobs.config.entries import Rate
    from zeke_jobs.config.models import Config, Task

#: A start counts a four-hundredth longer than the rate's period, and at most this many seconds longer.
RATE_SHARE, RATE_GRACE = 0.0025, 0.25
NEVER = float("inf")
#: Such attempts could not report everything that they used: they count at least their estimate.
CUT_OFF: tuple[Ending, ...] = ("died", "cancelled")
_LEAST_FAILURES = 10  # for a breaker that counts a share
_DUST = 1e-9  # the rounding error of sums of costs


def rate_window(rate: Rate) -> float:
    """Seconds over which a claim counts a rate."""
    seconds = rate.period.total_seconds()
    return seconds + min(seconds * RATE_SHARE, RATE_GRACE)


def next_midnight(at: float, zone: ZoneInfo) -> float:
    """The end of the day in a zone, in seconds of the epoch. Ambiguous and missing midnights are as in Postgres."""
    day = datetime.fromtimestamp(at, zone).date() + timedelta(days=1)
    return max(datetime.combine(day, time(fold=fold), zone).timestamp() for fold in (0, 1))


class Gate:
    """A limit that claims count: ``task/ID`` for a task's own, ``limit/NAME`` for a shared one."""

    __slots__ = ("active", "breaker", "limit", "name", "passed", "rate", "rate_name", "window")

    def __init__(self, name: str, limit: int | None, rate: Rate | None, breaker: limits.Breaker | None = None) -> None:
        self.name = name
        self.limit = limit
        self.rate = rate.count if rate else None
        self.window = rate_window(rate) if rate else 0.0
        self.rate_name = f"{name} rate"
        self.breaker = Breaker(f"{name} breaker", breaker) if breaker else None
        self.active = 0
        self.passed: deque[float] = deque()

    def obstacle(self, now: float) -> str:
        """The reason why no job may start now; empty if one may."""
        if self.breaker is not None and self.breaker.stops(now):
            return self.breaker.name
        if self.limit is not None and self.active >= self.limit:
            return self.name
        if self.rate is not None:
            passed = self.passed
            while passed and passed[0] + self.window <= now:  # as in opens(), to the last bit
                passed.popleft()
            if len(passed) >= self.rate:
                return self.rate_name
        return ""

    def opens(self) -> float:
        """When its rate lets the next job start, if only the rate is full."""
        return self.passed[0] + self.window


class Meter:
    """What jobs may use of a unit within a time. An estimate counts while its job runs, and that long from its start.

    Of an attempt that was cut off it counts from the end, since nobody knows when it used something.
    """

    __slots__ = ("amount", "ended", "name", "running", "window")
    learns = False

    def __init__(self, name: str, rate: Rate) -> None:
        self.name = name
        self.amount = float(rate.count)
        self.window = rate_window(rate)
        self.running = 0.0
        self.ended: list[tuple[float, float]] = []

    def lets(self, need: float, now: float) -> bool:
        """Whether a job that needs so much may start now."""
        while self.ended and self.ended[0][0] <= now:
            heappop(self.ended)
        room = self.amount - self.running - sum(used for _, used in self.ended)
        return room > 0 and need <= room

    def take(self, need: float) -> None:
        """A job starts."""
        self.running += need

    def end(self, need: float, started: float, now: float, how: Ending, spent: float | None) -> None:  # noqa: ARG002 (a budget's)
        """An attempt ended that had started then."""
        self.running -= need
        if how != "deferred":
            heappush(self.ended, ((now if how in CUT_OFF else started) + self.window, need))

    def opens(self) -> float:
        """When it next lets more through, where no job ends."""
        return self.ended[0][0] if self.ended else NEVER


class Budget:
    """A day's cost of jobs, counted for the day of their start: the expected cost from the start, the recorded one from the end.

    Attributes:
        learns: Whether costs are recorded in its currency.
    """

    __slots__ = ("amount", "began", "ends", "learns", "name", "origin", "spent", "zone")

    def __init__(self, name: str, amount: float, zone: ZoneInfo, origin: float, *, learns: bool) -> None:
        self.name = name
        self.amount = amount
        self.zone = zone
        self.origin = origin
        self.learns = learns
        self.spent = 0.0
        self.began = self.ends = -NEVER

    def lets(self, need: float, now: float) -> bool:
        """Whether a job that is expected to cost so much may start now."""
        if self.ends <= now:
            self.began, self.ends = self.ends, next_midnight(self.origin + now, self.zone) - self.origin
            self.spent = 0.0
        room = self.amount - self.spent
        return room > _DUST and need <= room + _DUST

    def take(self, need: float) -> None:
        """A job starts."""
        self.spent += need

    def end(self, need: float, started: float, now: float, how: Ending, spent: float | None) -> None:  # noqa: ARG002 (a unit's)
        """An attempt ended that had started then, and cost that, where it is known."""
        if spent is None:
            spent = need if how in (*CUT_OFF, "completed") else 0.0
        elif how in CUT_OFF:
            spent = max(spent, need)
        if started >= self.began:
            self.spent += spent - need

    def opens(self) -> float:
        """When it next lets more through, where no job ends."""
        return self.ends


class Breaker:
    """Opens when too many jobs fail, and then lets none start; after a pause one job at a time probes.

    It changes only at claims, as in ``zeke_jobs.turn_breakers``.

    Attributes:
        until: End of the pause while it is open; else None.
        probe: The probing job as of the last claim.
    """

    __slots__ = ("ends", "failed", "failures", "name", "pause", "probe", "probes", "share", "until", "within")

    def __init__(self, name: str, breaker: limits.Breaker) -> None:
        self.name = name
        is_share = breaker.failures < 1
        self.failures = _LEAST_FAILURES if is_share else breaker.failures
        self.share = breaker.failures if is_share else None
        self.within = breaker.within.total_seconds()
        self.pause = breaker.pause.total_seconds()
        self.until: float | None = None
        self.probe: int | None = None
        self.probes = False  # whether it still runs
        self.ends: deque[tuple[float, bool, int]] = deque()  # when, whether failed, which job
        self.failed = 0  # of these

    def stops(self, now: float) -> bool:
        """Whether it lets no job start."""
        return self.until is not None and (self.until > now or self.probe is not None)

    def opens(self) -> float:
        """When it lets the next job start, if no job ends before."""
        return NEVER if self.until is None or self.probe is not None else self.until

    def start(self, job: int) -> None:
        """Note the start of a job, which probes if the breaker is open."""
        if self.until is not None:
            self.probe, self.probes = job, True

    def end(self, job: int, now: float, *, failed: bool | None) -> None:
        """Note the end of an attempt; None is neither success nor failure."""
        if failed is not None and (failed or self.share is not None or job == self.probe):
            self.ends.append((now, failed, job))
            self.failed += failed
        if job == self.probe:
            self.probes = False

    def turn(self, now: float) -> None:
        """Open or close, by the ends since the last call."""
        if self.until is None:
            while self.ends and self.ends[0][0] <= now - self.within:
                self.failed -= self.ends.popleft()[1]
            if self.failed >= max(self.failures, (self.share or 0.0) * len(self.ends)):
                self.until, self.probe = now + self.pause, None
        elif self.probe is not None:
            since = self.until
            last = next((one for one in reversed(self.ends) if one[2] == self.probe and one[0] >= since), None)
            if last is None:
                if not self.probes:
                    self.probe = None
            elif last[1]:
                self.until, self.probe = last[0] + self.pause, None
            else:
                self.until = self.probe = None
                self.ends.clear()
                self.failed = 0


def owners(config: Config) -> Iterator[tuple[str, Task | Limit, list[Task]]]:
    """All tasks and limits: the name of each, itself, and the tasks that it limits."""
    tasks = list(config.tasks.values())
    for limit in config.limits.values():
        yield f"limit/{limit.name}", limit, [task for task in tasks if limit.name in task.uses]
    for task in tasks:
        yield f"task/{task.id}", task, [task]


def gates_of(config: Config) -> Iterator[tuple[str, Gate]]:
    """The gates of all tasks and limits that have one, by name."""
    for name, owner, _ in owners(config):
        window = owner.rate.window if owner.rate else None
        if isinstance(owner, Limit):
            yield name, Gate(name, owner.concurrency, window, owner.breaker)
        elif owner.concurrency.limit is not None or window is not None:
            yield name, Gate(name, owner.concurrency.limit, window)
