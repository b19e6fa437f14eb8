"""The facts that explain one job, read in one snapshot of the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from zeke_jobs.client.reading import missing
from zeke_jobs.core.wording import MOST
from zeke_jobs.diagnosis import keepers
from zeke_jobs.diagnosis.snapshot import snapshot
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions import pauses

if TYPE_CHECKING:
    from datetime import timedelta

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.diagnosis.keepers import Keeper

_HOLDERS = 5  # jobs to name for a full limit


@dataclass(frozen=True, slots=True)
class JobRow:
    """The job's row; ``now`` is the database's time."""

    now: datetime
    id: UUID
    task: str
    status: str
    queue: str
    priority: int
    attempt: int
    attempt_base: int
    attempts: list[dict[str, Any]]
    deaths: int
    error: dict[str, Any] | None
    output: Any
    progress: dict[str, Any] | None
    waiting_for: str | None
    awaits_event: bool
    key: str | None
    is_unique: bool
    own_key: str | None
    parent: UUID | None
    parent_task: str | None
    scheduled_for: datetime | None
    worker: UUID | None
    run_at: datetime
    seq: int
    expires_on: datetime | None
    created_on: datetime
    claimed_on: datetime | None
    started_on: datetime | None
    completed_on: datetime | None
    cancelled_on: datetime | None
    cancelled_by: str | None
    cancel_reason: str | None
    retry_limit: int
    timeout: timedelta | None


@dataclass(frozen=True, slots=True)
class TaskRow:
    """The row of the job's task in the catalogue."""

    id: str
    queue: str
    limits: list[str]
    per_key: int | None
    timeout: timedelta | None
    definition: dict[str, Any]
    unique_fields: list[str] | None
    unique_while: str | None


@dataclass(frozen=True, slots=True)
class PauseRow:
    """A pause that holds the job's task."""

    target: str
    paused_by: str
    paused_on: datetime | None
    reason: str
    ends_on: datetime | None = None
    set_key: str | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """An active job that counts for a limit. It has no host if its worker is gone."""

    id: UUID
    task: str
    host: str | None
    pid: int | None
    since: datetime


@dataclass(frozen=True, slots=True)
class LimitRow:
    """A limit that lets no job start now, with the claim's reason, and the oldest jobs that fill it.

    ``opens_on`` is None if only the end of a job makes room. ``unit`` has the figures if a unit or money is used up.
    """

    name: str
    reason: str
    opens_on: datetime | None
    concurrency: int | None
    active: int
    rate_count: int | None
    rate_period: timedelta | None
    closed_by: str | None
    closed_until: datetime | None
    closed_why: str | None
    probe: UUID | None
    unit: dict[str, Any] | None
    holders: tuple[Holder, ...]


@dataclass(frozen=True, slots=True)
class KeyRate:
    """The rate of the job's key, which lets none of its jobs start before ``next_at``."""

    name: str
    amount: int
    period: timedelta
    next_at: datetime


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker process; whether it consumes the job's queue and knows its task."""

    id: UUID
    host: str
    pid: int
    threads: int
    busy: int
    stopping: bool
    alone: bool
    heartbeat_on: datetime
    lost_after: timedelta
    consumes: bool
    knows: bool


@dataclass(frozen=True, slots=True)
class AheadRow:
    """Due jobs that are claimed before this one, each kind counted to ``MOST + 1`` at most."""

    higher: int = 0
    earlier: int = 0
    others: int = 0


@dataclass(frozen=True, slots=True)
class BeforeRow:
    """The first job of its key, if the key's jobs run in strict order; ``since`` is the time of its end, or of its send."""

    id: UUID
    task: str
    status: str
    run_at: datetime
    since: datetime


@dataclass(frozen=True, slots=True)
class SentRow:
    """Jobs that it sent, of one task and status; the first three by id."""

    task: str
    status: str
    jobs: int
    first: list[UUID]


@dataclass(frozen=True, slots=True)
class Facts:
    """All facts. ``task`` is None if the catalogue does not have the job's task."""

    job: JobRow
    task: TaskRow | None = None
    pauses: tuple[PauseRow, ...] = ()
    limits: tuple[LimitRow, ...] = ()
    key_rate: KeyRate | None = None
    key_holders: tuple[Holder, ...] = ()
    before: BeforeRow | None = None
    ahead: AheadRow = AheadRow()
    workers: tuple[WorkerRow, ...] = ()
    keepers: tuple[Keeper, ...] = ()
    sent: tuple[SentRow, ...] = ()


def read(conn: Connection, job_id: UUID) -> Facts:
    """The facts about a job at one moment.

    Raises:
        JobNotFound: no job has this id; JobPurged if a purged job had it.
    """
    with snapshot(conn):
        return gather(conn, job_id)


def gather(conn: Connection, job_id: UUID) -> Facts:
    """As ``read``, in the caller's snapshot."""
    row = SQL.one(conn, "why/job", id=job_id)
    if row is None:
        raise missing(job_id, conn)
    job = JobRow(**row)
    sent = tuple(SentRow(**one) for one in SQL.all(conn, "why/sent", id=job_id))
    found = SQL.one(conn, "why/task", task=job.task)
    task = TaskRow(**found) if found else None
    queue = task.queue if task else job.queue
    workers = tuple(WorkerRow(**one) for one in SQL.all(conn, "why/workers", queue=queue, task=job.task))
    if job.status not in ("created", "retry") or task is None:
        return Facts(job, task, workers=workers, sent=sent)
    key_rate = SQL.one(conn, "why/key_rate", task=task.id, id=job.id)
    return Facts(
        job,
        task,
        pauses=tuple(PauseRow(**one) for one in pauses.in_force(conn, "why/pauses", task=task.id)),
        limits=tuple(_limit(one) for one in SQL.all(conn, "why/limits", limits=task.limits, most=_HOLDERS)),
        key_rate=None if key_rate is None else KeyRate(**key_rate),
        key_holders=_key_holders(conn, job, task),
        before=_before(conn, job),
        ahead=_ahead(conn, job),
        workers=workers,
        keepers=keepers.read(conn),
        sent=sent,
    )


def _limit(row: dict[str, Any]) -> LimitRow:
    holders = tuple(
        Holder(UUID(one["id"]), one["task"], one["host"], one["pid"], datetime.fromisoformat(one["since"]))
        for one in row.pop("holders") or ()
    )
    return LimitRow(**row, holders=holders)


def _key_holders(conn: Connection, job: JobRow, task: TaskRow) -> tuple[Holder, ...]:
    if task.per_key is None or job.key is None:
        return ()
    return tuple(Holder(**one) for one in SQL.all(conn, "why/key", task=task.id, id=job.id))


def _before(conn: Connection, job: JobRow) -> BeforeRow | None:
    row = SQL.one(conn, "why/before", id=job.id)
    return None if row is None else BeforeRow(**row)


def _ahead(conn: Connection, job: JobRow) -> AheadRow:
    if job.deaths > 1:  # it runs alone, so none are ahead of it
        return AheadRow()
    place = {name: getattr(job, name) for name in ("queue", "task", "priority", "run_at", "seq")}
    row = SQL.one(conn, "why/ahead", **place, most=MOST + 1)
    assert row is not None
    return AheadRow(**row)
