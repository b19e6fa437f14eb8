"""Cancel jobs, and run failed ones again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

from zeke_jobs.client import drivers
from zeke_jobs.client.options import as_count, as_id
from zeke_jobs.client.reading import status as ask
from zeke_jobs.client.task_cache import KNOWN_TASKS
from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from datetime import timedelta
    from uuid import UUID

    from zeke_jobs.client.drivers import Runner

_RUNS = "running, and being stopped"
# A start is written a moment after it.
_CLAIMED = "claimed by a worker, which cancels it before it starts; if it has just started, it may still run"


@dataclass(frozen=True, slots=True)
class Changed:
    """The answer of ``cancel`` and ``retry``.

    Attributes:
        id: The job's id.
        changed: Whether anything was changed.
        status: The job's status afterwards. After ``cancel``, ``active`` means that its worker is told: see ``note``.
        note: In words: the change, or why nothing was changed.
    """

    id: UUID
    changed: bool
    status: str
    note: str


def cancel(
    id: UUID | str,  # noqa: A002 (the field's word)
    reason: str | None = None,
    *,
    by: str | None = None,
    connection: Any = None,
) -> Changed:
    """Cancel a job: a queued one at once, an active one within moments, a finished one not at all.

    A worker that has claimed it and not started it does not start it any more.

    Args:
        id: The job's id.
        reason: Kept with the job, for people.
        by: Who cancels it, kept with the job too. ``zeke-jobs audit`` shows it beside the database's user.
        connection: As for ``send``.

    Raises:
        JobNotFound: no job has this id.
    """
    job_id = as_id("id", id)
    params = {"id": str(job_id), "reason": reason, "by": by}
    rows = drivers.run_again(lambda run: run(SQL.text("cancel/one"), params), connection)
    if not rows:
        job = ask(job_id, connection=connection)
        return Changed(job_id, False, job.status, f"ended already as {job.status}; nothing was changed")
    if rows[0][0] == "consumed":
        return Changed(job_id, True, "active", _RUNS if rows[0][1] else _CLAIMED)
    return Changed(job_id, True, "cancelled", "cancelled before it started")


@overload
def retry(id: UUID | str, *, by: str | None = None, connection: Any = None) -> Changed: ...
@overload
def retry(
    *,
    task: str | None = None,
    status: Literal["failed", "cancelled"] | None = None,
    newer: timedelta | None = None,
    limit: int = 1000,
    by: str | None = None,
    connection: Any = None,
) -> list[UUID]: ...
def retry(
    id: UUID | str | None = None,  # noqa: A002 (the field's word)
    *,
    task: str | None = None,
    status: Literal["failed", "cancelled"] | None = None,
    newer: timedelta | None = None,
    limit: int = 1000,
    by: str | None = None,
    connection: Any = None,
) -> Changed | list[UUID]:
    """Run a failed or cancelled job again: it keeps its id and its history, and gets a fresh retry limit.

    With an id, one job: ``Changed``; one that waits for its next attempt anyway gets it at once. With ``task``, ``status`` or
    ``newer``, the oldest jobs that match, at most ``limit``: their ids.

    Args:
        id: The job's id.
        task: Only jobs of this task, by id or alias.
        status: ``failed``, which is meant where only another filter is given, or ``cancelled``.
        newer: Only jobs that ended within this time.
        limit: At most so many at once.
        by: Who runs them again; ``zeke-jobs audit`` shows it.
        connection: As for ``send``.

    Raises:
        JobNotFound: no job has this id.
        UnknownTask: nothing matches, and no task of the catalogue has this name; the message names the nearest.
        ValueError: it is another status, the limit is no count, or there are neither an id nor a filter, or both.
    """
    if (id is None) is all(said is None for said in (task, status, newer)):
        raise ValueError(
            f"expected an id, or a filter (task, status, newer), got {'neither' if id is None else 'both'}"
        )
    if status not in (None, "failed", "cancelled"):
        raise ValueError(f"expected status failed or cancelled, got {status!r}")
    job_id = None if id is None else as_id("id", id)
    params = {
        "id": None if job_id is None else str(job_id),
        "task": task,
        "status": status or "failed",
        "newer": None if newer is None else newer.total_seconds(),
        "limit": as_count("limit", limit),
        "by": by,
    }

    def again(run: Runner) -> list[tuple[Any, ...]]:
        found = run(SQL.text("retry/jobs"), params)
        if not found and task is not None:
            KNOWN_TASKS.refresh(run, task)  # a task that left jobs.yaml may still have jobs; this one has none
        return found

    rows = drivers.run_again(again, connection)
    if job_id is None:
        return [as_id("id", row[0]) for row in rows]
    if rows:
        return Changed(job_id, True, rows[0][1], "queued again, with a fresh retry limit")
    job = ask(job_id, connection=connection)
    why = "completed jobs are not run again; send a new one" if job.status == "completed" else "nothing to retry"
    return Changed(job_id, False, job.status, f"{job.status}; {why}")
