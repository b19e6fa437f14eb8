"""The servers of a soak: sites, Engine and model as processes, and their cost."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from tests.fleet import ROOT, cpu_of

_GRACE = 30.0  # seconds to stop in


class Server:
    """One server process that said ``ready``."""

    def __init__(self, module: str, *arguments: object) -> None:
        command = [sys.executable, "-m", module, *map(str, arguments)]
        # The process has a session of its own, so that Ctrl-C reaches the soak alone. The soak then stops its processes.
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
