"""Which configuration is in force: the rule by which a booting process and the database come together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zeke_jobs.config import digest_of, read_text
from zeke_jobs.core import environment
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.revisions import applying, rows, store
from zeke_jobs.revisions.proposal import Request
from zeke_jobs.revisions.store import latest_number

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from zeke_jobs.config.models import Config

__all__ = ["InForce", "file_revision", "latest_number", "load_latest", "sync"]


@dataclass(frozen=True)
class InForce:
    """What the fleet runs by. ``is_file`` is False when the caller's file is an older revision, which changes nothing."""

    revision: int
    config: Config
    is_file: bool
    file_revision: int


def sync(conn: Connection, config: Config, *, by: str | None = None, message: str | None = None) -> InForce:
    """Bring a booting process and the database together.

    A file that the database has never seen becomes the next revision and is in force, under the checks of ``apply``. The file
    in force is confirmed, with what is set beside it. An older revision's file does not turn the fleet back: the answer is
    then the configuration in force, read from the database.

    Raises:
        ConfigurationError: the revision in force does not fit this process's code.
        StrandedJobs: the file is new and lacks a task that has unfinished jobs.
        Contended: workers got in the way again and again.
    """
    message = environment.reason() if message is None else message
    return applying.in_turn(conn, lambda: _sync(conn, config, by or environment.author(), message))


def _sync(conn: Connection, config: Config, by: str, message: str) -> InForce:
    latest = store.latest(conn)
    known = store.number_of(conn, config.digest)
    if known is None or latest is None:
        made = applying.put_in_force(conn, Request(config, by, message, "boot"))
        return InForce(made.revision, made.config, is_file=True, file_revision=made.revision)
    in_force = latest.config() if latest.overrides or latest.digest != config.digest else config
    if latest.digest == config.digest:
        # The same file, but perhaps newer code with other payload models.
        rows.write(conn, in_force, latest.number, latest.draining)
        return InForce(latest.number, in_force, is_file=True, file_revision=latest.number)
    return InForce(latest.number, in_force, is_file=False, file_revision=known)


def load_latest(conn: Connection) -> tuple[int, Config] | None:
    """The revision in force, read and checked against this process's code.

    Raises:
        ConfigurationError: it does not fit this code.
    """
    latest = store.latest(conn)
    return None if latest is None else (latest.number, latest.config())


def file_revision(conn: Connection, known: int | None) -> int | None:
    """The newest revision with the text that this process's jobs.yaml has on the disk by now; who starts again would start by it.

    ``known`` is answered where it cannot be read, or was never in force.
    """
    try:
        text = read_text(environment.config_path())
    except ConfigurationError:
        return known
    return store.number_of(conn, digest_of(text)) or known
