"""Processes reserved for suspects (jobs during which workers died): they run one, or empty themselves for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zeke_jobs.core.wording import count, place, since
from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

_NAMED = 5  # processes; a large fleet may have more


@dataclass(frozen=True, slots=True)
class Keeper:
    """A job that keeps a process for itself.

    Attributes:
        worker: The process.
        host: Its host.
        pid: Its process id.
        job: The job.
        task: Its task.
        deaths: How many workers died while they held it.
        since: When it began to run there, or, before that, when it could have.
        runs: Whether it runs; else the process makes itself empty for it.
        beside: How many others that saw workers die run there with it, or may at most.
    """

    worker: UUID
    host: str
    pid: int
    job: UUID
    task: str
    deaths: int
    since: datetime
    runs: bool
    beside: int


def read(conn: Connection) -> tuple[Keeper, ...]:
    """The job that keeps each live process which claims nothing else."""
    return tuple(Keeper(**row) for row in SQL.all(conn, "doctor/keepers"))


def named(keepers: Sequence[Keeper], now: datetime) -> str:
    """Each process and the job that keeps it, and why nothing else runs there."""
    said = [_one(keeper, now) for keeper in keepers[:_NAMED]]
    if len(keepers) > _NAMED:
        said.append(f"{len(keepers) - _NAMED} more")
    return "; ".join(said)


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
    how = f"with {count(keeper.beside, 'other suspect')}" if keeper.beside else "alone"
    died = "a worker died" if keeper.deaths == 1 else f"{keeper.deaths} workers died"
    if keeper.runs:
        return f"{where} runs {job} {how} {began}, because {died} while running it"
    return f"{where} makes itself empty to run {job} {how}, which could start {began}, because {died} while running it"
