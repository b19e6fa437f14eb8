"""Chooses the database of a command."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from psycopg2.extensions import connection as Connection

from zeke_jobs.core import environment
from zeke_jobs.errors import ConfigurationError


def choose() -> str:
    """The URL: ``DATABASE_URL``, else the embedded server that ``zeke-jobs up`` runs for this folder. Starts nothing.

    Sets ``DATABASE_URL``, so that the rest of the process uses the same database.
    Raises ConfigurationError if there is no URL and no server, or the embedded server is stopped.
    """
    if environment.database_url_or_none() is None:
        from zeke_jobs.postgres import embedded, server_programs
        from zeke_jobs.postgres.own_server import server_folder

        folder, name = server_folder(environment.data_dir()), environment.DATABASE_URL
        url = embedded.running(folder)
        if url is None:
            got = "nothing"
            help_ = (
                f"start `zeke-jobs up` in this folder, or export {name}=postgresql://user:password@host/name; "
                "where `zeke-jobs up` runs in another folder, it printed that line at its start"
            )
            if server_programs.is_there(folder):
                got, help_ = "one that is stopped", "zeke-jobs up starts it again"
                if not os.access(folder, os.R_OK):
                    got = "one of another user"
                    help_ = f"run as that user, or set {environment.DATA} to a folder of your own"
                name += f", or the server of {environment.data_dir()} to run"
            raise ConfigurationError(f"expected the database's address in {name}, got {got}\n  help: {help_}")
        os.environ[name] = url
    return environment.database_url()


def choose_to_write() -> str:
    """As ``choose``, for a command that writes.

    Raises ConfigurationError if there is no database, or it belongs to another installation.
    """
    with connection(writes=True, is_migrated=False):
        return environment.database_url()


@contextmanager
def connection(command: str = "", *, writes: bool = False, is_migrated: bool = True) -> Iterator[Connection]:
    """A connection to the command's database.

    Args:
        command: Its name, shown by the server.
        writes: The command writes, so a database of another installation is refused.
        is_migrated: The schema must fit this code; if False, the command handles any schema.

    Raises:
        ConfigurationError: there is no database, or it belongs to another installation.
        MigrationError: the schema does not fit this code.
    """
    from zeke_jobs.postgres import installation, migrate
    from zeke_jobs.postgres.pool import connect

    with closing(connect(choose(), application_name=f"zeke-jobs {command}".rstrip())) as conn:
        if writes:
            installation.verify(conn)
        if is_migrated:
            migrate.verify(conn)
        yield conn
