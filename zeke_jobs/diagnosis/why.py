"""Why a job does not run, runs, or ended as it did: from the facts to reasons, the one that matters most first."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from zeke_jobs.config.models import Task
from zeke_jobs.core.wording import one_line, progress
from zeke_jobs.diagnosis import ends, facts, reasons, room

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.diagnosis.facts import Facts, JobRow, WorkerRow
    from zeke_jobs.diagnosis.reasons import Reason

QUARANTINE = 3  # deaths of workers that count, as zeke_jobs.rescue() has it
_FINAL = frozenset({"Reject", "InvalidPayload"})
_OUTCOMES = {"retry": "failed, to be tried again", "died": "its worker died", "deferred": "deferred"}


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one job is where it is.

    Attributes:
        id: The job.
        task: Its task.
        status: Its status.
        reasons: What explains it, the decisive first; never empty. All that hold a queued job back are there, for it
            starts only when the last of them is gone.
        history: What happened before: who sent it, its attempts, what it sent.
        about: The values of its task's keys that are shown with a job, by key.
    """

    id: UUID
    task: str
    status: str
    reasons: tuple[Reason, ...]
    history: tuple[Reason, ...]
    about: dict[str, Any] = field(default_factory=dict)


def why(conn: Connection, job_id: UUID) -> Explanation:
    """Explain a job, from one snapshot of the database.

    Args:
        conn: An autocommit connection.
        job_id: The job.

    Raises:
        JobNotFound: no job has this id; JobPurged where it is known that one had it.
    """
    return explain(facts.read(conn, job_id))


def explain(known: Facts) -> Explanation:
    """The reasons in the facts."""
    job = known.job
    match job.status:
        case "created" | "retry":
            found = _queued(known)
        case "active":
            found = _active(known)
        case "completed":
            found = [_completed(job)]
        case "failed":
            found = [_failed(job)]
        case _:
            found = [_cancelled(job)]
    about = Task.shown(known.task.definition) if known.task else {}
    about = {key: value for key, value in about.items() if value}
    return Explanation(job.id, job.task, job.status, tuple(found), tuple(_history(known)), about)


def _queued(known: Facts) -> list[Reason]:
    job, task = known.job, known.task
    if task is None:
        return [reasons.UnknownTask(job.task), *_also(known)]
    found: list[Reason] = []
    if (task.id, task.queue) != (job.task, job.queue):
        found.append(reasons.Moving(task.id, task.queue))
    found += [reasons.Paused(p.target, p.paused_by, p.paused_on, p.reason, job.now) for p in known.pauses]
    if job.run_at > job.now:
        found.append(_later(known))
    found += _unserved(known)
    found += _limits(known)
    if job.deaths:
        taken = {keeper.worker for keeper in known.keepers if keeper.runs}
        emptying = tuple(f"{one.host}:{one.pid}" for one in known.workers if one.alone and one.id not in taken)
        found.append(room.Suspect(job.deaths, job.group_size, QUARANTINE, emptying))
    if job.run_at <= job.now:
        found += _queue_before(known)
    also = _also(known)
    is_over = job.expires_on is not None and job.expires_on <= job.now and job.attempt == 0
    if not found and not is_over:
        found.append(reasons.StartsNext())
    return [*found, *also]


def _later(known: Facts) -> Reason:
    job = known.job
    if job.waiting_for is not None:
        return reasons.Deferred(job.run_at, job.waiting_for, job.now)
    if job.attempt > job.attempt_base and job.error is not None:
        left = max(0, (known.task.retry_limit if known.task else 0) - (job.attempt - job.attempt_base) + 1)
        return reasons.WaitsForRetry(job.id, job.run_at, job.attempt, left, _error(job.error), job.now)
    return reasons.NotDue(job.run_at, job.now)


def _unserved(known: Facts) -> list[Reason]:
    assert known.task is not None
    alive = [one for one in known.workers if _lives(one, known.job.now)]
    consuming = [one for one in alive if one.consumes]
    stopping = sum(one.stopping for one in consuming)
    if any(one.knows and not one.stopping for one in consuming):
        return []
    return [reasons.Unserved(known.task.id, known.task.queue, len(alive), len(consuming), stopping)]


def _limits(known: Facts) -> list[Reason]:
    job, task = known.job, known.task
    assert task is not None
    found: list[Reason] = []
    for gate in known.gates:
        if gate.concurrency is not None and gate.active >= gate.concurrency:
            found.append(room.AtLimit(gate.name, gate.concurrency, gate.active, gate.holders, job.now))
        if gate.rate_count is not None and gate.rate_period is not None and (gate.used or 0) >= gate.rate_count:
            rate = (gate.name, gate.rate_count, gate.rate_period, gate.used or 0)
            found.append(room.AtRate(*rate, gate.free_on, job.now))
    if task.per_key is not None and job.key is not None and len(known.key_holders) >= task.per_key:
        found.append(room.KeyTaken(job.key, task.per_key, known.key_holders, job.now))
    return found


