"""The expected states of a job in plain Python: the stateful test compares this model with the table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

TOP = "limits: {pool: {concurrency: 3}}"
TASKS = """
  limited: {handler: 'H:echo', concurrency: 2, retry: {limit: 1}}
  shared: {handler: 'H:echo', uses: [pool], retry: {limit: 3}}
  keyed: {handler: 'H:echo', uses: [pool], concurrency: {per_key: 1}, retry: {limit: 3}}
  rated: {handler: 'H:echo', rate: 2/m, priority: 1}
  free: {handler: 'H:echo', priority: 1, retry: {limit: 0}}
"""
RETRIES = {"limited": 1, "shared": 3, "keyed": 3, "rated": 3, "free": 0}
PRIORITY = {"limited": 0, "shared": 0, "keyed": 0, "rated": 1, "free": 1}
#: The most that may be active at once, by gate, and which tasks a gate counts.
LIMITS = {"limited": 2, "pool": 3}
GATES = {"limited": ("limited",), "shared": ("pool",), "keyed": ("pool",), "rated": (), "free": ()}
RATE, RATE_PERIOD = 2, timedelta(seconds=60.15)
LATEST_START = timedelta(seconds=0.25)  # after its claim, of a job that has not said yet that it started

LOST_AFTER = timedelta(seconds=20)
ROWLESS_AFTER = timedelta(minutes=1)
MOST_DEATHS = 3


@dataclass
class JobModel:
    """One job; ``shown()`` is its expected row."""

    seq: int
    task: str
    key: str | None
    priority: int
    run_at: datetime
    expires_on: datetime | None
    state: str = "queued"
    attempt: int = 0
    attempt_base: int = 0
    deaths: int = 0
    claim: int = 0
    worker: UUID | None = None
    cancelled: bool = False
    waiting_for: str | None = None
    entries: int = 0
    claimed_on: datetime | None = field(default=None)
    marked: bool = False
    group_size: int = 1

    def shown(self) -> dict[str, Any]:
        own = {"seq", "entries", "claimed_on", "marked", "group_size"}
        shown = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in own}
        return {**shown, "entries": self.entries, "status": self.status}

    @property
    def status(self) -> str:
        if self.state == "rejected":
            return "cancelled" if self.cancelled else "failed"
        waiting = "retry" if self.attempt else "created"
        return {"queued": waiting, "consumed": "active", "done": "completed"}[self.state]

    def is_late(self, now: datetime) -> bool:
        """Not started in time."""
        return self.attempt == 0 and self.expires_on is not None and self.expires_on <= now

    def is_due(self, now: datetime) -> bool:
        return self.state == "queued" and self.run_at <= now and not self.is_late(now)

    def claimed(self, worker: UUID, now: datetime) -> None:
        self.state, self.worker, self.claimed_on = "consumed", worker, now
        self.claim += 1
        self.marked, self.waiting_for = False, None

    def started(self) -> None:
        if not self.marked:
            self.marked = True
            self.attempt += 1

    def completed(self) -> None:
        self.started()
        self._leave("rejected" if self.cancelled else "done")

    def finished(self, outcome: str, now: datetime, *, has_started: bool, delay: float, reason: str) -> None:
        counts = outcome in ("retry", "failed", "cancelled") and has_started
        if counts:
            self.started()
        elif self.marked:
            self.attempt -= 1
        outcome = "cancelled" if self.cancelled else outcome
        self.cancelled = outcome == "cancelled"
        self.entries += outcome != "returned"
        if outcome in ("retry", "deferred"):
            self.run_at = now + timedelta(seconds=delay)
        if outcome in ("retry", "deferred") and self.deaths == 1 and has_started:
            self.deaths = 0
        self._leave("rejected" if outcome in ("failed", "cancelled") else "queued")
        self.waiting_for = reason if outcome == "deferred" else None

    def died(self, *, suspects: int) -> str:
        self.started()
        self.entries += 1
        among_suspects = self.deaths > 0 and self.group_size > 1
        self.attempt_base += among_suspects or (suspects > 1 and RETRIES[self.task] > 0)
        self.deaths += not among_suspects
        self.group_size = -(-suspects // 2)
        if self.cancelled:
            outcome = "cancelled"
        elif self.deaths >= MOST_DEATHS:
            outcome = "quarantined"
        else:
            outcome = "failed" if self.attempt - self.attempt_base > RETRIES[self.task] else "rescued"
        self._leave("queued" if outcome == "rescued" else "rejected")
        return outcome

    def cancel(self) -> None:
        if self.state in ("queued", "consumed"):
            self.cancelled = True
            self.state = "rejected" if self.state == "queued" else self.state

    def retried(self, now: datetime) -> bool:
        if not (self.state == "rejected" or (self.state == "queued" and self.attempt > 0)):
            return False
        self.state, self.cancelled, self.deaths = "queued", False, 0
        self.attempt_base, self.run_at, self.expires_on, self.waiting_for = self.attempt, now, None, None
        return True

    def _leave(self, state: str) -> None:
        self.state, self.worker = state, None


def active(jobs: Iterable[JobModel]) -> tuple[Counter[str], Counter[tuple[str, str | None]]]:
    """How much is active, by gate and by (task, key)."""
    consumed = [job for job in jobs if job.state == "consumed"]
    return Counter(g for job in consumed for g in GATES[job.task]), Counter((job.task, job.key) for job in consumed)


def is_blocked(
    job: JobModel, beside: Iterable[JobModel], rate_used: int, paused: set[str], *, more: Iterable[JobModel] = ()
) -> bool:
    """Whether a limit or a pause keeps a due job from being claimed beside these; ``more`` are claims that only rates count."""
    gates, keys = active(beside)
    if f"task/{job.task}" in paused or any(f"limit/{gate}" in paused for gate in GATES[job.task]):
        return True
    if any(gates[gate] >= LIMITS[gate] for gate in GATES[job.task]):
        return True
    if job.task == "keyed" and keys[job.task, job.key] >= 1:
        return True
    return job.task == "rated" and rate_used + sum(other.task == "rated" for other in more) >= RATE
