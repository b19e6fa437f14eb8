"""Least-privilege roles of the database: a client, a worker, an operator, a reader."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

CLIENT, WORKER, OPERATOR, READER = "zeke_jobs_client", "zeke_jobs_worker", "zeke_jobs_operator", "zeke_jobs_reader"


def script() -> str:
    """The statements that create the roles and grant them what they need, for a database administrator to read and run."""
    return files("zeke_jobs").joinpath("sql", "roles.sql").read_text(encoding="utf-8")


def complaint(error: Exception) -> str:
    """What to tell whose database user may not do what was tried: the server's word, and where it says who may."""
    said = str(error).strip().partition("\n")[0]
    help_ = "help: `zeke-jobs roles` says which database role may do what"
    return f"expected a database user who may do this, got: {said}\n  {help_}"


def grant(conn: Connection) -> None:
    """Create the roles where they are missing, and grant them what this version needs.

    Args:
        conn: An autocommit connection of the schema's owner, who may create roles.

    Raises:
        psycopg2.errors.InsufficientPrivilege: it is not; nothing was changed.
    """
    with conn.cursor() as cursor:
        try:
            cursor.execute(script())
        except BaseException:
            if not conn.closed:
                cursor.execute("ROLLBACK")
            raise