def _queue_before(known: Facts) -> list[Reason]:
    job = known.job
    found: list[Reason] = []
    serving = [one for one in known.workers if one.consumes and one.knows and not one.stopping and _lives(one, job.now)]
    # A process that makes itself empty may do so for this very job.
    keepers = {keeper.worker: keeper for keeper in known.keepers if keeper.runs or not job.deaths}
    kept = tuple(keepers[one.id] for one in serving if one.id in keepers)
    free = [one for one in serving if one.id not in keepers]
    threads, busy = sum(one.threads for one in free), sum(one.busy for one in free)
    if kept and not free:
        found.append(room.KeptBySuspect(job.queue, kept, job.now))
    elif free and busy >= threads:
        found.append(room.WorkersBusy(job.queue, threads, busy, len(free), len(kept)))
    if any((known.ahead.higher, known.ahead.earlier, known.ahead.others)):
        found.append(room.Ahead(known.ahead.higher, known.ahead.earlier, known.ahead.others))
    return found


def _also(known: Facts) -> list[Reason]:
    """What does not hold it back but belongs to the answer."""
    job, task = known.job, known.task
    found: list[Reason] = []
    if job.expires_on is not None and job.attempt == 0:
        found.append(reasons.Expires(job.expires_on, job.now))
    if job.is_unique and task is not None:
        found.append(reasons.StandsForOthers(tuple(task.unique_fields or ()), task.unique_while or "queued"))
    return found


def _active(known: Facts) -> list[Reason]:
    job = known.job
    worker = next((one for one in known.workers if one.id == job.worker), None)
    host, pid = (worker.host, worker.pid) if worker else (None, None)
    found: list[Reason] = []
    if job.cancelled_on is not None:
        found.append(ends.BeingCancelled(job.cancelled_by, job.cancelled_on, job.cancel_reason or "", job.now))
    if worker is None or not _lives(worker, job.now, patience=0.5):
        heartbeat, lost_after = (worker.heartbeat_on, worker.lost_after) if worker else (None, None)
        found.append(ends.HolderSilent(host, pid, heartbeat, lost_after, job.now))
    if job.started_on is None:
        claimed_on = job.claimed_on or job.now
        knew = worker is None or claimed_on >= worker.heartbeat_on - worker.lost_after
        kind = ends.Claimed if found or knew else ends.NotHeld
        return [*found, kind(host, pid, claimed_on, job.now)]
    timeout = known.task.timeout if known.task else None
    heartbeat = worker.heartbeat_on if worker else None
    said = progress(job.progress)
    return [*found, ends.Running(host, pid, job.started_on, job.attempt, timeout, heartbeat, said, job.now)]


def _completed(job: JobRow) -> Reason:
    waited = job.started_on - max(job.run_at, job.created_on) if job.started_on else None
    took = job.completed_on - job.started_on if job.completed_on and job.started_on else None
    return ends.Completed(job.completed_on or job.now, job.attempt, waited, took)


def _failed(job: JobRow) -> Reason:
    on = job.completed_on or job.now
    if job.deaths >= QUARANTINE:
        died = [_error(entry.get("error")) for entry in job.attempts if entry.get("outcome") == "died"]
        return ends.Quarantined(job.id, on, tuple(died))
    return ends.Failed(job.id, on, job.attempt, (job.error or {}).get("type") in _FINAL, _error(job.error))


def _cancelled(job: JobRow) -> Reason:
    on = job.cancelled_on or job.completed_on or job.now
    if job.expires_on is not None and (job.cancel_reason or "").startswith("expired: "):
        return ends.Expired(
            job.id, on, job.expires_on, max(timedelta(0), job.expires_on - max(job.run_at, job.created_on))
        )
    return ends.Cancelled(job.id, job.cancelled_by, on, job.cancel_reason or "")


def _history(known: Facts) -> list[Reason]:
    job = known.job
    found: list[Reason] = []
    if job.parent is not None or job.scheduled_for is not None:
        found.append(ends.Origin(str(job.parent or ""), job.parent_task, job.scheduled_for))
    found += [_attempt(entry) for entry in job.attempts]
    if known.sent:
        found.append(ends.Sent(known.sent))
    return found


def _attempt(entry: dict[str, Any]) -> Reason:
    began, ended = (_moment(entry.get(name)) for name in ("started_on", "ended_on"))
    outcome = str(entry.get("outcome", "?"))
    said = _error(entry.get("error")) or str(entry.get("reason") or "")
    took = ended - began if began and ended else None
    return ends.Attempted(int(entry.get("attempt", 0)), _OUTCOMES.get(outcome, outcome), began, took, said)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _lives(worker: WorkerRow, now: datetime, *, patience: float = 1.0) -> bool:
    return now - worker.heartbeat_on <= worker.lost_after * patience


def _error(error: dict[str, Any] | None) -> str:
    return one_line(": ".join(str(error[part]) for part in ("type", "message") if error and error.get(part)))
