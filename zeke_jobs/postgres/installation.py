"""A database belongs to one installation, named by its environment; another that is pointed at it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zeke_jobs.core import environment
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

_HAND_OVER = "UPDATE zeke_jobs.installation SET name = '%s'"


def claim(conn: Connection) -> None:
    """Put this process's installation down as the database's owner, where it has none.

    Raises:
        ConfigurationError: it belongs to another one.
    """
    if _owner(conn) is None:  # who may not write this table comes later than who may
        SQL.run(conn, "installation/claim", name=environment.installation())
    verify(conn)


def verify(conn: Connection) -> None:
    """Refuse to go on with the database of another installation. One that was never migrated belongs to nobody.

    Raises:
        ConfigurationError: it belongs to another one.
    """
    ours, owner = environment.installation(), _owner(conn)
    if owner not in (None, ours):
        raise ConfigurationError(
            f"expected the database of environment {ours!r}, got that of {owner!r}\n"
            f"  help: {environment.DATABASE_URL} or {environment.ENVIRONMENT} is not what it should be; "
            f"a copy that is to be ours from now on is handed over by: {_HAND_OVER % ours}"
        )


def _owner(conn: Connection) -> str | None:
    if SQL.one(conn, "installation/table_exists") is None:
        return None
    row = SQL.one(conn, "installation/name")
    return None if row is None else str(row["name"])
