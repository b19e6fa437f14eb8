"""The facts that explain one job, read in one snapshot of the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zeke_jobs.client import drivers
from zeke_jobs.client.reading import missing
from zeke_jobs.core.wording import MOST
from zeke_jobs.diagnosis.snapshot import snapshot
from zeke_jobs.postgres.queries import SQL, Row
from zeke_jobs.revisions import pauses

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

_HOLDERS = 5  # jobs to name for a full limit


@dataclass(frozen=True, slots=True)
class Facts:
    """All facts.

    Attributes:
        job: The job's row; its ``now`` is the database's time.
        task: The row of its task in the catalogue, which may not have it.
        pauses: Pauses that hold the task.
        limits: Limits that let no job start now, with the claim's reason, and the oldest jobs that fill them.
        key_rate: The rate of the job's key, if it lets none of its jobs start now.
        key_holders: Active jobs of its key, if the key has a limit. They have no host if their worker is gone.
        company: The chunk that waits for more jobs than it would have.
        before: The first job of its key, if the key's jobs run in strict order.
        turns: If keys take turns: numbers of due jobs of its key, and of others, that are claimed before it, counted likewise.
        ahead: Numbers of due jobs that are claimed before it, each counted to ``MOST + 1`` at most.
        workers: Worker processes; whether each consumes the job's queue and knows its task.
        keepers: Jobs that keep processes from claiming others.
        sent: Jobs that it sent, by task and status.
    """

    job: Row
    task: Row | None
    workers: Sequence[Row]
    sent: Sequence[dict[str, Any]]
    pauses: Sequence[Row] = ()
    limits: Sequence[Row] = ()
    key_rate: Row | None = None
    key_holders: Sequence[dict[str, Any]] = ()
    company: Row | None = None
    before: Row | None = None
    turns: Row | None = None
    ahead: Row | None = None
    keepers: Sequence[dict[str, Any]] = ()


def read(conn: Connection, job_id: UUID) -> Facts:
    """The facts about a job at one moment.

    Raises:
        JobNotFound: no job has this id; JobPurged if a purged job had it.
    """
    with snapshot(conn):
        return gather(conn, job_id)


def gather(conn: Connection, job_id: UUID) -> Facts:
    """As ``read``, in the caller's snapshot."""
    job = _one(conn, "job", id=job_id)
    if job is None:
        raise drivers.perform(conn, missing, job_id)
    task = _one(conn, "task", task=job.task)
    workers = SQL.named(conn, "why/workers", queue=task.queue if task else job.queue, task=job.task)
    sent = SQL.all(conn, "why/sent", id=job_id)
    if job.status not in ("created", "retry") or task is None:
        return Facts(job, task, workers, sent)
    place = {name: getattr(job, name) for name in ("queue", "task", "priority", "run_at", "seq")}
    return Facts(
        job,
        task,
        workers,
        sent,
        pauses=pauses.in_force(conn, "why/pauses", task=task.id),
        limits=SQL.named(conn, "why/limits", limits=task.limits, most=_HOLDERS),
        key_rate=_one(conn, "key_rate", id=job.id),
        key_holders=SQL.all(conn, "why/key", id=job.id) if task.per_key and job.key is not None else (),
        company=_one(conn, "company", id=job.id) if task.chunk else None,
        before=_one(conn, "before", id=job.id),
        turns=_one(conn, "turns", id=job.id, most=MOST + 1) if task.share and job.deaths < 2 else None,
        ahead=_one(conn, "ahead", **place, most=MOST + 1) if job.deaths < 2 else None,  # else it runs alone
        keepers=SQL.all(conn, "doctor/keepers"),
    )


def _one(conn: Connection, statement: str, **params: Any) -> Row | None:
    return next(iter(SQL.named(conn, f"why/{statement}", **params)), None)
