"""Asks the database for jobs of a queue, and reads its answer."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from zeke_jobs.core.logs import get_logger
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.claim.claims import Row
from zeke_jobs.worker.finish.writer import array, columns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.worker.finish.writer import Ending


_names = lru_cache(maxsize=16)(array)


@dataclass(eq=False)
class ServedQueue:
    """The producer's state of a queue, for the jobs in threads or on the event loop. Times are monotonic seconds."""

    name: str
    is_async: bool  # whether it is for the jobs of async handlers
    look_on: float = 0.0  # when the next claim is due; infinite during a claim
    due_on: float = math.inf  # when the next delayed job that this process has heard of is due
    looks: int = (
        0  # number of claims in a row that found fewer jobs than they asked for, since the process asked to be notified
    )
    busy_since: float = field(default_factory=time.monotonic)  # since when every claim has found as many jobs as asked
    idle: bool = False  # the process asks to be notified of new jobs
    limited: dict[str, float] = field(
        default_factory=dict
    )  # limits that held jobs back until a job ends, and when this was last seen
    full: set[str] = field(default_factory=set)  # those of ``limited`` that held jobs back at the last claim
    took: float = 0.0  # seconds that the last claim took
    freed: bool = False  # whether a job of this process has ended that counts in a limit of ``limited``


class Answer(NamedTuple):
    """The answer to a claim."""

    jobs: list[Row]
    lost: set[UUID]  # ids of completed jobs that this worker no longer held
    is_full: bool  # more jobs may be due, and can start when a thread is free, or a job that runs alone has ended
    lacks_threads: bool  # jobs were left for processes with free threads
    runs_alone: bool  # a job of the answer runs alone in the process
    must_empty: bool  # the process must first end all its jobs, because a job must run alone
    opens_in: float  # seconds until a limit lets a job start; infinite if unknown
    limits: set[tuple[str, str]]  # tasks whose due jobs are held back, each with the limit that holds them back


class Asking(NamedTuple):
    """A process that asks for jobs: its id, its tasks, and the revision that it uses."""

    worker: UUID
    tasks: Sequence[str]
    revision: int | None = None


def ask(
    conn: Connection,
    who: Asking,
    queue: str,
    want: int,
    room: tuple[int, int],
    *,
    is_empty: bool,
    completions: Sequence[Ending] = (),
) -> Answer:
    """Complete ended jobs, and claim at most ``want`` due jobs of the queue, on an autocommit connection.

    ``room`` has the number of the process's free threads (negative: of jobs that wait for a thread), and the number of
    jobs with limits that may wait for a thread. ``is_empty`` says that the process holds no job, so it may claim a job
    that must run alone.
    """
    asked = {
        "worker": who.worker,
        "queue": queue,
        "tasks": _names(tuple(who.tasks)),
        "want": want,
        "revision": who.revision,
        "is_empty": is_empty,
        "free": room[0],
        "ahead": room[1],
    }
    if completions:
        found = SQL.rows(conn, "job/complete_and_claim", **asked, **columns(completions))
    else:
        found = SQL.rows(conn, "job/claim", **asked)
    rows = [Row(*row) for row in found]
    for notice in conn.notices:
        if "breaker of " in notice:
            get_logger("zeke_jobs.producer").warning("limit: " + notice.partition("WARNING:")[2].strip())
    conn.notices.clear()
    jobs = [row for row in rows if row.kind == "job"]
    if missing := [row.message_id for row in jobs if row.message is None]:
        # Read long messages after the claim has committed. Jobs lost since then are left out.
        read = SQL.rows(conn, "job/messages", worker=who.worker, ids=missing)
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
