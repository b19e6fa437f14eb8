"""Starts a command line again as soon as it has ended, as systemd does with Restart=always."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from tests.fleet import Command

_LOOK = 0.05  # seconds
_PAUSE = 0.1  # seconds from an end to the next start, as systemd has it


@dataclass
class Kept:
    """A command line that is kept running. ``starts`` counts how often it was started."""

    begin: Callable[[], Command]
    command: Command = field(init=False)
    wanted: bool = True
    starts: int = 1

    def __post_init__(self) -> None:
        self.command = self.begin()

    def pids(self) -> list[int]:
        """Of its processes."""
        with suppress(psutil.NoSuchProcess):
            main = psutil.Process(self.command.pid)
            return [main.pid, *(child.pid for child in main.children(recursive=True))]
        return []


class Keeper:
    """Keeps command lines running in a thread of its own."""

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
        """Keep it no longer; it runs on until somebody ends it."""
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
                    kept.command.kill()  # what an orphaned process of it would go on with
                with self._lock:
                    if kept.wanted and not self._stopping.is_set():
                        kept.command = kept.begin()
                        kept.starts += 1
