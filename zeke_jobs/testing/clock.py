"""The clock of a test database: it stands still at the test's time, for all sessions."""

from contextlib import closing
from datetime import datetime, timedelta

from psycopg2.extensions import connection as Connection

from zeke_jobs.postgres.pool import connect


class Clock:
    """The fixture ``zeke_clock``: the time at which jobs are due; it moves only when the test moves it."""

    def __init__(self, url: str) -> None:
        self._url = url

    def now(self) -> datetime:
        """The time of the test database."""
        with closing(connect(self._url)) as conn, conn.cursor() as cursor:
            cursor.execute("SELECT zeke_jobs.now()")
            [found] = cursor.fetchone() or (None,)
            assert isinstance(found, datetime)
            return found

    def set(self, moment: datetime) -> None:
        """Stop the clock at a moment, which must have a time zone."""
        if moment.tzinfo is None:
            raise ValueError(f"expected a time with a zone, got {moment.isoformat()}")
        with closing(connect(self._url)) as conn:
            set_clock(conn, moment)

    def move(self, by: timedelta) -> None:
        """Move the clock forward or back."""
        self.set(self.now() + by)

    def release(self) -> None:
        """Let the clock run again."""
        with closing(connect(self._url)) as conn:
            release_clock(conn)


def set_clock(conn: Connection, moment: datetime) -> None:
    """Stop the database's clock at ``moment``, for all its sessions. For test databases only."""
    with conn.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION zeke_jobs.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS %s",
            (f"SELECT timestamptz '{moment.isoformat()}'",),
        )


def release_clock(conn: Connection) -> None:
    """Let the database's clock run again: its function as in sql/code/01_basics.sql."""
    with conn.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION zeke_jobs.now() RETURNS timestamptz "
            "LANGUAGE plpgsql STABLE PARALLEL SAFE AS ' BEGIN RETURN clock_timestamp(); END '"
        )
