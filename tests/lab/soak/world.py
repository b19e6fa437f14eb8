"""The processes of a soak: sites, Engine, model and workers, and their cost."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
_GRACE = 30.0  # seconds to stop in


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


class Server:
    """One server process that said ``ready``."""

    def __init__(self, module: str, *arguments: object) -> None:
        command = [sys.executable, "-m", module, *map(str, arguments)]
        # A session of its own: Ctrl-C is for the soak alone, which then stops what it started.
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert self.process.stdout is not None
        if self.process.stdout.readline() != "ready\n":
            self.process.kill()
            raise RuntimeError(f"expected {module} to get ready, got its end")

    def cpu(self) -> float:
        """Seconds of CPU used so far."""
        return cpu_of(psutil.Process(self.process.pid))

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that is not enough."""
        self.process.terminate()
        try:
            self.process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def server(module: str, *arguments: object) -> Iterator[Server]:
    """A server for the length of the block."""
    started = Server(module, *arguments)
    try:
        yield started
    finally:
        started.stop()


def counts(base: str) -> dict[str, Any]:
    """The counts of one of our servers."""
    with urllib.request.urlopen(f"{base}/counts", timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


class Workers:
    """``dramatiq zeke_jobs.actors``, killed and started again; ``cpu`` counts those that were killed too."""

    def __init__(self, folder: Path, url: str, processes: int, threads: int) -> None:
        self._folder = folder
        self._environment = {
            **os.environ,
            "DATABASE_URL": url,
            "ZEKE_JOBS_CONFIG": str(folder / "jobs.yaml"),
            "PYTHONPATH": str(ROOT),
            "ZEKE_JOBS_HEARTBEAT": "0.5",
        }
        self._size = ("-p", str(processes), "-t", str(threads))
        self._spent = 0.0
        self.kills = 0
        self.start()

    def start(self) -> None:
        """Start the command."""
        program = str(Path(sys.executable).parent / "dramatiq")
        with (self._folder / "workers.log").open("ab") as log:
            self._command = subprocess.Popen(
                [program, "zeke_jobs.actors", *self._size],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL all of them in the middle of their work, and start anew."""
        self._end(signal.SIGKILL)
        self.kills += 1
        self.start()

    def stop(self) -> None:
        """As a supervisor stops them."""
        if self._command.poll() is None:
            self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        self._spent += self._now()
        if number is signal.SIGKILL:
            os.killpg(self._command.pid, number)
        else:
            self._command.send_signal(number)
        try:
            self._command.wait(_GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(self._command.pid, signal.SIGKILL)
            raise

    def check(self) -> None:
        """Raise RuntimeError when the command has ended by itself."""
        if self._command.poll() is not None:
            raise RuntimeError(f"expected workers that run, got exit status {self._command.returncode}\n{self.log()}")

    def log(self) -> str:
        """The end of the log."""
        return (self._folder / "workers.log").read_text(errors="replace")[-4000:]

    def cpu(self) -> float:
        """Seconds of CPU that all worker processes used so far, boots included."""
        return self._spent + (self._now() if self._command.poll() is None else 0.0)

    def _now(self) -> float:
        return cpu_of(psutil.Process(self._command.pid))


def cpu_of(parent: psutil.Process) -> float:
    """Seconds of CPU that a process used, and all processes below it: those that parse, and those that have ended."""
    total = 0.0
    for process in [parent, *parent.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:4])  # its own, and of the children that have ended
    return total
