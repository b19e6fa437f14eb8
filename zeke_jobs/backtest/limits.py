"""How much room a bucket has, as ``zeke_jobs.room`` tells the claim, and what moves it. Times are seconds on any one clock."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from zeke_jobs.backtest.workload import Attempt

NEVER = float("inf")
_CUT_OFF = ("died", "cancelled")  # such attempts could not report all: they count at least their estimate
_LEAST_FAILURES = 10  # for a breaker that counts a share
_REMEMBERED = 20  # jobs in an average
_DUST = 1e-6  # Postgres rounds times to it; the rounding error of sums of costs is smaller


class Rate:
    """A token bucket, by the generic cell rate algorithm: see the head of 04_limits.sql.

    Args:
        period: The period, as rows of the catalogue have it, such as ``60.0 seconds``.
        burst: Units at once beside the first.

    Attributes:
        step: Seconds by which each unit moves ``next_at``, the time from which the next job may start.
        slack: Seconds by which ``next_at`` may be behind the present: the burst, and how late a claim may come.
    """

    __slots__ = ("next_at", "slack", "step")

    def __init__(self, amount: float, period: str, burst: float = 0) -> None:
        seconds = float(period.removesuffix(" seconds"))
        late = min(seconds * 0.0125, 0.05)
        self.step = (seconds + min(seconds * 0.0125, 0.25) + late) / max(amount - burst, 1)
        self.slack = round(late + burst * self.step, 6)
        self.next_at = -NEVER

    def ready(self, now: float) -> int:
        """How many units may start now."""
        if self.next_at - now >= _DUST:
            return 0
        return 1 + int((now - max(min(self.next_at, now), now - self.slack)) / self.step)

    def move(self, units: float, now: float) -> None:
        """So many units start."""
        self.next_at = round(max(self.next_at, now - self.slack) + self.step * units, 6)


class Bucket:
    """One row of the catalogue's limits: active jobs and starts, or use of a unit in a time, or of money on a day.

    Of a unit and of money, the estimate is taken at the start, and corrected after the end; until it is used up, one job at a
    time may start. The average cost of a task's recent jobs replaces the estimate.

    Args:
        day_ends: When the day of a moment ends.
        learns: Whether recorded costs are in its currency.

    Attributes:
        cause: Its name where it holds jobs back, unless its breaker does.
        slots: Most active jobs; None without that bound.
        is_plain: Whether it counts active jobs alone.
    """

    def __init__(self, row: Mapping[str, Any], day_ends: Callable[[float], float], *, learns: bool) -> None:
        self.name, self.unit = row["name"], row["unit"]
        self.slots, self.active = row.get("concurrency"), 0
        self.rate = Rate(row["amount"], row["period"], row["burst"]) if row.get("period") else None
        self.breaker = Breaker(row) if row.get("breaker_pause") else None
        self.is_plain = self.unit == "jobs" and not (self.rate or self.breaker)
        self._is_money, self._amount = "zone" in row, float(row["amount"] or 0)
        self.cause = f"{self.name} {'budget' if self._is_money else 'rate' if self.unit == 'jobs' else self.unit}"
        self._day_ends, self._learns = day_ends, learns and self._is_money
        self._spent, self._ends = 0.0, -NEVER  # the end of the day on which it was spent
        self._took: dict[object, float] = {}
        self._changes = 0.0
        self._costs: dict[str, list[float]] = {}
        self._average: dict[str, float] = {}

    def room(self, now: float) -> tuple[float, str, float]:
        """How many jobs may start now, what allows no more, and until when; NEVER: until a job ends."""
        found = (NEVER if self.slots is None else self.slots - self.active, self.name, NEVER)
        if self.is_plain:
            return found
        if self.rate is not None and (ready := self.rate.ready(now)) <= found[0]:
            found = (ready if self.unit == "jobs" else min(1, ready), self.cause, self.rate.next_at)
        if self._is_money:
            found = int(now >= self._ends or self._spent < self._amount - _DUST), self.cause, self._ends
        if self.breaker is not None and (probe := self.breaker.room(now))[0] <= found[0]:
            found = (probe[0], f"{self.name} breaker", probe[1])
        return found

    def start(self, task: str, estimate: float, jobs: Sequence[object], now: float) -> None:
        """Jobs of a task start."""
        self.active += len(jobs)
        if self.is_plain:
            return
        if self._is_money and now >= self._ends:
            self._spent, self._ends = 0.0, self._day_ends(now)
        if self.unit == "jobs":
            self._move(len(jobs), now)
        else:
            for job in jobs:
                self._took[job] = min(self._average.get(task, estimate), self._amount)
                self._move(self._took[job], now)
        if self.breaker is not None and self.breaker.until is not None:
            self.breaker.probe, self.breaker.probes = (jobs[0], now), True

    def end(self, task: str, job: object, now: float, attempt: Attempt, spent: float | None) -> None:
        """An attempt ended; ``spent`` is its cost, where it is known."""
        self.active -= 1
        if self.breaker is not None:
            self.breaker.end(job, now, failed=attempt.failed)
        if self.unit != "jobs":
            took = self._took.pop(job)
            self._changes += self._used(task, took, attempt.how, spent if self._learns else None) - took

    def _used(self, task: str, took: float, how: str, spent: float | None) -> float:
        if how in _CUT_OFF:
            return max(took, spent or 0.0)
        if spent is not None:
            self._costs.setdefault(task, []).append(spent)
            return spent
        # No money for a failure: an outage would use up the whole day.
        return 0.0 if how == "deferred" or (self._is_money and how != "completed") else took

    def catch_up(self, now: float) -> None:
        """Add up the ends since the last claim."""
        if self.breaker is not None:
            self.breaker.turn(now)
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


class Breaker:
    """Opens when too many jobs fail, and then lets none start; after a pause one job at a time probes. It turns at claims.

    Attributes:
        until: End of the pause while it is open; else None.
        probe: The job that probes, or probed last, and its start.
        probes: Whether it runs.
    """

    def __init__(self, row: Mapping[str, Any]) -> None:
        self._share, self._failures = row["breaker_share"] or 0.0, row["breaker_failures"] or _LEAST_FAILURES
        self._within, self._pause = (
            float(row[f"breaker_{key}"].removesuffix(" seconds")) for key in ("within", "pause")
        )
        self.until: float | None = None
        self.probe: tuple[object, float] | None = None
        self.probes = False
        self._ends: deque[tuple[float, bool, object]] = deque()  # when, whether failed, which job
        self._failed = 0  # of these

    def room(self, now: float) -> tuple[float, float]:
        """How many jobs may start, and until when."""
        if self.until is None:
            return NEVER, NEVER
        return (0, self.until) if self.until > now else (int(not self.probes), NEVER)

    def end(self, job: object, now: float, *, failed: bool | None) -> None:
        """Note the end of an attempt; None is neither success nor failure."""
        is_probe = self.probe is not None and self.probe[0] is job
        if failed is not None and (failed or self._share or is_probe):
            self._ends.append((now, failed, job))
            self._failed += failed
        if is_probe:
            self.probes = False

    def turn(self, now: float) -> None:
        """Open or close, by the ends since the last claim."""
        if self.until is None:
            while self._ends and self._ends[0][0] <= now - self._within:
                self._failed -= self._ends.popleft()[1]
            if self._failed >= max(self._failures, self._share * len(self._ends)):
                self.until, self.probe = now + self._pause, None
        elif self.probe is not None:
            job, since = self.probe[0], max(self.until, self.probe[1])
            last = next((one for one in reversed(self._ends) if one[2] is job and one[0] >= since), None)
            if last is None:
                self.probe = self.probe if self.probes else None
            elif last[1]:
                self.until, self.probe = last[0] + self._pause, None
            else:
                self.until = self.probe = None
                self._ends.clear()
                self._failed = 0


def next_midnight(at: float, zone: ZoneInfo) -> float:
    """The end of the day in a zone, in seconds of the epoch. Ambiguous and missing midnights are as in Postgres."""
    day = datetime.fromtimestamp(at, zone).date() + timedelta(days=1)
    return max(datetime.combine(day, time(fold=fold), zone).timestamp() for fold in (0, 1))
