"""Holds the migrations of the pipeline's tables, and the object ``SQL``, which alone runs statements on the tables."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from psycopg2.extensions import TRANSACTION_STATUS_IDLE, connection as Connection

from zeke_jobs import Queries
from zeke_jobs.postgres.pool import transaction

SQL = Queries("actors.store")


@contextmanager
def by_index(conn: Connection) -> Iterator[None]:
    """Make the planner prefer indexes within the ``with`` block or, if a transaction is open already, until its end."""
    is_idle = conn.info.transaction_status == TRANSACTION_STATUS_IDLE
    with transaction(conn) if is_idle else nullcontext():
        SQL.one(conn, "by_index")
        yield
