"""Decides, when a process boots, whether its file or the database's configuration is in force."""

from dataclasses import dataclass

from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json

from zeke_jobs.config import catalogue, digest_of, read_text
from zeke_jobs.config.models import Config
from zeke_jobs.core import environment
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions import applying, store
from zeke_jobs.revisions.proposal import Request

_PATIENCE = 10.0  # seconds; then the process says who holds the catalogue, and boots again


@dataclass(frozen=True)
class InForce:
    """The configuration of the fleet.

    Attributes:
        is_file: Whether the caller's file has the same text; else the file is ignored.
        file_revision: The revision with the text of the file; None if it was never in force.
    """

    revision: int
    config: Config
    is_file: bool
    file_revision: int | None


def sync(conn: Connection, config: Config) -> InForce:
    """Bring a booting process and the database to one configuration.

    A file that is new to the database becomes the next revision and is put in force, with the checks of ``apply``. A file that is
    in force already stays, with its overrides. The file of an older revision changes nothing: the result is then the
    configuration in force, read from the database. A process that starts again after a crash puts no file in force,
    because somebody may still be working on it.

    Raises:
        ConfigurationError: the revision in force does not fit this process's code.
        StrandedJobs: the file is new and lacks a task that has unfinished jobs.
        Contended: another session holds the locks, or every attempt was aborted.
    """
    return applying.one_at_a_time(conn, lambda: _sync(conn, config), patience=_PATIENCE)


def _sync(conn: Connection, config: Config) -> InForce:
    latest = store.latest(conn)
    known = store.number_of(conn, config.digest)
    if latest is None or (known is None and not environment.lookup(environment.RESTART)):
        made = applying.apply_locked(conn, Request(config, environment.author(), environment.reason(), "boot"))
        return InForce(made.revision, made.proposal.config, is_file=True, file_revision=made.revision)
    in_force = latest.config() if latest.overrides or latest.digest != config.digest else config
    if latest.digest == config.digest:
        # The file is the same, but the code may be newer and have other payload models.
        # Limits come first: their locks stop all claims until the transaction ends.
        SQL.run(conn, "revision/limits", buckets=Json(catalogue.buckets(in_force)))
        rows = catalogue.tasks(in_force, store.draining(latest.overrides))
        SQL.run(conn, "revision/tasks", revision=latest.number, tasks=Json(rows))
        return InForce(latest.number, in_force, is_file=True, file_revision=latest.number)
    return InForce(latest.number, in_force, is_file=False, file_revision=known)


def file_revision(conn: Connection, known: int | None) -> int | None:
    """The newest revision with the text of this process's jobs.yaml as it is on disk now; a restart would begin with this text.

    Returns ``known`` when the file cannot be read, or was never in force.
    """
    try:
        text = read_text(environment.config_path())
    except ConfigurationError:
        return known
    return store.number_of(conn, digest_of(text)) or known
