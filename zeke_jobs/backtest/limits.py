"""How much room a limit has, as ``zeke_jobs.room`` tells the claim, and what moves it. Times are seconds on any one clock."""

from __future__ import annotations

from collections import deque
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from zeke_jobs.config import limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from zeke_jobs.backtest.workload import Ending
    from zeke_jobs.config.entries import Rate
    from zeke_jobs.config.models import Config, Task

NEVER = float("inf")
#: Such attempts could not report everything that they used: they count at least their estimate.
CUT_OFF: tuple[Ending, ...] = ("died", "cancelled")
_LEAST_FAILURES = 10  # for a breaker that counts a share
_REMEMBERED = 20  # jobs in an average
_DUST = 1e-6  # Postgres rounds times to it; the rounding error of sums of costs is smaller


class Spacing:
    """A rate as a token bucket, by the generic cell rate algorithm; see the head of 04_limits.sql.

    Attributes:
        step: Seconds by which each unit moves the time from which the next job may start.
        slack: Seconds by which that time may be behind the present: the burst, and how late a claim may come.
    """

    __slots__ = ("slack", "step")

    def __init__(self, rate: Rate, burst: float) -> None:
        period = rate.period.total_seconds()
        catch_up = min(period * 0.0125, 0.05)
        self.step = (period + min(period * 0.0125, 0.25) + catch_up) / max(rate.count - burst, 1)
        self.slack = round(catch_up + burst * self.step, 6)

    def ready(self, starts: float, now: float) -> int:
        """How many units may start now, where the next one may start at ``starts``."""
        return 0 if starts - now >= _DUST else 1 + int((now - max(min(starts, now), now - self.slack)) / self.step)

    def moved(self, starts: float, units: float, now: float) -> float:
        """When the next one may start after so many units."""
        return round(max(starts, now - self.slack) + self.step * units, 6)


class Bucket:
    """What jobs may use of a unit: units are taken at the start, and corrected at the first claim after the end.

    Attributes:
        learns: Whether the use of jobs is recorded, which replaces the estimates.
    """

    learns = False

    def __init__(self, name: str, amount: float, rate: limits.UnitRate | None) -> None:
        self.name, self.amount = name, amount
        self._spacing = Spacing(rate.rate, rate.beside) if rate and rate.rate else None
        self._starts = -NEVER
        self._changes = 0.0
        self._used: dict[str, list[float]] = {}
        self._average: dict[str, float] = {}

    def room(self, now: float) -> tuple[int, str, float]:
        """One job at a time may start until it is used up."""
        return int(self._starts - now < _DUST), self.name, self._starts

    def start(self, task: str, estimate: float, now: float) -> float:
        """A job starts; returns what it takes."""
        amount = min(self._average.get(task, estimate), self.amount)
        self._move(amount, now)
        return amount

    def end(self, task: str, took: float, how: Ending, spent: float | None) -> None:
        """An attempt ended that took so much, and used so much, where that is recorded."""
        spent = spent if self.learns else None
        if spent is not None and how not in CUT_OFF:
            self._used.setdefault(task, []).append(spent)
        self._changes += self._counts(took, how, spent) - took

    def _counts(self, took: float, how: Ending, spent: float | None) -> float:
        if how in CUT_OFF:
            return max(took, spent or 0.0)
        return spent if spent is not None else 0.0 if how == "deferred" else took

    def catch_up(self, now: float) -> None:
        """Add up the ends since the last claim."""
        if self._changes:
            self._move(self._changes, now)
            self._changes = 0.0
        for task, used in self._used.items():
            last, mean = self._average.get(task), sum(used) / len(used)
            self._average[task] = mean if last is None else last + (mean - last) * min(1.0, len(used) / _REMEMBERED)
        self._used.clear()

    def _move(self, amount: float, now: float) -> None:
        assert self._spacing is not None
        self._starts = self._spacing.moved(self._starts, amount, now)


class Budget(Bucket):
    """What jobs may cost on a day."""

    def __init__(self, name: str, amount: float, zone: ZoneInfo, origin: float, *, learns: bool) -> None:
        super().__init__(name, amount, None)
        self.learns = learns
        self._spent, self._ends = 0.0, -NEVER
        self._zone, self._origin = zone, origin

    def room(self, now: float) -> tuple[int, str, float]:
        """One job at a time may start until the day's money is spent."""
        return int(now >= self._ends or self._spent < self.amount - _DUST), self.name, self._ends

    def _counts(self, took: float, how: Ending, spent: float | None) -> float:
        if spent is None and how in ("retry", "failed", "rejected"):
            return 0.0  # an outage would use up the whole day
        return super()._counts(took, how, spent)

    def start(self, task: str, estimate: float, now: float) -> float:
        """A job starts; returns what it takes."""
        if now >= self._ends:
            self._spent, self._ends = 0.0, next_midnight(self._origin + now, self._zone) - self._origin
        return super().start(task, estimate, now)

    def _move(self, amount: float, now: float) -> None:
        if now < self._ends:
            self._spent = max(0.0, self._spent + amount)


