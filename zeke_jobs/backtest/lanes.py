"""The due jobs of each task, in order, and the limits (gates) that they must pass."""

from __future__ import annotations

from collections import OrderedDict, deque
from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zeke_jobs.config.entries import Rate
    from zeke_jobs.config.models import Task

#: A rate counts a hundredth longer than its period, and no more seconds than that.
RATE_SHARE, RATE_GRACE = 0.01, 0.25
#: Causes that hold a lane back, beside the names of gates.
THREADS, PAUSED = "threads", "paused"

_MANY = 1_000_000
Key = int | str
Waiting = tuple[int, float, int, int]  # minus the priority, when it was due, order of sending, job


def rate_window(rate: Rate) -> float:
    """Seconds over which a claim counts a rate."""
    seconds = rate.period.total_seconds()
    return seconds + min(seconds * RATE_SHARE, RATE_GRACE)


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


class Meter:
    """What jobs may use of a unit within a time. An estimate counts while its job runs, and that long from its start."""

    __slots__ = ("amount", "ended", "name", "running", "window")

    def __init__(self, name: str, rate: Rate) -> None:
        self.name = name
        self.amount = rate.count
        self.window = rate_window(rate)
        self.running = 0.0
        self.ended: list[tuple[float, float]] = []

    def lets(self, need: float, now: float) -> bool:
        """Whether a job that needs so much may start now."""
        while self.ended and self.ended[0][0] <= now:
            heappop(self.ended)
        room = self.amount - self.running - sum(used for _, used in self.ended)
        return room > 0 and need <= room

    def end(self, need: float, started: float) -> None:
        """A job ended that had started then."""
        self.running -= need
        heappush(self.ended, (started + self.window, need))

    def opens(self) -> float:
        """When it next lets more through, where no job ends."""
        return self.ended[0][0] if self.ended else float("inf")


class Lane:
    """The queued jobs of one task.

    Attributes:
        heap: What is due, the next one first; of a task without a limit per key.
        keys: The same for each key.
        needs: What a job takes of which meters; ``started`` says when those that run took it.
        passed: When jobs of a key started, as far as its rate counts them; ``resting`` says until when.
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
        "active", "cause", "due", "gates", "gone", "heap", "held", "high", "holds", "key_rate", "keys", "line", "needs", "open",
        "passed", "paused", "per_key", "places", "queue", "resting", "since", "span", "started", "strict", "task", "turns",
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
        self.needs: list[tuple[Meter, float]] = []
        self.started: dict[int, float] = {}
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
        for meter, need in self.needs:
            if not meter.lets(need, now):
                return meter.name
        while self.resting and self.resting[0][0] <= now:
            key = heappop(self.resting)[2]
            self.passed[key].popleft()
            self.look_at(key)
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
        """Whether as many jobs of the key have started as its rate lets through."""
        return self.key_rate is not None and len(self.passed.get(key, ())) >= self.key_rate.count

    def began(self, job: int, key: Key | None, now: float) -> None:
        """A job started: note what it takes from meters and from the rate of its key."""
        if self.needs:
            self.started[job] = now
            for meter, need in self.needs:
                meter.running += need
        if self.key_rate is not None and key is not None:
            self.passed.setdefault(key, deque()).append(now)
            heappush(self.resting, (now + rate_window(self.key_rate), job, key))

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
