"""Turns a worker's standard output and standard error into lines of its log."""

import logging
import threading
from collections.abc import Iterable
from typing import Any, TextIO

from structlog.contextvars import get_contextvars

from zeke_jobs.core.logs import get_logger
from zeke_jobs.core.redaction import redact


class Printed:
    """A standard stream whose lines go to the log: they name their job, are masked, and are stored with the job.

    As ``stdout`` it logs at level info; as ``stderr`` at warning, and only what a job writes. All else goes to ``stream``.
    """

    def __init__(self, stream: TextIO, name: str = "stdout") -> None:
        self._stream = stream
        self._name = name
        self._level = logging.WARNING if name == "stderr" else logging.INFO
        self._begun = threading.local()  # the thread's unfinished line, and whether the thread is logging a line

    def write(self, text: str) -> int:
        """Log the lines that ``text`` ends; keep the rest for the next call."""
        is_logging = getattr(self._begun, "is_logging", False)  # the log reports its own faults on standard error
        if is_logging or (self._name == "stderr" and "job_id" not in get_contextvars()):
            self._stream.write(redact(text))
            return len(text)
        *lines, rest = (getattr(self._begun, "text", "") + text).split("\n")
        self._begun.text = rest[:-1].rpartition("\r")[2] + rest[-1:]  # a progress bar writes over its line
        self._begun.is_logging = True
        try:
            for line in filter(str.strip, lines):
                get_logger(self._name).log(self._level, line)
        finally:
            self._begun.is_logging = False
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each line."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
