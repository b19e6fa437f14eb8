"""Boots a worker process in its own thread, so that signals and log lines work while it waits for a database or a lock."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable

from zeke_jobs.core.logs import get_logger, refuse
from zeke_jobs.errors import ConfigurationError, MigrationError

_AGAIN = 1.0  # seconds between attempts to reach the database
_PATIENCE = 2.0  # seconds that dramatiq waits for a boot; meanwhile log lines and signals do not work
_TICK = 0.05
_LAST_MOMENT = 1.0  # seconds that a stop waits for a running boot


class Boot:
    """One boot, in a thread of its own. If the boot is refused, the process ends with status 2.

    Dramatiq's main process waits for its workers' boot with signals blocked and their log unread. If a boot takes long, ``begin``
    therefore lets dramatiq go on; the process claims nothing before it has booted.
    ``attempt`` returns False when the database is away.
    """

    def __init__(self, attempt: Callable[[], bool], is_stopping: Callable[[], bool]) -> None:
        self._attempt = attempt
        self._is_stopping = is_stopping
        self._is_away = False
        self._goes_on = False  # dramatiq no longer waits for us
        self._refusal: SystemExit | None = None
        self._thread = threading.Thread(target=self._run, name="boot", daemon=True)

    def begin(self) -> None:
        """Boot; return when it is done or takes longer than dramatiq should wait."""
        self._thread.start()
        end = time.monotonic() + _PATIENCE
        while self._thread.is_alive() and not (self._is_away or self._is_stopping() or time.monotonic() > end):
            self._thread.join(_TICK)
        self._goes_on = True
        if self._refusal is not None:
            raise self._refusal

    def end(self) -> None:
        """Wait a moment for a running boot. If it waits for a lock or the network, it ends with the process."""
        self._thread.join(_LAST_MOMENT)
        if self._refusal is not None:
            raise self._refusal

    def _run(self) -> None:
        try:
            while not (self._is_stopping() or guarded(self._attempt)):
                self._is_away = True
                time.sleep(_AGAIN)
        except SystemExit as refusal:
            self._refusal = refusal
            if self._goes_on:
                os.kill(os.getpid(), signal.SIGTERM)  # makes dramatiq stop its threads and call ``end``


def guarded(step: Callable[[], bool]) -> bool:
    """Run a step of the boot. Dramatiq would log its exception and run on without us.

    Raises:
        SystemExit: the step failed: status 2 for a wrong configuration, 3 for a fault in zeke_jobs.
    """
    try:
        return step()
    except (ConfigurationError, MigrationError) as error:
        refuse(error)
    except Exception:  # noqa: BLE001 (logged, and the process ends)
        get_logger("zeke_jobs.worker").exception("could not start; please report this")
        sys.exit(3)
