"""Ends the processes of a supervisor that was killed. A small process waits until the supervisor's pipe closes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

_LOOK = 0.1  # seconds between checks of processes that are ending


class Guardian:
    """Starts the guardian. ``grace``: seconds from SIGTERM to SIGKILL. ``then``: a command to run at the end."""

    def __init__(self, grace: float, then: Sequence[str] = ()) -> None:
        argv = [sys.executable, "-m", __name__, str(grace), *then]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, text=True, start_new_session=True)  # noqa: S603
        assert self._process.stdin is not None
        self._pipe = self._process.stdin

    def tell(self, pids: list[int]) -> None:
        """Send the guardian the ids of the supervisor's running child processes. Each child leads its process group."""
        with suppress(OSError):  # the guardian was killed
            self._pipe.write(json.dumps(pids) + "\n")
            self._pipe.flush()

    def dismiss(self) -> None:
        """Tell the guardian that all child processes have ended in an orderly way."""
        with suppress(OSError):
            self._pipe.write("[]\ndismissed\n")
            self._pipe.close()
        self._process.wait()


def watch(pipe: IO[str], grace: float, then: Sequence[str]) -> None:
    """Read ids of processes until the pipe closes. When the pipe closes, end the processes, and run the command ``then``."""
    pids: list[int] = []
    for line in pipe:
        if line == "dismissed\n":
            return
        pids = json.loads(line)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)  # only the main process gets the signal; see ``Supervisor``
    end = time.monotonic() + grace
    while (left := [pid for pid in pids if signal_group(pid, 0)]) and time.monotonic() < end:
        time.sleep(_LOOK)
    for pid in left:
        signal_group(pid, signal.SIGKILL)
    if then:
        subprocess.run(then, check=False)  # noqa: S603 (the command comes from the supervisor)


def signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group. Returns False if the group has no process left."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS raises PermissionError for a group of zombies
        return False
    return True


if __name__ == "__main__":
    # Ignore the signals of Ctrl-C, a closed terminal and a service manager: the supervisor ends its processes on them.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watch(sys.stdin, float(sys.argv[1]), sys.argv[2:])
