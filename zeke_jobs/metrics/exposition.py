"""Serves the metrics of all worker processes of one ``dramatiq`` command, from the files in which they count."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from zeke_jobs.core import environment, logs

_PREFIX = "zeke-jobs-metrics-"


def folder() -> Path:
    """Folder of the counter files of this command's workers; its name has their parent's id, so that no two commands share it."""
    return Path(tempfile.gettempdir()) / f"{_PREFIX}{os.getuid()}-{os.getppid()}"


def prepare() -> Path:
    """Make the folder, closed to other users, and remove the folders of commands that have ended."""
    ours = folder()
    for other in ours.parent.glob(f"{_PREFIX}{os.getuid()}-*"):
        if other != ours and not lives(int(other.name.rpartition("-")[2])):
            shutil.rmtree(other, ignore_errors=True)  # two workers may remove the same folder
    ours.mkdir(mode=0o700, exist_ok=True)
    if ours.stat().st_uid != os.getuid():
        raise PermissionError(f"expected {ours} to be ours, got one of another user; remove it")
    return ours


def run() -> int:
    """Serve until SIGTERM. Dramatiq runs this in a process beside the workers, and turns the signal into SystemExit."""
    from prometheus_client import CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    logs.configure()
    address = environment.metrics_address()
    assert address is not None  # without an address this process is not started
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder()))  # type: ignore[no-untyped-call]
    try:
        serve(registry, address)
    except OSError as error:
        said = {"address": str(address), "error": str(error)}
        logs.get_logger("zeke_jobs.metrics").error("metrics are not served; the workers run on", **said)
        return 1
    return 0


def serve(registry: Any, address: environment.Address) -> None:
    """Serve metrics at ``/metrics`` until a signal ends the wait. Raises OSError if the address is not available."""
    from prometheus_client import start_http_server

    server, thread = start_http_server(address.port, address.host, registry=registry)
    logs.get_logger("zeke_jobs.metrics").info("serving metrics", address=str(address))
    try:
        thread.join()
    finally:
        server.shutdown()
        server.server_close()


def lives(pid: int) -> bool:
    """Whether a process of this machine lives."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
