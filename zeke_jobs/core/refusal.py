"""The end of a process with a wrong configuration: a message, and status 2."""

from __future__ import annotations

import sys
from typing import NoReturn

from zeke_jobs.core.redaction import redact
from zeke_jobs.core.terminal import visible

STATUS = 2


def refuse(error: Exception) -> NoReturn:
    """Print the error on standard error and not in the log: it is meant for the operator.

    Raises:
        SystemExit: always, with status 2.
    """
    has_places = bool(getattr(error, "diagnostics", ()))  # each then has a line of its own, with "error:" in it
    said = redact(str(error) if has_places else f"zeke_jobs: error: {error}")
    print(visible(said, lines=True), file=sys.stderr)  # noqa: T201 (without rich, which a worker does not need)
    sys.exit(STATUS)
