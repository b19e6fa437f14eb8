"""Claims jobs of a queue in the database, and reads the result of the claim."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from psycopg2.extensions import connection as Connection

from zeke_jobs.core.logs import get_logger
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.claim.claims import Row
from zeke_jobs.worker.finish.writer import Ending, array, columns

_names = lru_cache(maxsize=16)(array)


@dataclass(eq=False)
class ServedQueue:
    """Holds the state of the claims from a queue for async handlers, or for the others. Times are monotonic seconds."""

    name: str
    is_async: bool
    look_on: float = 0.0  # when the next claim is due; infinite during a claim
    due_on: float = math.inf  # when the next delayed job that this process knows of is due
    looks: int = 0  # claims in a row that found fewer jobs than they asked for, since the process asks to be notified
    busy_since: float = field(default_factory=time.monotonic)  # since when every claim has found as many jobs as asked
    idle: bool = False  # whether the process asks to be notified of new jobs
    limited: dict[str, float] = field(default_factory=dict)  # limits that a job's end may open; when each was full
    full: set[str] = field(default_factory=set)  # the names in ``limited`` that held jobs back at the last claim
    took: float = 0.0  # seconds that the last claim took
    freed: bool = False  # whether a job of this process that counts in a limit of ``limited`` has ended


class Answer(NamedTuple):
    """Holds the result of a claim."""

    jobs: list[Row]
    lost: set[UUID]  # ids of completed jobs that this worker no longer held
    is_full: bool  # whether more jobs may be due, and wait for a free thread or the end of a job that runs alone
    lacks_threads: bool  # whether jobs were left for processes with free threads
    runs_alone: bool  # whether one of the claimed jobs runs alone in the process
    must_empty: bool  # whether the process must first end all its jobs, because a job must run alone
    opens_in: float  # seconds until a limit lets a job start; infinite if unknown
    limits: set[tuple[str, str]]  # tasks whose due jobs are held back, each with the limit that holds them back


def ask(
    conn: Connection,
    worker: UUID,
    tasks: Sequence[str],
    queue: str,
    want: int,
    room: tuple[int, int],
    *,
    is_empty: bool,
    revision: int | None = None,
    completions: Sequence[Ending] = (),
) -> Answer:
    """Store the results of completed jobs, and claim up to ``want`` due jobs. ``conn`` must be in autocommit mode.

    ``room`` is a result of ``HeldJobs.room``: the free threads, and how many jobs with limits may wait for one.
    ``is_empty`` says that the worker holds no job. The worker may then claim a job that must run alone.
    """
    asked = {"worker": worker, "queue": queue, "tasks": _names(tuple(tasks)), "want": want, "revision": revision}
    asked |= {"is_empty": is_empty, "free": room[0], "ahead": room[1], **(columns(completions) if completions else {})}
    rows = [Row(*row) for row in SQL.rows(conn, "job/complete_and_claim" if completions else "job/claim", **asked)]
    for notice in conn.notices:
        if "breaker of " in notice:
            get_logger("zeke_jobs.producer").warning("limit: " + notice.partition("WARNING:")[2].strip())
    conn.notices.clear()
    jobs = [row for row in rows if row.kind == "job"]
    if missing := [row.message_id for row in jobs if row.message is None]:
        # Read long messages only after the claim has committed. Jobs that the worker has lost since then are left out.
        read = SQL.rows(conn, "job/messages", worker=worker, ids=missing)
        messages = {(job, claim): message for job, claim, message in read}
        jobs = [row._replace(message=row.message or messages.get((row.message_id, row.claim))) for row in jobs]
    jobs, held = [row for row in jobs if row.message is not None], [row for row in rows if row.kind == "held"]
    reasons = {row.reason for row in held}
    threads = {(row.task, row.claimed_on) if row.reason == "chunk" else row.message_id for row in jobs}
    runs_alone = any(row.deaths > 1 for row in jobs)
    return Answer(
        jobs=jobs,
        lost={row.message_id for row in rows if row.kind == "lost"},
        is_full="thread" in reasons or len(threads) >= want or runs_alone,  # the jobs of a chunk share one thread
        lacks_threads="thread" in reasons,
        runs_alone=runs_alone,
        must_empty="alone" in reasons,
        opens_in=min((row.wait for row in held if row.wait is not None), default=math.inf),
        limits={(row.task, row.held_by) for row in held if row.task and row.held_by and row.reason != "thread"},
    )
