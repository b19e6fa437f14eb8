"""Work done when a command line or an API imports ``zeke_jobs.actors``."""

import sys
from pathlib import Path
from typing import TextIO, cast

from zeke_jobs.core import environment, logs, probes
from zeke_jobs.core.printed import Printed
from zeke_jobs.core.refusal import refuse
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.scheduler import beat
from zeke_jobs.worker import builder
from zeke_jobs.worker.broker import JobBroker

_COMMAND_LINES = {"dramatiq", "dramatiq-gevent", "periodiq"}


def load() -> JobBroker:
    """Read and check jobs.yaml, and build the broker. Opens no connection.

    Raises:
        SystemExit: with status 2 after the diagnostics, when a command line finds a fault.
        ConfigurationError: the same, when another program imports the actors.
    """
    try:
        if _is_command_line():
            logs.configure()
            if _name() == "periodiq":
                beat.obey_signals()  # from the start, so that it works as PID 1 too
            else:
                sys.stdout = cast("TextIO", Printed(sys.stdout))
                sys.stderr = cast("TextIO", Printed(sys.stderr, "stderr"))
            environment.check()
            if _name() == "periodiq":
                probes.answer("scheduler", beat.faults)
            url: str | None = environment.database_url()
        else:
            url = environment.database_url_or_none()
        return builder.from_file(environment.config_path(), url)
    except ConfigurationError as error:
        if not _is_command_line():
            raise
        refuse(error)


def _is_command_line() -> bool:
    return _name() in _COMMAND_LINES


def _name() -> str:
    path = Path(sys.argv[0])
    return path.parent.name if path.name == "__main__.py" else path.name
