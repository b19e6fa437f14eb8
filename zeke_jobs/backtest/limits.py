"""Computes how many jobs a limit lets start, like the SQL function ``zeke_jobs.room``. All times are seconds."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from zeke_jobs.backtest.workload import Ending

NEVER = float("inf")
_CUT_OFF = ("died", "cancelled")  # these attempts may lack a report of their use, so at least the estimate counts
_REMEMBERED = 20  # jobs in an average
_DUST = 1e-6  # the resolution of times in Postgres; the rounding error of sums of costs is smaller


class Rate:
    """Simulates a rate by the generic cell rate algorithm (04_limits.sql). ``period`` is text like ``60 seconds``."""

    __slots__ = ("next_at", "slack", "step")

    def __init__(self, amount: float, period: str, burst: float = 0) -> None:
        seconds = float(period.removesuffix(" seconds"))
        late = min(seconds * 0.0125, 0.05)  # the allowed delay of a claim
        self.next_at = -NEVER  # when the next job may start
        self.step = (seconds + min(seconds * 0.0125, 0.25) + late) / max(amount - burst, 1)  # seconds for one unit
        self.slack = round(late + burst * self.step, 6)  # seconds that next_at may be before now

    def ready(self, now: float) -> int:
        """Return how many units, such as starts of jobs or tokens, the rate allows now."""
        if self.next_at - now >= _DUST:
            return 0
        return 1 + int((now - max(min(self.next_at, now), now - self.slack)) / self.step)

    def move(self, units: float, now: float) -> None:
        """Record that ``units`` were used."""
        self.next_at = round(max(self.next_at, now - self.slack) + self.step * units, 6)


class Bucket:
    """Simulates a limit of jobs.yaml: on number and rate of jobs, on a unit such as tokens, or on the daily cost.

    For a unit or cost, a job's estimate is added when it starts, and corrected when it ends. Such a bucket lets one job
    start at a time. With ``learns``, recorded costs count, and a task's recent average replaces its estimate.
    """

    def __init__(self, row: Mapping[str, Any], day_ends: Callable[[float], float], *, learns: bool) -> None:
        self.name, self.unit = row["name"], row["unit"]
        self.slots, self.active = row.get("concurrency"), 0  # None: any number of active jobs
        self.rate = Rate(row["amount"], row["period"], row["burst"]) if row.get("period") else None
        self._is_money, self._amount = "zone" in row, float(row["amount"] or 0)
        self.cause = f"{self.name} {'budget' if self._is_money else 'rate' if self.unit == 'jobs' else self.unit}"
        self._day_ends, self._learns = day_ends, learns and self._is_money
        self._spent, self._ends = 0.0, -NEVER  # money spent, and the end of the day on which it was spent
        self._took: dict[object, float] = {}
        self._changes = 0.0
        self._costs: dict[str, list[float]] = {}
        self._average: dict[str, float] = {}

    def room(self, now: float) -> tuple[float, str, float]:
        """Return how many jobs may start now, what blocks more, and until when (NEVER: until another job ends)."""
        found = (NEVER if self.slots is None else self.slots - self.active, self.name, NEVER)
        if self.rate is not None and (ready := self.rate.ready(now)) <= found[0]:
            found = (ready if self.unit == "jobs" else min(1, ready), self.cause, self.rate.next_at)
        if self._is_money:
            found = int(now >= self._ends or self._spent < self._amount - _DUST), self.cause, self._ends
        return found

    def start(self, task: str, estimate: float, jobs: Sequence[object], now: float) -> None:
        """Record that jobs of a task start."""
        self.active += len(jobs)
        if self._is_money and now >= self._ends:
            self._spent, self._ends = 0.0, self._day_ends(now)
        if self.unit == "jobs":
            self._move(len(jobs), now)
        else:
            for job in jobs:
                self._took[job] = min(self._average.get(task, estimate), self._amount)
                self._move(self._took[job], now)

    def end(self, task: str, job: object, how: Ending, spent: float | None) -> None:
        """Record that an attempt of a job ended. ``spent`` is the attempt's cost, or None if unknown."""
        self.active -= 1
        if self.unit != "jobs":
            took = self._took.pop(job)
            self._changes += self._used(task, took, how, spent if self._learns else None) - took

    def _used(self, task: str, took: float, how: Ending, spent: float | None) -> float:
        if how in _CUT_OFF:
            return max(took, spent or 0.0)
        if spent is not None:
            self._costs.setdefault(task, []).append(spent)
            return spent
        # A failed attempt that reported no cost is free, because an outage would otherwise use up the day's budget.
        return 0.0 if how == "deferred" or (self._is_money and how != "completed") else took

    def catch_up(self, now: float) -> None:
        """Update the used amount and the average costs with the attempts that ended since the last claim."""
        if self._changes:
            self._move(self._changes, now)
            self._changes = 0.0
        for task, costs in self._costs.items():
            mean = sum(costs) / len(costs)
            was = self._average.get(task, mean)
            self._average[task] = was + (mean - was) * min(1.0, len(costs) / _REMEMBERED)
        self._costs.clear()

    def _move(self, amount: float, now: float) -> None:
        if self.rate is not None:
            self.rate.move(amount, now)
        elif now < self._ends:
            self._spent = max(0.0, self._spent + amount)


def next_midnight(at: float, zone: ZoneInfo) -> float:
    """Return the end of a day in a time zone, as Unix time. If midnight happens twice, the first one ends the day."""
    return datetime.combine(datetime.fromtimestamp(at, zone).date() + timedelta(days=1), time(), zone).timestamp()
