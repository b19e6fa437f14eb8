"""Turns the facts about a job into the reasons why it waits, runs or has ended, the decisive one first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zeke_jobs.config.models import Task
from zeke_jobs.diagnosis import ends, facts, limit_reasons, reasons

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.diagnosis.facts import Facts, WorkerRow
    from zeke_jobs.diagnosis.reasons import Reason


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of one job.

    Attributes:
        id: The job.
        task: Its task.
        status: Its status.
        reasons: The reasons, the decisive one first; never empty. A queued job starts only after the last of its reasons is gone,
            so all are listed.
        history: Earlier events: the sender, its attempts, the jobs it sent.
        about: Values of its task's keys that are shown with a job, by key.
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
        JobNotFound: no job has this id; JobPurged if a purged job had it.
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
            found = [ends.completed(job)]
        case "failed":
            found = [ends.failed(job)]
        case _:
            found = [ends.cancelled(job)]
    about = Task.shown(known.task.definition) if known.task else {}
    about = {key: value for key, value in about.items() if value}
    return Explanation(job.id, job.task, job.status, tuple(found), tuple(_history(known)), about)


def _queued(known: Facts) -> list[Reason]:
    job, task = known.job, known.task
    if task is None:
        return [reasons.unknown_task(job.task), *_also(known)]
    found: list[Reason] = []
    if (task.id, task.queue) != (job.task, job.queue):
        found.append(reasons.moving(task))
    found += [reasons.paused(pause, job.now) for pause in known.pauses]
    if job.run_at > job.now:
        found.append(_later(known))
    alive = [one for one in known.workers if _is_alive(one, job.now)]
    consuming = [one for one in alive if one.consumes]
    serving = [one for one in consuming if one.knows and not one.stopping]
    if not serving:
        stopping = sum(one.stopping for one in consuming)
        found.append(reasons.unserved(task, alive=len(alive), consuming=len(consuming), stopping=stopping))
    found += _limits(known)
    if job.deaths > 1:
        taken = {keeper.worker for keeper in known.keepers if keeper.runs}
        emptying = [f"{one.host}:{one.pid}" for one in known.workers if one.alone and one.id not in taken]
        found.append(reasons.suspect(job, emptying))
    if job.run_at <= job.now:
        found += _queue_before(known, serving)
    is_over = job.expires_on is not None and job.expires_on <= job.now and job.attempt == 0
    if not found and not is_over:
        found.append(reasons.starts_next())
    return [*found, *_also(known)]


def _later(known: Facts) -> Reason:
    job = known.job
    if job.awaits_event:
        return reasons.waits_for_event(job)
    if job.waiting_for is not None:
        return reasons.deferred(job)
    if job.attempt > job.attempt_base and job.error is not None:
        return reasons.waits_for_retry(job, max(0, job.retry_limit - (job.attempt - job.attempt_base) + 1))
    return reasons.not_due(job)


def _limits(known: Facts) -> Iterator[Reason]:
    job, per_key = known.job, known.task.per_key if known.task else None
    for limit in known.limits:
        yield limit_reasons.of(limit, job.now)
    if known.before is not None:
        yield reasons.after(job, known.before)
    elif per_key is not None and job.key is not None and len(known.key_holders) >= per_key:
        yield limit_reasons.key_taken(job, per_key, known.key_holders)
    if known.key_rate is not None:
        yield limit_reasons.key_at_rate(known.key_rate, job)


def _queue_before(known: Facts, serving: list[WorkerRow]) -> Iterator[Reason]:
    job = known.job
    # A process may have stopped claiming for the sake of this very job.
    keepers = {keeper.worker: keeper for keeper in known.keepers if keeper.runs or job.deaths < 2}
    free = [one for one in serving if one.id not in keepers]
    threads, busy = sum(one.threads for one in free), sum(one.busy for one in free)
    if serving and not free:
        yield reasons.kept_by_suspect(job.queue, tuple(keepers[one.id] for one in serving), job.now)
    elif free and busy >= threads:
        yield reasons.workers_busy(job.queue, threads=threads, busy=busy, processes=len(free))
    if any((known.ahead.higher, known.ahead.earlier, known.ahead.others)):
        yield reasons.ahead(known.ahead)


def _also(known: Facts) -> list[Reason]:
    """Facts that do not hold the job back but belong to the answer."""
    job, task = known.job, known.task
    found: list[Reason] = []
    if job.expires_on is not None and job.attempt == 0:
        found.append(reasons.expires(job, job.expires_on))
    if job.own_key is not None:
        found.append(reasons.stands_for_key(job.own_key))
    elif job.is_unique and task is not None:
        found.append(reasons.stands_for_others(task))
    return found


def _active(known: Facts) -> list[Reason]:
    job = known.job
    worker = next((one for one in known.workers if one.id == job.worker), None)
    found: list[Reason] = []
    if job.cancelled_on is not None:
        found.append(ends.being_cancelled(job, job.cancelled_on))
    if worker is None or not _is_alive(worker, job.now, patience=0.5):
        found.append(ends.holder_silent(worker, job.now))
    if job.started_on is not None:
        timeout = job.timeout or (known.task.timeout if known.task else None)
        return [*found, ends.running(job, job.started_on, worker, timeout)]
    # True if the worker's last heartbeat is too early to cover this claim.
    is_new = worker is None or (job.claimed_on or job.now) >= worker.heartbeat_on - worker.lost_after
    return [*found, ends.claimed(job, worker, is_held=bool(found) or is_new)]


def _history(known: Facts) -> list[Reason]:
    job = known.job
    found = [ends.origin(job)] if job.parent is not None or job.scheduled_for is not None else []
    found += map(ends.attempted, job.attempts)
    return [*found, ends.sent(known.sent)] if known.sent else found


def _is_alive(worker: WorkerRow, now: datetime, *, patience: float = 1.0) -> bool:
    return now - worker.heartbeat_on <= worker.lost_after * patience
