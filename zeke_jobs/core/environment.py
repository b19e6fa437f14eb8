"""The only reader of environment variables, but for probes, which must be quick. An empty variable counts as not set.

Each function here raises a ConfigurationError, with the accepted values, when its variable has a wrong value.
"""

import getpass
import os
import re
import socket
from pathlib import Path
from typing import Literal, NamedTuple, cast, get_args

from zeke_jobs.core import probes
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
ASYNC = "ZEKE_JOBS_ASYNC"
RESTART = "ZEKE_JOBS_RESTART"  # set where `zeke-jobs up` starts a process again after a crash
RUN = probes.RUN
OTEL_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"  # the collector for workers' traces

LogFormat = Literal["auto", "console", "json"]
Listen = Literal["auto", "on", "off"]


class Address(NamedTuple):
    """The address on which one of our servers listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_LOG_LEVELS = ("debug", "info", "warning", "error", "critical")


def check() -> None:
    """Read every variable once, so that a process with a wrong one is refused before it starts work."""
    for read in (log_format, log_level, heartbeat, installation, listen, metrics_address, async_places):
        read()


def lookup(name: str) -> str | None:
    """The variable ``name`` as ``${NAME}`` in jobs.yaml sees it, or None when it is not set."""
    return os.environ.get(name) or None


def database_url_or_none() -> str | None:
    """The address of the database as libpq reads it, or None when no variable names one."""
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
    """Path of jobs.yaml: ``ZEKE_JOBS_CONFIG``, else ``jobs.yaml`` in the current folder."""
    return Path(lookup(CONFIG) or "jobs.yaml")


def data_dir() -> Path:
    """Data folder of the embedded server: ``ZEKE_JOBS_DATA``, else ``.zeke`` in the current folder."""
    return Path(lookup(DATA) or ".zeke")


def log_format() -> LogFormat:
    """Format of the log; ``auto``, the default, means readable lines on a terminal and JSON lines elsewhere."""
    return cast("LogFormat", _one_of(LOG_FORMAT, get_args(LogFormat), "auto"))


def log_level() -> str:
    """The lowest level that is logged, in lower case: ``ZEKE_JOBS_LOG_LEVEL``, else ``info``."""
    return _one_of(LOG_LEVEL, _LOG_LEVELS, "info")


def heartbeat() -> float:
    """Seconds between a process's heartbeats: ``ZEKE_JOBS_HEARTBEAT``, else 5. After four missed ones it counts as lost."""
    text = lookup(HEARTBEAT) or "5"
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 60:  # shorter would overload the database; longer would delay every rescue
        raise ConfigurationError(f"expected {HEARTBEAT} to be 0.1 to 60 seconds, got {text!r}")
    return seconds


def async_places() -> int:
    """Number of async handlers that a worker process runs at once, beside its threads: ``ZEKE_JOBS_ASYNC``, else 200."""
    text = lookup(ASYNC) or "200"
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 10_000):
        raise ConfigurationError(f"expected {ASYNC} to be a number of jobs from 1 to 10000, got {text!r}")
    return int(text)


def installation() -> str:
    """The installation of this process: ``ZEKE_JOBS_ENVIRONMENT``, such as ``staging``; else ``default``."""
    name = lookup(ENVIRONMENT) or "default"
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"expected {ENVIRONMENT} to be a lower-case name such as staging, got {name!r}")
    return name


def listen() -> Listen:
    """Whether to wait by LISTEN (``on``) or to poll once a second (``off``); ``auto``, the default, tries which one works."""
    return cast("Listen", _one_of(LISTEN, get_args(Listen), "auto"))


def metrics_address() -> Address | None:
    """Address of a ``dramatiq`` command's metrics: ``ZEKE_JOBS_METRICS``, such as ``127.0.0.1:9191``; None: not served."""
    text = lookup(METRICS)
    return None if text is None else address(METRICS, text)


def reason() -> str:
    """Reason shown in the history when a starting process puts a new jobs.yaml in force: ``ZEKE_JOBS_REASON``."""
    return lookup(REASON) or "a process started with this file"


def author() -> str:
    """The user of this machine, the author of changes by hand: ``user@host``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def address(name: str, text: str) -> Address:
    """Read ``HOST:PORT`` from the variable ``name``; the host is a name, an address, or an IPv6 address in brackets."""
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


def missing(expected: str, extra: str, *, error: ImportError | None = None, instead: str = "") -> ConfigurationError:
    """The error to raise; its help is the command that installs the extra, such as ``zeke-jobs[plot]``, or another way.

    Pip takes the installed distribution, whether it came from an index, a wheel or a checkout.
    """
    got = f"none ({error})" if error else "none"
    other = f"{instead}, or " if instead else ""
    return ConfigurationError(f"expected {expected}, got {got}\n  help: {other}pip install '{extra}'")
