"""Progress of a running job: checked, and written at most once a second."""

from __future__ import annotations

import time

from zeke_jobs.core.redaction import redact
from zeke_jobs.payload import json_text

_EVERY = 1.0  # seconds


class Progress:
    """The progress of one job."""

    def __init__(self) -> None:
        self._due = 0.0

    def text(self, done: float, total: float | None, note: str) -> str | None:
        """The progress as JSON; None when the last one is less than a second old.

        Raises:
            TypeError: ``done`` or ``total`` is no number.
            UnfitForJson: a number is infinite, NaN or longer than 64 bits, or Postgres cannot store the note.
        """
        now = time.monotonic()
        if now < self._due:
            return None
        self._due = now + _EVERY
        for name, figure in (("done", done), ("total", total)):
            if not isinstance(figure, float | int) and not (figure is None and name == "total"):
                raise TypeError(f"expected {name} as a number, got {figure!r}")
        return json_text.encode({"done": done, "total": total, "note": redact(str(note))})
