"""``zeke-jobs roles``: least-privilege roles for who sends, works, operates and reads."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from zeke_jobs.cli import database
from zeke_jobs.cli.output import console, say


def roles(
    apply: Annotated[
        bool, typer.Option("--apply", help="Run the statements, as the owner of the schema who may create roles.")
    ] = False,
) -> None:
    """Print the statements that create the roles zeke_jobs_client, _worker, _operator and _reader with what each needs."""
    from psycopg2.errors import InsufficientPrivilege

    from zeke_jobs.errors import ZekeJobsError
    from zeke_jobs.postgres import roles as made
    from zeke_jobs.postgres.pool import connect

    if not apply:
        say(made.script(), end="")
        return
    with closing(connect(database.choose_to_write(), application_name="zeke-jobs roles")) as conn:
        try:
            made.grant(conn)
        except InsufficientPrivilege as error:
            raise ZekeJobsError(
                f"expected a user who owns the schema and may create roles, got: {str(error).strip()}\n"
                "  help: let such a user run it: zeke-jobs roles | psql"
            ) from error
    console().print("granted:", made.CLIENT, made.WORKER, made.OPERATOR, made.READER)
