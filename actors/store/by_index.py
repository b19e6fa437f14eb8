"""Looks that go by an index, whatever the planner knows of the tables."""

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
    """Let the block's statements read no table through; to the end of the transaction, where there is one."""
    if conn.info.transaction_status == TRANSACTION_STATUS_IDLE:
        with transaction(conn):
            SQL.one(conn, "by_index")
            yield
    else:
        SQL.one(conn, "by_index")
        yield
