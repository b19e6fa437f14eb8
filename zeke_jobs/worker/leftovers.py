"""Ends the child processes that handlers left running."""

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

from zeke_jobs.core.logs import get_logger

_GRACE = 1.0  # seconds from SIGTERM to SIGKILL
_LOOK = 0.02  # seconds between checks


def end_children() -> int:
    """End all descendants of this process, even if they ignore SIGTERM. Returns the number of descendants.

    Without /proc, none is found. The container, systemd or ``zeke-jobs up`` then has to end them.
    """
    found = _below(os.getpid())
    _signal(found, signal.SIGTERM)
    end = time.monotonic() + _GRACE
    while (left := found & _all().keys()) and time.monotonic() < end:
        time.sleep(_LOOK)
    _signal(left | _below(os.getpid()), signal.SIGKILL)  # also processes that were forked after the first signal
    return len(found)


def end_within(seconds: float) -> None:
    """End this process and its descendants after ``seconds``. Otherwise Python would wait for non-daemon threads."""

    def end() -> None:
        time.sleep(seconds)
        get_logger("zeke_jobs.worker").warning("ended by force: something in this process did not end by itself")
        end_children()
        os._exit(0)

    threading.Thread(target=end, name="end", daemon=True).start()


def _all() -> dict[int, int]:
    """Return the running processes of this machine, each with the id of its parent."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent, *_ = path.read_text(errors="replace").rpartition(")")[2].split()
            if state not in "ZX":
                found[int(path.parent.name)] = int(parent)
    return found


def _below(pid: int) -> set[int]:
    parents = _all()
    found: set[int] = set()
    above = {pid}
    while above := {process for process, parent in parents.items() if parent in above} - found:
        found |= above
    return found


def _signal(processes: set[int], number: signal.Signals) -> None:
    for pid in processes:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
