"""The statements of ``actors/store/sql``, by name; some are forced to use an index, whatever the planner's statistics."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.extensions import connection as Connection

from zeke_jobs import Queries
from zeke_jobs.postgres.pool import transaction

SQL = Queries("actors.store", "sql", prepares=True)


@contextmanager
def by_index(conn: Connection) -> Iterator[None]:
    """Let the block's statements scan no table; in a transaction, until its end."""
    is_idle = conn.info.transaction_status == TRANSACTION_STATUS_IDLE
    with transaction(conn) if is_idle else nullcontext():
        SQL.one(conn, "by_index")
        yield
