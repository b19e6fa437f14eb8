"""A keeper restarts a command line as soon as it has ended, as systemd does with Restart=always."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from tests.fleet import Command

_LOOK = 0.05  # The keeper checks the commands every _LOOK seconds.
_PAUSE = 0.1  # A start comes _PAUSE seconds after an end, as with systemd.


@dataclass
class Kept:
    """A keeper keeps the command line running, and ``starts`` counts the starts."""

    begin: Callable[[], Command]
    command: Command = field(init=False)
    wanted: bool = True
    starts: int = 1

    def __post_init__(self) -> None:
        self.command = self.begin()

    def pids(self) -> list[int]:
        """Return the ids of the command's processes."""
        with suppress(psutil.NoSuchProcess):
            main = psutil.Process(self.command.pid)
            return [main.pid, *(child.pid for child in main.children(recursive=True))]
        return []


class Keeper:
    """The keeper runs in a thread, and keeps command lines running."""

    def __init__(self) -> None:
        self.kept: list[Kept] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._thread.start()

    def keep(self, begin: Callable[[], Command]) -> Kept:
        kept = Kept(begin)
        with self._lock:
            self.kept.append(kept)
        return kept

    def release(self, kept: Kept) -> None:
        """Stop restarting the command, without ending it."""
        with self._lock:
            kept.wanted = False

    def close(self) -> None:
        self._stopping.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK):
            with self._lock:
                ended = [kept for kept in self.kept if kept.wanted and kept.command.process.poll() is not None]
            for kept in ended:
                time.sleep(_PAUSE)
                with suppress(ProcessLookupError):
                    kept.command.kill()  # The kill also ends orphaned processes of the command.
                with self._lock:
                    if kept.wanted and not self._stopping.is_set():
                        kept.command = kept.begin()
                        kept.starts += 1
