"""Work done when a command line or an API imports ``zeke_jobs.actors``."""

import sys
from pathlib import Path
from typing import TextIO, cast

from zeke_jobs.core import environment, logs, probes
from zeke_jobs.core.logs import refuse
from zeke_jobs.core.printed import Printed
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
    path = Path(sys.argv[0])
    name = path.parent.name if path.name == "__main__.py" else path.name
    if name not in _COMMAND_LINES:
        return builder.from_file(environment.config_path(), environment.database_url_or_none())
    try:
        logs.configure()
        if name == "periodiq":
            beat.obey_signals()  # from the start, so that it works as PID 1 too
        else:
            sys.stdout = cast("TextIO", Printed(sys.stdout))
            sys.stderr = cast("TextIO", Printed(sys.stderr, "stderr"))
        environment.check()
        if name == "periodiq":
            probes.answer("scheduler", beat.faults)
        return builder.from_file(environment.config_path(), environment.database_url())
    except ConfigurationError as error:
        refuse(error)
