"""Checks that the server is supported, and that the database belongs to the installation ``ZEKE_JOBS_ENVIRONMENT``."""

from psycopg2.extensions import connection as Connection

from zeke_jobs.core import environment
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.postgres.queries import SQL

#: These are the oldest and the newest major version that the tests cover. Later versions are accepted.
OLDEST, NEWEST_TESTED = 15, 18
_ENCODING = "UTF8"
_HAND_OVER = "UPDATE zeke_jobs.installation SET name = '%s'"


def claim(conn: Connection) -> None:
    """Make this process's installation the owner of the database if it has no owner."""
    if _owner(conn) is None:  # only an installation's first process needs the privilege to write this table
        SQL.run(conn, "installation/claim", name=environment.installation())
    verify(conn)


def verify(conn: Connection) -> None:
    """Raise ConfigurationError if another installation owns the database. Without our tables, it has no owner."""
    ours, owner = environment.installation(), _owner(conn)
    if owner not in (None, ours):
        raise ConfigurationError(
            f"expected the database of environment {ours!r}, got the database of {owner!r}\n"
            f"  help: correct {environment.DATABASE_URL} or {environment.ENVIRONMENT}; "
            f"to hand a copy of the database over to this environment: {_HAND_OVER % ours}"
        )


def verify_server(conn: Connection) -> None:
    """Raise ConfigurationError for a server that is too old or read-only, or whose encoding is not UTF8. Sends no statement."""
    major = conn.info.server_version // 10_000
    if major < OLDEST:
        tested = f"{OLDEST} to {NEWEST_TESTED} are tested"
        raise ConfigurationError(f"expected PostgreSQL {OLDEST} or later ({tested}), got PostgreSQL {major}")
    encoding = conn.info.parameter_status("server_encoding") or _ENCODING  # a pooler may not report the encoding
    if encoding != _ENCODING:
        raise ConfigurationError(
            f"expected a database with the encoding {_ENCODING}, got {encoding}\n"
            f"  help: CREATE DATABASE name ENCODING '{_ENCODING}' TEMPLATE template0"
        )
    if conn.info.parameter_status("in_hot_standby") == "on":
        raise ConfigurationError(
            "expected a server that takes writes, got a hot standby\n"
            "  help: name the primary, or all hosts with target_session_attrs=read-write"
        )


def _owner(conn: Connection) -> str | None:
    is_there = SQL.value(conn, "migration/table_exists", table="installation")
    return SQL.value(conn, "installation/name") if is_there else None
