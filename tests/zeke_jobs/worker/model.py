"""This model gives the expected states of a job; the stateful test compares the model with the table."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any
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
#: LIMITS gives the concurrency of each limit, and PASSES the limits of each task.
LIMITS = {"limited": 2, "pool": 3}
PASSES = {"limited": ("limited",), "shared": ("pool",), "keyed": ("pool",), "rated": (), "free": ()}
RATE = 2  # RATE is in starts per minute.
#: Two starts of the rated task are at least STEP apart, and a late claim may catch up SLACK.
STEP, SLACK = timedelta(seconds=(60 + 0.25 + 0.05) / RATE), timedelta(seconds=0.05)

LOST_AFTER = timedelta(seconds=20)
ROWLESS_AFTER = timedelta(minutes=1)
MOST_DEATHS = 3


@dataclass
class JobModel:
    """``shown()`` is the expected row of the job."""

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

    def shown(self) -> dict[str, Any]:
        own = {"seq", "entries", "claimed_on", "marked"}
        shown = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in own}
        waiting_for = self.waiting_for if self.state == "queued" else None
        return {**shown, "entries": self.entries, "status": self.status, "waiting_for": waiting_for}

    @property
    def status(self) -> str:
        if self.state == "rejected":
            return "cancelled" if self.cancelled else "failed"
        waiting = "retry" if self.attempt else "created"
        return {"queued": waiting, "consumed": "active", "done": "completed"}[self.state]

    def is_late(self, now: datetime) -> bool:
        """Say whether the job has expired before its first attempt."""
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
        outcome = "cancelled" if self.cancelled else outcome
        if outcome in ("retry", "failed", "cancelled") and has_started:
            self.started()
        elif self.marked:
            self.attempt -= 1
        self.cancelled = outcome == "cancelled"
        self.entries += outcome != "returned"
        if outcome in ("retry", "deferred"):
            self.run_at = now + timedelta(seconds=delay)
        if outcome in ("retry", "deferred") and self.deaths == 1 and has_started:
            self.deaths = 0
        self._leave("rejected" if outcome in ("failed", "cancelled") else "queued")
        self.waiting_for = reason if outcome == "deferred" else None

    def died(self) -> str:
        self.entries += 1
        if self.cancelled:
            self._leave("rejected")
            return "cancelled"
        self.started()
        self.attempt_base += 1
        self.deaths += 1
        outcome = "quarantined" if self.deaths >= MOST_DEATHS else "rescued" if RETRIES[self.task] else "failed"
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
    """Count the active jobs by limit and by (task, key)."""
    consumed = [job for job in jobs if job.state == "consumed"]
    return Counter(n for job in consumed for n in PASSES[job.task]), Counter((job.task, job.key) for job in consumed)


def is_blocked(job: JobModel, beside: Iterable[JobModel], paused: set[str], *, rate_opens: bool) -> bool:
    """Say whether a limit or a pause blocks the claim of a due job while the jobs in ``beside`` exist."""
    limits, keys = active(beside)
    if f"task/{job.task}" in paused or any(f"limit/{name}" in paused for name in PASSES[job.task]):
        return True
    if any(limits[name] >= LIMITS[name] for name in PASSES[job.task]):
        return True
    if job.task == "keyed" and keys[job.task, job.key] >= 1:
        return True
    return job.task == "rated" and not rate_opens