class Breaker:
    """Opens when too many jobs fail, and then lets none start; after a pause one job at a time probes. It turns at claims.

    Attributes:
        until: End of the pause while it is open; else None.
    """

    def __init__(self, breaker: limits.Breaker) -> None:
        self.share = breaker.failures if breaker.failures < 1 else None
        self.failures = breaker.failures if self.share is None else _LEAST_FAILURES
        self.within, self.pause = breaker.within.total_seconds(), breaker.pause.total_seconds()
        self.until: float | None = None
        self.probe: tuple[int, float] | None = None  # the job, and its start
        self.probes = False  # whether it runs
        self.ends: deque[tuple[float, bool, int]] = deque()  # when, whether failed, which job
        self.failed = 0  # of these

    def room(self, now: float) -> tuple[float, float]:
        """How many jobs may start, and until when."""
        if self.until is None:
            return NEVER, NEVER
        return (0, self.until) if self.until > now else (0 if self.probes else 1, NEVER)

    def end(self, job: int, now: float, *, failed: bool | None) -> None:
        """Note the end of an attempt; None is neither success nor failure."""
        is_probe = self.probe is not None and self.probe[0] == job
        if failed is not None and (failed or self.share is not None or is_probe):
            self.ends.append((now, failed, job))
            self.failed += failed
        if is_probe:
            self.probes = False

    def turn(self, now: float) -> None:
        """Open or close, by the ends since the last claim."""
        if self.until is None:
            while self.ends and self.ends[0][0] <= now - self.within:
                self.failed -= self.ends.popleft()[1]
            if self.failed >= max(self.failures, (self.share or 0.0) * len(self.ends)):
                self.until, self.probe = now + self.pause, None
        elif self.probe is not None:
            job, since = self.probe[0], max(self.until, self.probe[1])
            last = next((one for one in reversed(self.ends) if one[2] == job and one[0] >= since), None)
            if last is None:
                self.probe = self.probe if self.probes else None
            elif last[1]:
                self.until, self.probe = last[0] + self.pause, None
            else:
                self.until = self.probe = None
                self.ends.clear()
                self.failed = 0


class Limit:
    """A limit that claims count: ``task/ID`` for a task's own, ``limit/NAME`` for a shared one.

    Attributes:
        slots: Most active jobs; None without that bound.
        uses: Its units and its budget, by unit.
        is_metered: Whether it counts more than active jobs.
    """

    def __init__(
        self, name: str, owner: Task | limits.Limit, zone: ZoneInfo, origin: float, currency: str | None
    ) -> None:
        self.name, self.active = name, 0
        shared = owner if isinstance(owner, limits.Limit) else None
        self.slots = owner.concurrency if isinstance(owner, limits.Limit) else owner.concurrency.limit
        self.spacing = Spacing(owner.rate.limit, owner.rate.beside) if owner.rate and owner.rate.limit else None
        self.breaker = Breaker(shared.breaker) if shared and shared.breaker else None
        self.uses: dict[str, Bucket] = {
            unit: Bucket(f"{name} {unit}", float(one.rate.count), one)
            for unit, one in (shared.units.items() if shared else ())
            if one.rate
        }
        if (budget := owner.budget) is not None:
            learns = currency in (None, budget.currency)
            self.uses[budget.currency] = Budget(f"{name} budget", float(budget.amount), zone, origin, learns=learns)
        self.is_metered = bool(self.spacing or self.uses or self.breaker)
        self._starts = -NEVER
        self._took: dict[int, list[float]] = {}

    def room(self, now: float) -> tuple[float, str, float]:
        """How many jobs may start now, what allows no more, and until when; NEVER: until a job ends."""
        if not self.is_metered and self.slots is not None:
            return self.slots - self.active, self.name, NEVER
        found = NEVER, "", NEVER
        if self.breaker is not None:
            room, opens = self.breaker.room(now)
            found = room, f"{self.name} breaker", opens
        if self.spacing is not None and (ready := self.spacing.ready(self._starts, now)) < found[0]:
            found = ready, f"{self.name} rate", self._starts
        if self.slots is not None and self.slots - self.active < found[0]:
            found = self.slots - self.active, self.name, NEVER
        for use in self.uses.values():
            if (one := use.room(now))[0] < found[0]:
                found = one
        return found

    def start(self, task: str, estimates: Mapping[str, float], jobs: Sequence[int], now: float) -> None:
        """Jobs of a task start."""
        self.active += len(jobs)
        if self.spacing is not None:
            self._starts = self.spacing.moved(self._starts, len(jobs), now)
        if self.breaker is not None and self.breaker.until is not None:
            self.breaker.probe, self.breaker.probes = (jobs[0], now), True
        for job in jobs if self.uses else ():
            self._took[job] = [use.start(task, estimates.get(unit, 0.0), now) for unit, use in self.uses.items()]

    def end(self, task: str, job: int, now: float, how: Ending, spent: float | None, *, failed: bool | None) -> None:
        """An attempt ended."""
        self.active -= 1
        if self.breaker is not None:
            self.breaker.end(job, now, failed=failed)
        if self.uses:
            for use, took in zip(self.uses.values(), self._took.pop(job), strict=True):
                use.end(task, took, how, spent)

    def catch_up(self, now: float) -> None:
        """Add up the ends since the last claim."""
        for use in self.uses.values():
            use.catch_up(now)
        if self.breaker is not None:
            self.breaker.turn(now)


def next_midnight(at: float, zone: ZoneInfo) -> float:
    """The end of the day in a zone, in seconds of the epoch. Ambiguous and missing midnights are as in Postgres."""
    day = datetime.fromtimestamp(at, zone).date() + timedelta(days=1)
    return max(datetime.combine(day, time(fold=fold), zone).timestamp() for fold in (0, 1))


def owners(config: Config) -> Iterator[tuple[str, Task | limits.Limit, list[Task]]]:
    """All tasks and limits: the name of each, itself, and the tasks that it limits."""
    tasks = list(config.tasks.values())
    for limit in config.limits.values():
        yield f"limit/{limit.name}", limit, [task for task in tasks if limit.name in task.uses]
    for task in tasks:
        yield f"task/{task.id}", task, [task]
