"""The due jobs of each task, in order, and the limits (gates) that they must pass."""

from __future__ import annotations

from collections import OrderedDict, deque
from heapq import heappop
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zeke_jobs.config.entries import Rate
    from zeke_jobs.config.models import Task

#: Seconds that a rate counts beyond its period.
RATE_GRACE = 0.25
#: Causes that hold a lane back, beside the names of gates.
THREADS, PAUSED = "threads", "paused"

Key = int | str
Waiting = tuple[int, float, int, int]  # minus the priority, when it was due, order of sending, job


def rate_window(rate: Rate) -> float:
    """Seconds over which a claim counts a rate."""
    return rate.period.total_seconds() + RATE_GRACE


class Gate:
    """A limit that claims count: ``task/ID`` for a task's own, ``limit/NAME`` for a shared one."""

    __slots__ = ("active", "limit", "name", "passed", "rate", "rate_name", "window")

    def __init__(self, name: str, limit: int | None, rate: Rate | None) -> None:
        self.name = name
        self.limit = limit
        self.rate = rate.count if rate else None
        self.window = rate_window(rate) if rate else 0.0
        self.rate_name = f"{name} rate"
        self.active = 0
        self.passed: deque[float] = deque()

    def obstacle(self, now: float) -> str:
        """Why no job passes it now; empty when one does."""
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
        """When its rate lets the next job through, where only that is full."""
        return self.passed[0] + self.window


class Lane:
    """The queued jobs of one task.

    Attributes:
        heap: What is due, the next one first; of a task without a limit per key.
        keys: The same for each key.
        gone: Jobs that left unstarted and are still in a heap, not at its head.
        open: Keys that have a due job and room, in turns, by the priority of that job.
        places: At which priority each of them stands there.
        line: Where jobs run in strict order: the jobs of each key that have not ended, the oldest first, and the entries of those
            that are due and wait for the one before.
        due: How many jobs are due.
        high: The most that were since it was last set.
        turns: How many it got in a claim, at the priority that is looked at.
        cause: What held back its due jobs when it was last looked at; empty where nothing did or none is due.
        held: Seconds that each cause held back some due job, within ``span``.
        span: From when to when what holds back counts.
    """

    __slots__ = (
        "active",
        "cause",
        "due",
        "gates",
        "gone",
        "heap",
        "held",
        "high",
        "holds",
        "keys",
        "line",
        "open",
        "paused",
        "per_key",
        "places",
        "queue",
        "since",
        "span",
        "strict",
        "task",
        "turns",
    )  # fmt: skip

    def __init__(self, task: Task, gates: tuple[Gate, ...], *, paused: bool) -> None:
        self.task = task.id
        self.queue = task.queue
        self.gates = gates
        self.per_key = task.per_key
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
        """The highest priority of its jobs that may start; nothing holds it back."""
        if self.per_key is None:
            return -self.heap[0][0]
        return max(self.open)

    def obstacle(self, now: float) -> str:
        """The cause that keeps all its due jobs from starting; empty when one may start."""
        if self.paused:
            return PAUSED
        for gate in self.gates:
            if found := gate.obstacle(now):
                return found
        return "key" if self.per_key is not None and not self.open else ""

    def heads(self) -> list[int]:
        """The jobs of which one is next, once nothing holds the lane back."""
        if self.per_key is None:
            return [self.heap[0][3]]
        return [self.keys[key][0][3] for key in self.open[max(self.open)]]

    def look_at(self, key: Key, *, had_turn: bool = False) -> None:
        """Update the place of a key after its first job or its free slots changed; last among equals when it had its turn."""
        waiting = self.keys.get(key)
        assert self.per_key is not None
        place = -waiting[0][0] if waiting and self.active.get(key, 0) < self.per_key else None
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

    def clean(self, heap: list[Waiting]) -> None:
        """Drop jobs from its head that left the queue unstarted."""
        while heap and heap[0][3] in self.gone:
            self.gone.discard(heappop(heap)[3])

    def note(self, cause: str, now: float) -> None:
        """Note the cause that holds it back from now on."""
        if cause != self.cause:
            if self.cause:
                first, last = self.span
                passed = min(now, last) - max(self.since, first)
                if passed > 0:
                    self.held[self.cause] = self.held.get(self.cause, 0.0) + passed
            self.cause, self.since = cause, now
