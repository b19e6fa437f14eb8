"""Forces queries to use an index, whatever the planner's statistics."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from actors.store.statements import SQL
from zeke_jobs.postgres.pool import transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg2.extensions import connection as Connection


@contextmanager
def by_index(conn: Connection) -> Iterator[None]:
    """Let the block's statements scan no table; in a transaction, until its end."""
    if conn.info.transaction_status == TRANSACTION_STATUS_IDLE:
        with transaction(conn):
            SQL.one(conn, "by_index")
            yield
    else:
        SQL.one(conn, "by_index")
        yield
