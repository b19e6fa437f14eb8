"""The last lines that an attempt logs: kept in memory, and stored with its job when it ends; ``zeke-jobs logs`` shows them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from psycopg2.extensions import connection as Connection

from zeke_jobs.config.models import Task
from zeke_jobs.core.logs import capturing
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.claim.claims import Claim


@contextmanager
def keeping(claim: Claim, task: Task) -> Iterator[None]:
    """Keep the last lines that this thread logs inside the block in ``claim.log``, if the task wants them."""
    if task.log == "never" or not task.log_lines:
        yield
        return
    with capturing(task.log_lines, always=task.log == "always") as claim.log:
        yield


def store(conn: Connection, claims: Sequence[Claim]) -> None:
    """Store the lines of ended attempts."""
    read = [(claim, *claim.log.read()) for claim in claims if claim.log is not None]
    SQL.run(
        conn,
        "job/keep_log",
        jobs=[claim.id for claim, _, _ in read],
        claims=[claim.number for claim, _, _ in read],
        attempts=[claim.attempt + 1 for claim, _, _ in read],
        lines=[lines for _, lines, _ in read],
        dropped=[dropped for _, _, dropped in read],
    )
