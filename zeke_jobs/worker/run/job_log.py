"""The last lines that an attempt logs. They are stored with its job when it ends, and ``zeke-jobs logs`` shows them."""

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
    read = [(one.id, one.number, one.attempt + 1, *one.log.read()) for one in claims if one.log is not None]
    jobs, numbers, attempts, lines, dropped = map(list, zip(*read, strict=True))
    SQL.run(conn, "job/keep_log", jobs=jobs, claims=numbers, attempts=attempts, lines=lines, dropped=dropped)
