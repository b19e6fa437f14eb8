"""Chooses the database that a command uses."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from psycopg2.extensions import connection as Connection

from zeke_jobs.core import environment
from zeke_jobs.errors import ConfigurationError


def choose(*, writes: bool = False) -> str:
    """Return ``DATABASE_URL``. If unset, set it to the URL of the database that ``zeke-jobs up`` runs in this folder.

    Raises ConfigurationError if there is no database or, with ``writes``, if it belongs to another installation.
    """
    if environment.database_url_or_none() is None:
        from zeke_jobs.postgres import embedded, server_programs
        from zeke_jobs.postgres.own_server import server_folder

        data_dir, name = environment.data_dir(), environment.DATABASE_URL
        folder = server_folder(data_dir)
        url = embedded.running(folder)
        if url is None:
            got, wanted = "nothing", name
            help_ = (
                f"start `zeke-jobs up` in this folder, or export {name}=postgresql://user:password@host/name; "
                "where `zeke-jobs up` runs in another folder, it printed that line at its start"
            )
            if server_programs.is_there(folder):
                wanted += f", or the server of {data_dir} to run"
                got, help_ = "one that is stopped", "zeke-jobs up starts it again"
                if not os.access(folder, os.R_OK):
                    got = "one of another user"
                    help_ = f"run as that user, or set {environment.DATA} to a folder of your own"
            raise ConfigurationError(f"expected the database's address in {wanted}, got {got}\n  help: {help_}")
        os.environ[name] = url
    if writes:
        with connection(writes=True, is_migrated=False):
            pass
    return environment.database_url()


@contextmanager
def connection(command: str = "", *, writes: bool = False, is_migrated: bool = True) -> Iterator[Connection]:
    """Connect to the database as the application ``zeke-jobs COMMAND``. Raises ConfigurationError or MigrationError.

    With ``writes``, it must not be another installation's. With ``is_migrated``, no migration may be missing or newer.
    """
    from zeke_jobs.postgres import installation, migrate
    from zeke_jobs.postgres.pool import connect

    with closing(connect(choose(), application_name=f"zeke-jobs {command}".rstrip())) as conn:
        if writes:
            installation.verify(conn)
        if is_migrated:
            migrate.verify(conn)
        yield conn
