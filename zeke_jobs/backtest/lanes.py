"""The due jobs of each task, in order, and the causes that block them."""

from __future__ import annotations

from collections import OrderedDict, deque
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from zeke_jobs.backtest.gates import CUT_OFF, rate_window

if TYPE_CHECKING:
    from zeke_jobs.backtest.gates import Budget, Gate, Meter
    from zeke_jobs.backtest.workload import Ending, Key
    from zeke_jobs.config.models import Task

#: Causes that block a lane, beside the names of gates.
THREADS, PAUSED = "threads", "paused"

_MANY = 1_000_000
_REMEMBERED = 20  # jobs in an average
_DEFERRED = 1.0  # seconds; the least deferral of a job that fails while a breaker is open
Waiting = tuple[int, float, int, int]  # negative priority, due time, order of sending, job


class Lane:
    """The queued jobs of one task.

    Attributes:
        heap: The due jobs, the next one first, if the task has no limit per key.
        keys: The due jobs of each key.
        meters: The units and budgets of its limits, with jobs.yaml's estimate for one job.
        took: For running jobs: the start, and the amount taken from each meter.
        average: Average cost of recent jobs, and their number (at most twenty); None before the first end.
        passed: Starts of each key's jobs that its rate still counts; ``resting`` has the end of that.
        gone: Jobs that left the queue unstarted but are still in a heap, not at its head.
        open: Keys with a due job and room, in turns, by the priority of that job.
        places: The priority under which each of these keys stands.
        line: For strict order: each key's unfinished jobs, the oldest first, and the entries of due jobs that wait for the one
            before.
        due: Number of due jobs.
        high: The highest number since it was last reset.
        turns: Jobs started in this claim at the current priority.
        cause: The cause that blocked its due jobs at the last check; empty if there was none or no job is due.
        held: Seconds in which each cause blocked a due job, within ``span``.
        span: Begin and end of the time that counts for ``held``.
    """

    __slots__ = (
        "active", "average", "cause", "due", "gates", "gone", "heap", "held", "high", "holds", "key_rate", "keys", "line",
        "meters", "open", "passed", "paused", "per_key", "places", "queue", "resting", "since", "span", "strict", "task", "took",
        "turns",
    )  # fmt: skip

    def __init__(self, task: Task, gates: tuple[Gate, ...], *, paused: bool) -> None:
        self.task = task.id
        self.queue = task.queue
        self.gates = gates
        self.per_key = task.per_key
        self.key_rate = task.rate.per_key if task.rate else None
        if self.key_rate is not None:
            self.per_key = self.per_key or _MANY
        self.passed: dict[Key, deque[float]] = {}
        self.resting: list[tuple[float, int, Key]] = []
        self.meters: list[tuple[Meter | Budget, float]] = []
        self.took: dict[int, tuple[float, list[float]]] = {}
        self.average: tuple[float, int] | None = None
        self.strict = task.order is not None
        self.holds = task.after_failure == "hold"
        self.line: dict[Key, dict[int, Waiting | None]] = {}
        self.paused = paused
        self.heap: list[Waiting] = []
        self.gone: set[int] = set()
        self.keys: dict[Key, list[Waiting]] = {}
        self.open: dict[int, OrderedDict[Key, None]] = {}
        self.places: dict[Key, int] = {}
        self.active: dict[Key, int] = {}
        self.due = 0
        self.high = 0
        self.turns = 0
        self.cause = ""
        self.since = 0.0
        self.span = (float("-inf"), float("inf"))
        self.held: dict[str, float] = {}

    def level(self) -> int:
        """The highest priority of its jobs that may start, if nothing blocks the lane."""
        if self.per_key is None:
            return -self.heap[0][0]
        return max(self.open)

    def obstacle(self, now: float) -> str:
        """The cause that blocks all its due jobs; empty if one may start."""
        if self.paused:
            return PAUSED
        for gate in self.gates:
            if found := gate.obstacle(now):
                return found
        while self.resting and self.resting[0][0] <= now:
            key = heappop(self.resting)[2]
            self.passed[key].popleft()
            self.look_at(key)
        if self.per_key is not None and not self.open:
            return "key"
        for meter, estimate in self.meters:
            if not meter.lets(self._need(meter, estimate), now):
                return meter.name
        return ""

    def look_at(self, key: Key, *, had_turn: bool = False) -> None:
        """Update the place of a key after its first job or its free slots changed; last among equals when it had its turn."""
        waiting = self.keys.get(key)
        assert self.per_key is not None
        place = -waiting[0][0] if waiting and self.active.get(key, 0) < self.per_key and not self.rests(key) else None
        if waiting is not None and not waiting:
            del self.keys[key]
        before = self.places.get(key)
        if place == before and not had_turn:
            return
        if before is not None:
            del self.places[key], self.open[before][key]
            if not self.open[before]:
                del self.open[before]
        if place is not None:
            self.places[key] = place
            self.open.setdefault(place, OrderedDict())[key] = None

    def rests(self, key: Key) -> bool:
        """Whether the rate of the key is used up."""
        return self.key_rate is not None and len(self.passed.get(key, ())) >= self.key_rate.count

    def began(self, job: int, key: Key | None, now: float) -> None:
        """Note a job's start, and take from its meters and from the rate of its key."""
        if self.meters:
            needs = [self._need(meter, estimate) for meter, estimate in self.meters]
            self.took[job] = now, needs
            for (meter, _), need in zip(self.meters, needs, strict=True):
                meter.take(need)
        if self.key_rate is not None and key is not None:
            self.passed.setdefault(key, deque()).append(now)
            heappush(self.resting, (now + rate_window(self.key_rate), job, key))

    def ended(self, job: int, now: float, how: Ending, spent: float | None) -> None:
        """An attempt ended, and cost that, where it is known: it replaces the estimate, there and in the average."""
        started, needs = self.took.pop(job)
        for (meter, _), need in zip(self.meters, needs, strict=True):
            meter.end(need, started, now, how, spent if meter.learns else None)
        if spent is not None and how not in CUT_OFF:
            average, jobs = self.average or (0.0, 0)
            jobs = min(jobs + 1, _REMEMBERED)
            self.average = average + (spent - average) / jobs, jobs

    def _need(self, meter: Meter | Budget, estimate: float) -> float:
        if meter.learns and self.average is not None:
            estimate = self.average[0]
        return min(estimate, meter.amount)

    def deferred_until(self, now: float) -> float | None:
        """The end of the deferral for a job that fails while a breaker is open; None if none is open."""
        paused = [gate.breaker.until for gate in self.gates if gate.breaker and gate.breaker.until is not None]
        return max(now + _DEFERRED, *paused) if paused else None

    def clean(self, heap: list[Waiting]) -> None:
        """Drop jobs from its head that left the queue unstarted."""
        while heap and heap[0][3] in self.gone:
            self.gone.discard(heappop(heap)[3])

    def note(self, cause: str, now: float) -> None:
        """Note the cause that blocks it from now on."""
        if cause != self.cause:
            if self.cause:
                first, last = self.span
                passed = min(now, last) - max(self.since, first)
                if passed > 0:
                    self.held[self.cause] = self.held.get(self.cause, 0.0) + passed
            self.cause, self.since = cause, now
