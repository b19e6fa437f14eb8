"""Worker processes of a system, started as its users start them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.lab.bench import server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).parents[3]
_GRACE = 20.0  # seconds to stop in


class Fleet:
    """Commands that run, with the processes they started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._commands: list[subprocess.Popen[bytes]] = []

    def run(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a command; the first word is a program beside this Python."""
        program = Path(sys.executable).parent / arguments[0]
        log = self.folder / f"{len(self._commands)}-{arguments[0]}.log"
        with log.open("ab") as output:
            command = subprocess.Popen(
                [str(program), *arguments[1:]],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._commands.append(command)

    def processes(self) -> list[psutil.Process]:
        """All processes of the fleet."""
        found = []
        for command in self._commands:
            try:
                parent = psutil.Process(command.pid)
                found += [parent, *parent.children(recursive=True)]
            except psutil.NoSuchProcess:
                continue
        return found

    def cpu(self) -> float:
        """Seconds of CPU used so far."""
        return server.cpu(self.processes())

    def check(self) -> None:
        """Raise RuntimeError, with the end of the log, when a command has ended by itself."""
        for command in self._commands:
            if command.poll() is not None:
                raise RuntimeError(f"expected workers that run, got exit status {command.returncode}\n{self.logs()}")

    def logs(self) -> str:
        """The ends of the logs."""
        return "\n".join(f"── {p.name}\n{p.read_text(errors='replace')[-3000:]}" for p in self.folder.glob("*.log"))

    def stop(self) -> None:
        """Send SIGTERM, and SIGKILL to processes that have not stopped in time."""
        for command in self._commands:
            if command.poll() is None:
                command.terminate()
        for command in self._commands:
            try:
                command.wait(_GRACE)
            except subprocess.TimeoutExpired:
                os.killpg(command.pid, signal.SIGKILL)
                command.wait()


@contextmanager
def fleet(folder: Path) -> Iterator[Fleet]:
    """Commands that end with the block."""
    folder.mkdir(exist_ok=True)
    started = Fleet(folder)
    try:
        yield started
    finally:
        started.stop()
