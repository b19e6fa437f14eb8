"""Converts database addresses in common forms (SQLAlchemy's, Django's, Prisma's, libpq's own) to one that libpq reads."""

import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from zeke_jobs.core import redaction
from zeke_jobs.errors import ConfigurationError

_URI = re.compile(r"([a-z][a-z0-9.-]*)(\+[a-z0-9_]*)?://(.*)", re.IGNORECASE | re.DOTALL)
_SCHEMES = {"postgresql", "postgres", "pgsql", "psql", "postgis", "timescale"}
#: Parameters of other programs for their own pools and caches; they do not describe the database.
_OF_PRISMA = "connection_limit pool_timeout socket_timeout statement_cache_size single_use_connections pgbouncer"
_OF_DJANGO = "conn_max_age conn_health_checks atomic_requests disable_server_side_cursors"
_OF_SQLALCHEMY = "prepared_statement_cache_size async_fallback"
_OF_OTHERS = {"uselibpqcompat", *_OF_PRISMA.split(), *_OF_DJANGO.split(), *_OF_SQLALCHEMY.split()}
_SSL = {"true": "require", "1": "require", "false": "disable", "0": "disable"}
_WHOLE = "expected DATABASE_URL to be postgresql://user:password@host:5432/name, or host=… dbname=… user=…"
_ENCODE = "in a password write / as %2F, in other parts @ as %40"


@lru_cache(maxsize=64)
def libpq(text: str) -> str:
    """Return the address as libpq reads it; from now on ``redact`` removes its password from texts.

    Clear mistakes are repaired: an @ or a % in a password, white space at the ends. Parameters that only configure another
    program's pool are dropped.

    Raises:
        ConfigurationError: it is not an address. The message is one line with the accepted form, and quotes no password.
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
    # Split at the last @: no host contains one, and many passwords have one that is not escaped.
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
    """The parameters that libpq knows, with libpq's names."""
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
        elif name not in _OF_OTHERS and name != "schema":
            yield name, value


def _refusal(reason: str) -> str:
    """The reason why libpq cannot read the address. Its message quotes the password, so only a parameter's name is kept."""
    if match := re.search(r'invalid URI query parameter: "(\w+)"', reason):
        help_ = "leave it out, or say the same by one of PostgreSQL's"
        return f"expected in DATABASE_URL parameters that PostgreSQL has, got {match[1]}; {help_}"
    unquoted = reason.removeprefix("invalid dsn: ").partition('"')[0].strip(" :\n")
    return f"{_WHOLE}, got one that PostgreSQL cannot read: {unquoted}"
