"""Which servers and databases this code runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zeke_jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

#: Major versions that the tests run on or between. Later ones are let through.
OLDEST, NEWEST_TESTED = 15, 18
_ENCODING = "UTF8"


def verify(conn: Connection) -> None:
    """Refuse a server that is too old or takes no writes, and a database that cannot hold every text. Asks the server nothing.

    Raises:
        ConfigurationError: it names the version, the encoding or the standby.
    """
    major = conn.info.server_version // 10_000
    if major < OLDEST:
        raise ConfigurationError(
            f"expected PostgreSQL {OLDEST} or later ({OLDEST} to {NEWEST_TESTED} are tested), got PostgreSQL {major}"
        )
    encoding = conn.info.parameter_status("server_encoding") or _ENCODING  # a pooler may not say
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
