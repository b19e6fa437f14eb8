"""Reads environment variables for all modules but ``probes.py``, which must be quick. An empty variable is not set.

A function raises ConfigurationError, with the accepted values, if its variable has a wrong value. The database's
address may be written as for libpq, SQLAlchemy, Django or Prisma; the function ``libpq`` converts it to libpq's form.
"""

import getpass
import os
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from zeke_jobs.core import probes, redaction
from zeke_jobs.errors import ConfigurationError

_URI = re.compile(r"([a-z][a-z0-9.-]*)(\+[a-z0-9_]*)?://(.*)", re.IGNORECASE | re.DOTALL)
_SCHEMES = {"postgresql", "postgres", "pgsql", "psql", "postgis", "timescale"}
#: Prisma, Django, SQLAlchemy and others use these parameters for their own pools; they do not describe the database.
_OF_OTHERS = re.compile(
    "connection_limit|pool_timeout|socket_timeout|statement_cache_size|single_use_connections|pgbouncer|conn_max_age"
    "|conn_health_checks|atomic_requests|disable_server_side_cursors|prepared_statement_cache_size|async_fallback"
    "|uselibpqcompat|schema"
)
_SSL = {"true": "require", "1": "require", "false": "disable", "0": "disable"}
_WHOLE = "expected DATABASE_URL to be postgresql://user:password@host:5432/name, or host=… dbname=… user=…"
_ENCODE = "in a password write / as %2F, in other parts @ as %40"


@lru_cache(maxsize=64)
def libpq(text: str) -> str:
    """Return a database's address in libpq's form. After this call ``redact`` removes the password from texts.

    The function repairs clear mistakes (an @ or a % in a password, white space at the ends), and drops pool
    parameters of Django etc. Raises ConfigurationError if the text is not an address; its message shows no password.
    """
    from psycopg2 import ProgrammingError
    from psycopg2.extensions import parse_dsn

    text = text.strip()
    uri = _URI.fullmatch(text)
    if uri is None and text[:1] in ("'", '"'):
        raise ConfigurationError(f"{_WHOLE}; write it without the quotes")
    if uri is None and text.startswith("jdbc:"):
        raise ConfigurationError(f"{_WHOLE}; write it without jdbc:")
    if uri is None and not re.match(r"\w+\s*=", text):
        got = "a host and a port alone" if re.match(r"[\w.-]+:\d+(/|$)", text) else "something else"
        raise ConfigurationError(f"{_WHOLE}, got {got}")
    try:
        address = text if uri is None else _of_uri(uri)
        parts = parse_dsn(address)
    except ProgrammingError as error:
        raise ConfigurationError(_refusal(str(error))) from None
    except UnicodeError:
        raise ConfigurationError("expected DATABASE_URL in UTF-8, got other bytes") from None
    ports = (port for port in parts.get("port", "").split(",") if port)
    if not all(re.fullmatch(r"\d{1,9}", port, re.ASCII) and 0 < int(port) < 65536 for port in ports):
        raise ConfigurationError(f"expected in DATABASE_URL a port from 1 to 65535, got something else; {_ENCODE}")
    redaction.remember_address(text, parts.get("password", ""))
    return address


def _of_uri(uri: re.Match[str]) -> str:
    scheme, _, rest = uri.groups()
    if scheme.lower() not in _SCHEMES:
        raise ConfigurationError(f"{_WHOLE}, got {scheme}://…")
    authority, slash, tail = rest.partition("/")
    # Split at the last @: no host contains an @, but many passwords have an @ that is not escaped.
    credentials, at, hosts = authority.rpartition("@")
    if not at and ":" in authority and "@" in tail:
        raise ConfigurationError(f"{_WHOLE}, got an @ behind the first /; {_ENCODE}")
    user, colon, password = credentials.partition(":")
    before, query_mark, query = (hosts + slash + tail).partition("?")
    parameters = "&".join(f"{name}={quote(value, safe='')}" for name, value in _parameters(query))
    return f"postgresql://{_encoded(user)}{colon}{_encoded(password)}{at}{before}{query_mark and parameters and '?'}{parameters}"


