"""The one place that reads environment variables. One that is set to nothing counts as not set.

Each function here raises a ConfigurationError, with what would be accepted, where its variable has a value that is not.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
from pathlib import Path
from typing import Literal, NamedTuple, cast, get_args

from zeke_jobs.core.address import libpq
from zeke_jobs.errors import ConfigurationError

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
OTEL_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"

LogFormat = Literal["auto", "console", "json"]
Listen = Literal["auto", "on", "off"]


class Address(NamedTuple):
    """Where a server of ours listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_LOG_LEVELS = ("debug", "info", "warning", "error", "critical")


def check() -> None:
    """Read every variable once, so that a process that starts is refused before it does anything."""
    for read in (log_format, log_level, heartbeat, installation, listen, metrics_address):
        read()


def lookup(name: str) -> str | None:
    """The variable ``name`` as ``${NAME}`` in jobs.yaml sees it, or None when it is not set."""
    return os.environ.get(name) or None


def database_url_or_none() -> str | None:
    """The address of the database as libpq reads it, or None where nobody named one."""
    text = lookup(DATABASE_URL)
    return None if text is None else libpq(text)


def database_url() -> str:
    """The address of the database: ``postgresql://user:password@host/name``."""
    url = database_url_or_none()
    if url is None:
        raise ConfigurationError(
            f"expected the database's address in {DATABASE_URL}, got nothing\n"
            f"  help: export {DATABASE_URL}=postgresql://user:password@host/name; "
            f"a server that `zeke-jobs up` runs has its own, in the line `export {DATABASE_URL}=…` that it printed"
        )
    return url


def config_path() -> Path:
    """Where jobs.yaml is: ``ZEKE_JOBS_CONFIG``, else ``jobs.yaml`` in the current folder."""
    return Path(lookup(CONFIG) or "jobs.yaml")


def data_dir() -> Path:
    """Where the embedded server keeps its data: ``ZEKE_JOBS_DATA``, else ``.zeke`` in the current folder."""
    return Path(lookup(DATA) or ".zeke")


def log_format() -> LogFormat:
    """How logs are written; ``auto``, the default, is for a reader on a terminal and JSON lines elsewhere."""
    return cast("LogFormat", _one_of(LOG_FORMAT, get_args(LogFormat), "auto"))


def log_level() -> str:
    """The lowest level that is written, in lower case; ``info`` unless ``ZEKE_JOBS_LOG_LEVEL`` says otherwise."""
    return _one_of(LOG_LEVEL, _LOG_LEVELS, "info")


def heartbeat() -> float:
    """Seconds between a process's proofs of life: 5, or ``ZEKE_JOBS_HEARTBEAT``. Four without one, and it is lost."""
    text = lookup(HEARTBEAT) or "5"
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 60:  # below, the database would do little else; above, nobody would wait
        raise ConfigurationError(f"expected {HEARTBEAT} to be 0.1 to 60 seconds, got {text!r}")
    return seconds


def installation() -> str:
    """Which installation this process belongs to: ``ZEKE_JOBS_ENVIRONMENT``, as in ``staging``; else ``default``."""
    name = lookup(ENVIRONMENT) or "default"
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"expected {ENVIRONMENT} to be a lower-case name such as staging, got {name!r}")
    return name


def listen() -> Listen:
    """Whether to wait by LISTEN (``on``) or to look once a second (``off``); ``auto``, the default, finds out."""
    return cast("Listen", _one_of(LISTEN, get_args(Listen), "auto"))


def metrics_address() -> Address | None:
    """Where a ``dramatiq`` command serves its workers' metrics: ``ZEKE_JOBS_METRICS``, as in ``127.0.0.1:9191``; else nowhere."""
    text = lookup(METRICS)
    return None if text is None else address(METRICS, text)


def traces_endpoint() -> str | None:
    """The collector that workers send traces to, by OpenTelemetry's own ``OTEL_EXPORTER_OTLP_ENDPOINT``; else None."""
    return lookup(OTEL_ENDPOINT)


def reason() -> str:
    """Why a process that starts puts a new jobs.yaml in force, as history shows it: ``ZEKE_JOBS_REASON``."""
    return lookup(REASON) or "a process started with this file"


def author() -> str:
    """The person at this machine, as a change by hand names them: ``user@host``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def address(name: str, text: str) -> Address:
    """``HOST:PORT``, as said by ``name``; the host is a name, an address, or an IPv6 address in brackets."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigurationError(
            f"expected {name} to be HOST:PORT, got {text!r}\n  help: 127.0.0.1:9191, or 0.0.0.0:9191 for every machine"
        )
    return Address(host.strip("[]"), int(port))


def _one_of(name: str, accepted: tuple[str, ...], default: str) -> str:
    value = (lookup(name) or default).lower()
    if value not in accepted:
        raise ConfigurationError(f"expected {name} to be one of {', '.join(accepted)}, got {value!r}")
    return value
