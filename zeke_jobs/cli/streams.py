"""Standard output and error that a reader may close, as `head` does, or that a full disk may refuse."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast


class Stream:
    """A stream whose first failed write sends all that follows to nowhere, so that the command ends with its own status.

    Attributes:
        refusal: The system's words if the output is full or broken; empty while it works, and when its reader has closed it.
    """

    def __init__(self, stream: TextIO) -> None:
        self.refusal = ""
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text."""
        self._try(self._stream.write, text)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        self._try(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _try(self, write: Callable[..., object], *arguments: str) -> None:
        try:
            write(*arguments)
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                self.refusal = error.strerror or str(error)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


@contextmanager
def forgiving() -> Iterator[Stream]:
    """Make standard output, which is returned, and standard error such streams for a block."""
    before = sys.stdout, sys.stderr
    out = Stream(sys.stdout)
    sys.stdout, sys.stderr = cast("TextIO", out), cast("TextIO", Stream(sys.stderr))
    try:
        yield out
    finally:
        sys.stderr.flush()
        sys.stdout, sys.stderr = before
