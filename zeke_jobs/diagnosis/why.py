"""Turns the facts about a job into the reasons why it waits, runs or has ended, the decisive one first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zeke_jobs.config.models import Task
from zeke_jobs.diagnosis import ends, facts, limit_reasons, reasons
from zeke_jobs.diagnosis.reasons import Reason, reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.diagnosis.facts import Facts
    from zeke_jobs.postgres.queries import Row


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of one job.

    Attributes:
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

    Raises:
        JobNotFound: no job has this id; JobPurged if a purged job had it.
    """
    return explain(facts.read(conn, job_id))


def explain(known: Facts) -> Explanation:
    """The reasons in the facts."""
    job = known.job
    match job.status:
        case "created" | "retry":
            found = [*_queued(known), *_also(known)]
        case "active":
            found = list(_active(known))
        case "completed":
            found = [ends.completed(job)]
        case "failed":
            found = [ends.failed(job)]
        case _:
            found = [ends.cancelled(job)]
    history = [ends.origin(job)] if job.parent is not None or job.scheduled_for is not None else []
    history += map(ends.attempted, job.attempts)
    history += [ends.sent(known.sent)] if known.sent else []
    about = Task.shown(known.task.definition) if known.task else {}
    about = {key: value for key, value in about.items() if value}
    return Explanation(job.id, job.task, job.status, tuple(found), tuple(history), about)


def _queued(known: Facts) -> list[Reason]:
    job, task = known.job, known.task
    if task is None:
        return [reasons.unknown_task(job.task)]
    found: list[Reason] = []
    if (task.id, task.queue) != (job.task, job.queue):
        sentence = f"its task is now {task.id} in queue {task.queue}; it follows at the next heartbeat of a worker"
        found.append(reason("moving", sentence, task=task.id, queue=task.queue))
    found += [reasons.paused(pause, job.now) for pause in known.pauses]
    if job.run_at > job.now:
        found.append(reasons.later(job))
    alive = [one for one in known.workers if _is_alive(one, job.now)]
    serving = [one for one in alive if one.consumes and one.knows and not one.stopping]
    if not serving:
        found.append(reasons.unserved(task, alive))
    found += _limits(known, task)
    if job.deaths > 1:
        taken = {keeper["worker"] for keeper in known.keepers if keeper["runs"]}
        emptying = [f"{one.host}:{one.pid}" for one in known.workers if one.alone and one.id not in taken]
        found.append(reasons.suspect(job, emptying))
    if job.run_at <= job.now:
        found += _queue_before(known, serving)
    is_over = job.expires_on is not None and job.expires_on <= job.now and job.attempt == 0
    if not found and not is_over:
        found.append(reason("starts-next", "nothing stands in its way: the next claim of a worker takes it"))
    return found


def _limits(known: Facts, task: Row) -> Iterator[Reason]:
    job = known.job
    for limit in known.limits:
        yield limit_reasons.of(limit, job.now)
    if known.before is not None:
        yield reasons.after(job, known.before)
    elif task.per_key is not None and len(known.key_holders) >= task.per_key:
        yield limit_reasons.key_taken(job, task.per_key, known.key_holders)
    if known.company is not None:
        yield limit_reasons.company(known.company, job.now)
    if known.key_rate is not None:
        yield limit_reasons.key_at_rate(known.key_rate, job)


def _queue_before(known: Facts, serving: Sequence[Row]) -> Iterator[Reason]:
    job = known.job
    # A process may have stopped claiming for the sake of this very job.
    kept = {keeper["worker"]: keeper for keeper in known.keepers if keeper["runs"] or job.deaths < 2}
    free = [one for one in serving if one.id not in kept]
    if serving and not free:
        yield reasons.kept_by_suspect(job.queue, [kept[one.id] for one in serving], job.now)
    elif free and sum(one.busy for one in free) >= sum(one.threads for one in free):
        yield reasons.workers_busy(job.queue, free)
    if known.turns is not None and any(vars(known.turns).values()):
        yield reasons.turns(job, known.turns)
    if known.ahead is not None and any(vars(known.ahead).values()):
        yield reasons.ahead(known.ahead)


def _also(known: Facts) -> Iterator[Reason]:
    """Facts that do not hold the job back but belong to the answer."""
    job, task = known.job, known.task
    if job.expires_on is not None and job.attempt == 0:
        yield reasons.expires(job)
    if job.own_key is not None:
        same = f"it is unique by unique_key {job.own_key!r}: a send of the task with the same one is answered with this job"
        yield reason("stands-for-key", same, unique_key=job.own_key)
    elif job.is_unique and task is not None:
        yield reasons.stands_for_others(task)


def _active(known: Facts) -> Iterator[Reason]:
    job = known.job
    worker = next((one for one in known.workers if one.id == job.worker), None)
    if job.cancelled_on is not None:
        yield ends.being_cancelled(job)
    is_silent = worker is None or not _is_alive(worker, job.now, patience=0.5)
    if is_silent:
        yield ends.holder_silent(worker, job.now)
    if job.started_on is not None:
        yield ends.running(job, worker, job.timeout or (known.task.timeout if known.task else None))
        return
    # Whether the worker's last heartbeat is too early to cover this claim.
    is_new = worker is None or (job.claimed_on or job.now) >= worker.heartbeat_on - worker.lost_after
    yield ends.claimed(job, worker, is_held=is_silent or job.cancelled_on is not None or is_new)


def _is_alive(worker: Row, now: datetime, *, patience: float = 1.0) -> bool:
    return bool(now - worker.heartbeat_on <= worker.lost_after * patience)