def _encoded(text: str) -> str:
    return quote(unquote_to_bytes(text), safe="")


def _parameters(query: str) -> Iterator[tuple[str, str]]:
    """Yield the parameters of a database's address that libpq accepts, under libpq's names."""
    try:
        # A + in libpq's URIs is a plus sign, not a space.
        found = parse_qsl(query.replace("+", "%2B"), keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise ConfigurationError("expected each parameter of DATABASE_URL as name=value, got one without =") from None
    for name, value in found:
        if sum(name == other for other, _ in found) > 1:
            raise ConfigurationError(
                f"expected each parameter of DATABASE_URL once, got {name} more than once; write hosts as host1:5432,host2:5432"
            )
        if name == "schema" and value != "public":
            raise ConfigurationError(
                "expected no parameter schema in DATABASE_URL, because PostgreSQL has none; "
                f"write options=-csearch_path%3D{quote(value)}"
            )
        if name == "ssl":
            yield "sslmode", _SSL.get(value.lower(), value)
        elif not _OF_OTHERS.fullmatch(name):
            yield name, value


def _refusal(reason: str) -> str:
    """Return why libpq cannot read the address. libpq's message quotes the password, so only a parameter's name is kept."""
    if match := re.search(r'invalid URI query parameter: "(\w+)"', reason):
        help_ = "leave it out, or say the same by one of PostgreSQL's"
        return f"expected in DATABASE_URL parameters that PostgreSQL has, got {match[1]}; {help_}"
    unquoted = reason.removeprefix("invalid dsn: ").partition('"')[0].strip(" :\n")
    return f"{_WHOLE}, got one that PostgreSQL cannot read: {unquoted}"


DATABASE_URL = "DATABASE_URL"
CONFIG = "ZEKE_JOBS_CONFIG"
DATA = "ZEKE_JOBS_DATA"
LOG_FORMAT = "ZEKE_JOBS_LOG_FORMAT"
LOG_LEVEL = "ZEKE_JOBS_LOG_LEVEL"
HEARTBEAT = "ZEKE_JOBS_HEARTBEAT"
ENVIRONMENT = "ZEKE_JOBS_ENVIRONMENT"
LISTEN = "ZEKE_JOBS_LISTEN"
METRICS = "ZEKE_JOBS_METRICS"
REASON = "ZEKE_JOBS_REASON"
ASYNC = "ZEKE_JOBS_ASYNC"
RESTART = "ZEKE_JOBS_RESTART"  # `zeke-jobs up` sets this in a process that starts again after a crash
RUN = probes.RUN
OTEL_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"  # the collector for workers' traces


class Address(NamedTuple):
    """Holds the host and the port on which an HTTP server of zeke_jobs listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


_N = TypeVar("_N", int, float)
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+")


def check() -> None:
    """Read every variable once, so that a process with a wrong value is refused before it starts work."""
    for read in (log_format, log_level, heartbeat, installation, listen, metrics_address, async_places):
        read()


def lookup(name: str) -> str | None:
    """Return the value of an environment variable, as ``${NAME}`` in jobs.yaml does, or None if it is not set."""
    return os.environ.get(name) or None


def database_url_or_none() -> str | None:
    """Return the address of the database in libpq's form, or None if ``DATABASE_URL`` is not set."""
    text = lookup(DATABASE_URL)
    return None if text is None else libpq(text)


def database_url() -> str:
    """Return the address of the database in libpq's form, such as ``postgresql://user:password@host/name``."""
    url = database_url_or_none()
    if url is None:
        raise ConfigurationError(
            f"expected the database's address in {DATABASE_URL}, got nothing\n"
            f"  help: export {DATABASE_URL}=postgresql://user:password@host/name; "
            f"a server that `zeke-jobs up` runs has its own, in the line `export {DATABASE_URL}=…` that it printed"
        )
    return url


def config_path() -> Path:
    """Return the path of jobs.yaml: ``ZEKE_JOBS_CONFIG``, by default ``jobs.yaml`` in the current folder."""
    return Path(lookup(CONFIG) or "jobs.yaml")


def data_dir() -> Path:
    """Return the data folder of the embedded server: ``ZEKE_JOBS_DATA``, by default ``.zeke`` in the current folder."""
    return Path(lookup(DATA) or ".zeke")


def log_format() -> str:
    """Return the format of the log. The default, ``auto``, means readable lines on a terminal, and otherwise JSON lines."""
    return _one_of(LOG_FORMAT, "auto", "console", "json")


def log_level() -> str:
    """Return the lowest level to log, in lower case: ``ZEKE_JOBS_LOG_LEVEL``, by default ``info``."""
    return _one_of(LOG_LEVEL, "info", "debug", "warning", "error", "critical")


def heartbeat() -> float:
    """Return the seconds between heartbeats (``ZEKE_JOBS_HEARTBEAT`` or 5). After four misses, a process is lost."""
    # Shorter intervals would overload the database. Longer intervals would delay the rescue of a lost worker's jobs.
    return _number(HEARTBEAT, 5.0, 0.1, 60, "seconds")


def async_places() -> int:
    """Return the maximum number of async handlers that a worker process runs at once: ``ZEKE_JOBS_ASYNC``, by default 200."""
    return _number(ASYNC, 200, 1, 10_000, "jobs")


def installation() -> str:
    """Return the name of this process's installation: ``ZEKE_JOBS_ENVIRONMENT``, such as ``staging``; by default ``default``."""
    name = lookup(ENVIRONMENT) or "default"
    if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", name):
        return name
    raise ConfigurationError(f"expected {ENVIRONMENT} to be a lower-case name such as staging, got {name!r}")


def listen() -> str:
    """Return ``on`` (use LISTEN), ``off`` (poll each second), or ``auto``, the default (poll only behind a pooler)."""
    return _one_of(LISTEN, "auto", "on", "off")


def metrics_address() -> Address | None:
    """Return where ``dramatiq`` serves metrics (``ZEKE_JOBS_METRICS``, such as ``127.0.0.1:9191``), or None."""
    text = lookup(METRICS)
    return None if text is None else address(METRICS, text)


def reason() -> str:
    """Return ``ZEKE_JOBS_REASON``, the reason to record if a starting process puts a new jobs.yaml in force."""
    return lookup(REASON) or "a process started with this file"


def author() -> str:
    """Return ``user@host``, which is recorded as the author of changes by hand."""
    user = "unknown"
    with suppress(KeyError, OSError):  # the user of a container may have no name
        user = getpass.getuser()
    return f"{user}@{socket.gethostname()}"


def address(name: str, text: str) -> Address:
    """Read ``HOST:PORT`` from ``text``, the value of the variable ``name``. An IPv6 address is in brackets."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigurationError(
            f"expected {name} to be HOST:PORT, got {text!r}\n  help: 127.0.0.1:9191, or 0.0.0.0:9191 for every machine"
        )
    return Address(host.strip("[]"), int(port))


def _one_of(name: str, *accepted: str) -> str:
    value = (lookup(name) or accepted[0]).lower()
    if value not in accepted:
        raise ConfigurationError(f"expected {name} to be one of {', '.join(accepted)}, got {value!r}")
    return value


def _number(name: str, default: _N, low: float, high: float, unit: str) -> _N:
    text = lookup(name)
    if text is None:
        return default
    if _NUMBER.fullmatch(text):
        with suppress(ValueError):  # the text is not a whole number
            number = type(default)(text)
            if low <= number <= high:
                return number
    raise ConfigurationError(f"expected {name} to be {low:g} to {high:g} {unit}, got {text!r}")


def missing(expected: str, extra: str, *, error: ImportError | None = None, instead: str = "") -> ConfigurationError:
    """Return the error for a missing package. Its help says: do ``instead``, if given, or install ``extra`` by pip."""
    got = f"none ({error})" if error else "none"
    other = f"{instead}, or " if instead else ""
    return ConfigurationError(f"expected {expected}, got {got}\n  help: {other}pip install '{extra}'")
