"""Restart what runs when code or jobs.yaml change, but only after the new state was checked."""

from __future__ import annotations

import subprocess
import threading
from typing import TYPE_CHECKING

from zeke_jobs.core.logs import get_logger
from zeke_jobs.supervise.processes import program

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from zeke_jobs.supervise.supervisor import Supervisor
    from zeke_jobs.supervise.watch import Watch

_LOOK = 0.5  # seconds between two looks at the files


class Reloader:
    """Looks for changes and restarts the supervisor's commands when the changed state passes its checks.

    The checks run in processes of their own, because this one has the old code loaded.

    Args:
        supervisor: What to restart.
        write: Takes "check" and each line that the checks print.
        env: Environment of the checks.
        watch: What to look at; None to restart only when asked.
        checks: Commands that must succeed, in order.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        write: Callable[[str, str], None],
        env: Mapping[str, str],
        watch: Watch | None,
        checks: tuple[tuple[str, ...], ...] = (("zeke-jobs", "check"), ("zeke-jobs", "migrate")),
    ) -> None:
        self._supervisor = supervisor
        self._write = write
        self._env = dict(env)
        self._watch = watch
        self._checks = checks
        self._check: subprocess.Popen[str] | None = None
        self._asked = threading.Event()
        self._ended = threading.Event()
        self._log = get_logger("zeke_jobs.reload")

    def ask(self) -> None:
        """Check and restart at the next step. Safe in a signal handler."""
        self._asked.set()

    def run(self) -> None:
        """Look until ``end``; meant for a thread."""
        while not self._ended.wait(_LOOK):
            try:
                self.step()
            except Exception:  # noqa: BLE001 (a file that may not be read, no process left; it is logged each time)
                self._log.exception("could not look for changes; it is tried again")

    def end(self) -> None:
        """Make ``run`` return, and end the check that is under way: it may wait for a lock."""
        self._ended.set()
        if self._check is not None:
            self._check.terminate()

    def step(self) -> None:
        """Look once, and do what is due."""
        changed = self._watch.changed() if self._watch else []
        if not changed and not self._asked.is_set():
            return
        self._asked.clear()
        self._log.info("checking", changed=[path.name for path in changed[:5]])
        self._supervisor.hold()  # what is being restarted would read the change before it is checked
        if all(self._passes(check) for check in self._checks):
            self._log.info("restarting")
            self._supervisor.reload()
        elif self._supervisor.is_whole():
            self._log.error("refused; what was running goes on")
        else:
            self._log.error("refused; what is not running starts when a change passes")

    def _passes(self, check: tuple[str, ...]) -> bool:
        self._check = subprocess.Popen(  # noqa: S603 (our own commands)
            [*program(check[0]), *check[1:]],
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said, _ = self._check.communicate()
        if self._check.returncode:
            for line in said.splitlines():
                self._write("check", line)
        return self._check.returncode == 0
