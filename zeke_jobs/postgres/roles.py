"""Least-privilege roles of the database: a client, a worker, an operator, a reader."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

CLIENT, WORKER, OPERATOR, READER = "zeke_jobs_client", "zeke_jobs_worker", "zeke_jobs_operator", "zeke_jobs_reader"


def script() -> str:
    """The statements that create the roles and their grants, for a database administrator to read and run."""
    return files("zeke_jobs").joinpath("sql", "roles.sql").read_text(encoding="utf-8")


def complaint(error: Exception) -> str:
    """The message for a missing right: the server's words, and the command that lists the rights."""
    said = str(error).strip().partition("\n")[0]
    help_ = "help: `zeke-jobs roles` shows the rights of each database role"
    return f"expected a database user with this right, got: {said}\n  {help_}"


def grant(conn: Connection) -> None:
    """Create the missing roles and grant them the rights that this version needs.

    Args:
        conn: An autocommit connection of the schema's owner, with the right to create roles.

    Raises:
        psycopg2.errors.InsufficientPrivilege: a right is missing; nothing was changed.
    """
    with conn.cursor() as cursor:
        try:
            cursor.execute(script())
        except BaseException:
            if not conn.closed:
                cursor.execute("ROLLBACK")
            raise
