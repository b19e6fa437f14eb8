"""Processes that claim nothing else because of one job that must run alone: they run it, or first finish their other jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zeke_jobs.core.wording import place, since
from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

_NAMED = 5  # processes to name; a large fleet may have more


@dataclass(frozen=True, slots=True)
class Keeper:
    """A job that keeps a process from claiming other jobs.

    Attributes:
        worker: The process.
        host: Its host.
        pid: Its process id.
        job: The job.
        task: Its task.
        deaths: Number of workers that died while they held it.
        since: Time of its start there, or the time since which it could start.
        runs: Whether it runs; else the process finishes its other jobs first.
    """

    worker: UUID
    host: str
    pid: int
    job: UUID
    task: str
    deaths: int
    since: datetime
    runs: bool


def read(conn: Connection) -> tuple[Keeper, ...]:
    """The job that keeps each live process that claims no other jobs."""
    return tuple(Keeper(**row) for row in SQL.all(conn, "doctor/keepers"))


def named(keepers: Sequence[Keeper], now: datetime) -> str:
    """A text that names each process and its job, with the reason why no other job runs there."""
    more = [f"{len(keepers) - _NAMED} more"] if len(keepers) > _NAMED else []
    return "; ".join([*(_one(keeper, now) for keeper in keepers[:_NAMED]), *more])


def advice(keepers: Sequence[Keeper]) -> str:
    """The remedies."""
    jobs = list(dict.fromkeys(str(keeper.job) for keeper in keepers))
    ended = "it has ended" if len(jobs) == 1 else "one of them has ended"
    return (
        f"wait until {ended}, or: zeke-jobs cancel {' '.join(jobs[:_NAMED])}; "
        "with more processes, one at least goes on with the rest: dramatiq zeke_jobs.actors --processes N"
    )


def _one(keeper: Keeper, now: datetime) -> str:
    where, job, began = place(keeper.host, keeper.pid), f"{keeper.task} {keeper.job}", since(keeper.since, now)
    died = f"because {keeper.deaths} workers died while running it"
    if keeper.runs:
        return f"{where} runs {job} alone {began}, {died}"
    return f"{where} finishes its other jobs to run {job} alone, which has been ready {began}, {died}"
