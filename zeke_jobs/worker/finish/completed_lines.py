"""Logs a line for each completed job, for a person who watches; if there are many, only their number."""

import time
from collections.abc import Callable
from datetime import timedelta

from zeke_jobs.core.logs import get_logger, is_json
from zeke_jobs.core.redaction import redact
from zeke_jobs.core.wording import one_line, span
from zeke_jobs.worker.claim.claims import Claim
from zeke_jobs.worker.finish.outcome import Outcome

_MOST = 10  # lines a second; nobody reads more, and each one takes time from the worker
_OUTPUT = 60  # characters
_SHORT_ID = 8  # characters from the end, because ids made at the same time begin alike


class CompletedLines:
    """Logs a line for each completed job, only in the readable log format: machines use sums and metrics."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._second = 0
        self._left = _MOST
        self._is_on: bool | None = None  # set when the first job ends, because the log is configured by then
        self._log = get_logger("zeke_jobs.job")

    def log(self, claim: Claim, outcome: Outcome) -> bool:
        """Log the line. False in the format for machines, and when ten lines were logged in this second already."""
        if self._is_on is None:
            self._is_on = not is_json()
        if not self._is_on:
            return False
        second = int(self._clock())
        if second != self._second:
            self._second, self._left = second, _MOST
        if not self._left:
            return False
        self._left -= 1
        took = "" if claim.took is None else f" in {span(timedelta(seconds=claim.took - (claim.after or 0.0)))}"
        # Hide an output that may quote a sensitive field. Only the database knows how to mask it.
        shown = "" if claim.sensitive or outcome.output == "null" else f": {one_line(redact(outcome.output), _OUTPUT)}"
        self._log.info(f"{claim.task} {str(claim.id)[-_SHORT_ID:]} completed{took}{shown}")
        return True
