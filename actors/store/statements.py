"""The statements of ``actors/store/sql``, by name; some are forced to use an index, whatever the planner's statistics."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from zeke_jobs import Queries
from zeke_jobs.postgres.pool import transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg2.extensions import connection as Connection

SQL = Queries("actors.store", "sql", prepares=True)


@contextmanager
def by_index(conn: Connection) -> Iterator[None]:
    """Let the block's statements scan no table; in a transaction, until its end."""
    is_idle = conn.info.transaction_status == TRANSACTION_STATUS_IDLE
    with transaction(conn) if is_idle else nullcontext():
        SQL.one(conn, "by_index")
        yield
