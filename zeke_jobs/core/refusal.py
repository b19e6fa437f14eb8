"""The end of a process with a wrong configuration: a message, and status 2."""

import sys
from typing import NoReturn

from zeke_jobs.core import environment, logs
from zeke_jobs.core.redaction import redact
from zeke_jobs.core.terminal import visible

STATUS = 2


def refuse(error: Exception) -> NoReturn:
    """Print the error to standard error as text, because it is meant for the operator; as a line of JSON if JSON was asked for.

    Raises:
        SystemExit: always, with status 2.
    """
    has_places = bool(getattr(error, "diagnostics", ()))  # each one then has its own line with "error:"
    said = redact(str(error) if has_places else f"zeke_jobs: error: {error}")
    if environment.lookup(environment.LOG_FORMAT) == "json":  # then no line may be text
        logs.configure()
        logs.get_logger().critical(said)
        sys.exit(STATUS)
    print(visible(said, lines=True), file=sys.stderr)  # noqa: T201 (without rich, which a worker does not need)
    sys.exit(STATUS)
