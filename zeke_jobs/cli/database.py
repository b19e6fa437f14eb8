"""Which database a command works on."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from zeke_jobs.core import environment
from zeke_jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg2.extensions import connection as Connection


def choose() -> str:
    """Its URL: ``DATABASE_URL``, else the embedded server that ``zeke-jobs up`` runs for this folder; nothing is started.

    The rest of the process then finds it in ``DATABASE_URL``.

    Raises:
        ConfigurationError: there is neither, or the embedded server is stopped.
    """
    if environment.database_url_or_none() is None:
        from zeke_jobs.postgres import embedded, state_folder
        from zeke_jobs.postgres.own_server import server_folder

        folder = server_folder(environment.data_dir())
        url = embedded.running(folder)
        if url is None and state_folder.is_there(folder):
            got, what_to_do = "one that is stopped", "zeke-jobs up starts it again"
            if not os.access(folder, os.R_OK):
                got = "one of another user"
                what_to_do = f"run as that user, or set {environment.DATA} to a folder of your own"
            raise ConfigurationError(
                f"expected the database's address in {environment.DATABASE_URL}, or the server of "
                f"{environment.data_dir()} to run, got {got}\n"
                f"  help: {what_to_do}"
            )
        if url is None:
            raise ConfigurationError(
                f"expected the database's address in {environment.DATABASE_URL}, got nothing\n"
                "  help: start `zeke-jobs up` in this folder, or "
                f"export {environment.DATABASE_URL}=postgresql://user:password@host/name; where `zeke-jobs up` runs in "
                "another folder, it printed that line at its start"
            )
        os.environ[environment.DATABASE_URL] = url
    return environment.database_url()


def choose_to_write() -> str:
    """The same, for a command that changes something there.

    Raises:
        ConfigurationError: there is none, or it belongs to another installation.
    """
    with connection(writes=True, is_migrated=False):
        return environment.database_url()


@contextmanager
def connection(command: str = "", *, writes: bool = False, is_migrated: bool = True) -> Iterator[Connection]:
    """A connection to the database that a command works on.

    Args:
        command: Its name, as the server shows it.
        writes: The command changes something, which it may not do to another installation's database.
        is_migrated: The schema must be what this code expects; else the command copes with what it finds.

    Raises:
        ConfigurationError: there is none, or it belongs to another installation.
        MigrationError: the schema is not what this code expects.
    """
    from zeke_jobs.postgres import installation, migrate
    from zeke_jobs.postgres.pool import connect

    with closing(connect(choose(), application_name=f"zeke-jobs {command}".rstrip())) as conn:
        if writes:
            installation.verify(conn)
        if is_migrated:
            migrate.verify(conn)
        yield conn
