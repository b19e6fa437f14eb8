"""Ends processes that handlers left running, without waiting for their threads."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

from zeke_jobs.core.logs import get_logger

_GRACE = 1.0  # seconds from SIGTERM to SIGKILL
_LOOK = 0.02


def end_children() -> int:
    """End all processes below this one, even those that ignore SIGTERM; returns their number.

    It does not find processes outside this process's tree, such as daemons, and without /proc it finds none. These end with the
    container, the systemd unit or the process group of ``zeke-jobs up``.
    """
    found = _below(os.getpid())
    _signal(found, signal.SIGTERM)
    end = time.monotonic() + _GRACE
    while (left := found & _all().keys()) and time.monotonic() < end:
        time.sleep(_LOOK)
    # Include processes that were forked meanwhile.
    _signal(left | _below(os.getpid()), signal.SIGKILL)
    return len(found)


def end_within(seconds: float) -> None:
    """End this process and its children after so many seconds, even while its threads run.

    Without this, Python would wait at its end for each non-daemon thread, and multiprocessing for each child.
    """

    def end() -> None:
        time.sleep(seconds)
        get_logger("zeke_jobs.worker").warning("ended by force: something in this process did not end by itself")
        end_children()
        os._exit(0)

    threading.Thread(target=end, name="end", daemon=True).start()


#: A process: its id and its start time (clock ticks since boot), because ids are used again.
_Process = tuple[int, str]


def _all() -> dict[_Process, int]:
    """The running processes of this machine, each with its parent's id."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent, *rest = path.read_text(errors="replace").rpartition(")")[2].split()
            if state not in "ZX":
                found[int(path.parent.name), rest[17]] = int(parent)
    return found


def _below(pid: int) -> set[_Process]:
    parents = _all()
    found: set[_Process] = set()
    above = {pid}
    while above:
        new = {process for process, parent in parents.items() if parent in above} - found
        found |= new
        above = {child for child, _ in new}
    return found


def _signal(processes: set[_Process], number: signal.Signals) -> None:
    for pid, _ in processes & _all().keys():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
