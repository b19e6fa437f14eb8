"""What happens when a command line, or an API, imports ``zeke_jobs.actors``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from zeke_jobs import builder, config, environment, logs
from zeke_jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from zeke_jobs.broker import JobBroker

_COMMAND_LINES = {"dramatiq", "dramatiq-gevent", "periodiq"}


def load() -> JobBroker:
    """Read jobs.yaml, check all of it, build the broker. Opens no connection.

    Raises:
        SystemExit: with status 2, after the diagnostics, where a command line was given something wrong.
        ConfigurationError: the same where some other program imports the actors.
    """
    try:
        if _is_command_line():
            logs.configure()
            url: str | None = environment.database_url()
        else:
            url = environment.database_url_or_none()
        return builder.build(config.load(environment.config_path()), url)
    except ConfigurationError as error:
        if not _is_command_line():
            raise
        print(error, file=sys.stderr)  # noqa: T201 (it is for the operator)
        sys.exit(2)


def _is_command_line() -> bool:
    path = Path(sys.argv[0])
    return path.name in _COMMAND_LINES or (path.name == "__main__.py" and path.parent.name in _COMMAND_LINES)
