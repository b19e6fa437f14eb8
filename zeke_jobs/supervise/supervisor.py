"""Keeps a few commands running: collects their output, restarts a command that crashes, and stops all in an orderly way."""

import math
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from zeke_jobs.core.environment import RESTART
from zeke_jobs.core.logs import get_logger
from zeke_jobs.supervise.guardian import Guardian, signal_group

CONFIGURATION = 2  # exit status of a command with a wrong configuration
_TICK = 0.2  # seconds between checks of the children
_BOOTED = 5.0  # seconds after which a process has read its configuration
_HEALTHY = 30.0  # seconds after which a start counts as a success and resets the backoff
_LONGEST_PAUSE = 30.0
_ONE_SIGNAL = 0.5  # seconds in which two signals count as one: timeout(1) and some services also signal the group


#: These arguments are for a command whose output is read as text.
PIPED: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
PIPED |= {"text": True, "errors": "replace"}


@dataclass(frozen=True)
class Command:
    """Describes a command to keep running. ``name`` precedes its output. Lines that match ``ignore`` are dropped."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] | None = None
    ignore: re.Pattern[str] | None = None


def pause(deaths: int) -> float:
    """Return the seconds before the restart of a command that died ``deaths`` times in a row: 0.5, 1, 2 … 30."""
    return float(min(_LONGEST_PAUSE, 0.5 * 2 ** max(0, deaths - 1)))


@dataclass
class _Child:
    command: Command
    process: subprocess.Popen[str] | None = None
    started: float = 0.0
    deaths: int = 0  # how often the process died since the last long run or reload
    has_run: bool = False  # whether a start since the last reload accepted the configuration
    start_at: float | None = 0.0  # None: do not start
    kill_at: float | None = None  # set when the process is asked to end
    reader: threading.Thread | None = None


@dataclass
class Supervisor:
    """Runs ``commands`` until ``stop`` is called.

    If a child process dies, its process group is ended, and the child is started again after ``pause``. If it exits
    with status 2 (wrong configuration) at its first start, all commands end instead. After ``stop``, each child's main
    process gets SIGTERM; ``grace`` seconds later, its group is killed. The group gets no SIGTERM, because Dramatiq's
    main process passes SIGTERM on to its workers, which stop at once on a second SIGTERM. If ``run`` itself fails, all
    children are killed. If the supervisor is killed, ``guardian`` ends the children.
    """

    commands: Sequence[Command]
    write: Callable[[str, str], None]  # gets a command's name and a line of its output, from a thread per command
    grace: float = 30.0  # seconds from SIGTERM to SIGKILL
    retries: bool = False  # whether a wrong configuration is tried again even at the first start; True after a reload
    guardian: Guardian | None = None  # gets the process ids after each start and end
    clock: Callable[[], float] = time.monotonic
    status: int = 0
    _children: list[_Child] = field(default_factory=list)
    _leftovers: dict[int, float] = field(default_factory=dict)  # process group → time to kill it
    _stopping: bool = False
    stops: int = 0  # number of calls of stop()
    _stopped: float = -math.inf  # time of the last call
    _reload: bool = False

    def __post_init__(self) -> None:
        self._children = [_Child(command) for command in self.commands]
        self._log = get_logger("zeke_jobs.supervisor")

    def run(self) -> int:
        """Run until ``stop`` is called (returns 0), or a command exits with status 2 at its first start (returns 2)."""
        try:
            while self.step():
                time.sleep(_TICK)
        finally:
            for pid in self.pids.values():
                signal_group(pid, signal.SIGKILL)
        for child in self._children:
            if child.reader is not None:
                child.reader.join(timeout=1.0)
        self._tell_guardian()
        return self.status

    def step(self) -> bool:
        """Do one round: obey requests; reap, start and kill processes. Returns False when all processes have ended."""
        now = self.clock()
        self._heed(now)
        for child in self._children:
            self._reap(child, now)
            if child.process is None:
                if child.start_at is not None and child.start_at <= now and not self._stopping:
                    self._start(child, now)
            elif child.kill_at is not None and child.kill_at <= now:
                early = "before its grace time was over: asked to stop again"
                when = early if self.stops > 1 else "after its grace time"
                self._log.warning(f"killed {when}", command=child.command.name)
                signal_group(child.process.pid, signal.SIGKILL)
                child.kill_at = None
        self._end_leftovers(now)
        return not self._stopping or bool(self._leftovers or self.pids)

    def stop(self) -> None:
        """Ask all children to end. A second call, at least 0.5 s later, kills them. A signal handler may call this."""
        now = self.clock()
        if now - self._stopped >= _ONE_SIGNAL:
            self.stops += 1
            self._stopped = now

    def reload(self) -> None:
        """End each child gracefully, and start the child's command again at once. A signal handler may call this method."""
        self._reload = True

    def _heed(self, now: float) -> None:
        if self.stops and not self._stopping:
            self._stopping = True
            said = f"processes that have not ended in {self.grace:g} s are killed, a second Ctrl-C kills them now"
            self._log.info(f"stopping; {said}")
            for child in self._children:
                self._terminate(child, now)
        elif self.stops > 1:
            for child in self._children:
                if child.kill_at is not None:
                    child.kill_at = now
        if self._reload and not self._stopping:
            self._reload, self.retries = False, True  # the operator is there, and can reload again
            for child in self._children:
                child.deaths, child.has_run, child.start_at = 0, False, now
                self._terminate(child, now)

    @property
    def pids(self) -> dict[str, int]:
        """Return the name and process id of each running child."""
        return {c.command.name: c.process.pid for c in self._children if c.process is not None}

    def _start(self, child: _Child, now: float) -> None:
        env = child.command.environment
        if child.has_run and child.deaths:
            env = {**(os.environ if env is None else env), RESTART: "1"}
        try:
            # The child has its own session: Ctrl-C reaches only the supervisor, which signals the child's main process.
            child.process = subprocess.Popen(child.command.argv, env=env, start_new_session=True, **PIPED)  # noqa: S603
        except OSError as error:  # out of memory or processes, or no such program
            event = f"cannot be started, tried again in {self._again(child, now):g} s"
            self._log.error(event, command=child.command.name, error=str(error))
            return
        self._tell_guardian()
        child.started, child.start_at, child.kill_at = now, None, None
        child.reader = threading.Thread(target=self._forward, args=(child.command, child.process), daemon=True)
        child.reader.start()

    def _forward(self, command: Command, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                if command.ignore is None or not command.ignore.search(line):
                    with suppress(OSError):  # the output is closed; read on, or the command would block
                        self.write(command.name, line.rstrip("\n"))

    def _terminate(self, child: _Child, now: float) -> None:
        if child.process is not None:
            child.process.terminate()
            child.kill_at = now + self.grace

    def _reap(self, child: _Child, now: float) -> None:
        if child.process is None or (code := child.process.poll()) is None:
            return
        asked = child.start_at is not None or self._stopping
        if signal_group(child.process.pid, signal.SIGTERM):
            self._leftovers[child.process.pid] = now + self.grace
        child.process, child.kill_at = None, None
        self._tell_guardian()  # another process may get this process id
        if asked:
            return
        child.has_run |= code != CONFIGURATION and now - child.started >= _BOOTED
        told = self._log.bind(command=child.command.name)
        if code == CONFIGURATION and not (child.has_run or self.retries):
            told.error("refused its configuration; stopping")
            self.status = CONFIGURATION
            self.stop()
            return
        child.deaths = 0 if now - child.started >= _HEALTHY else child.deaths
        seconds = self._again(child, now)
        if code == CONFIGURATION:
            told.error(f"refused its configuration, tried again in {seconds:g} s")
        else:
            told.warning(f"ended, starts again in {seconds:g} s", status=code)

    def _again(self, child: _Child, now: float) -> float:
        child.deaths += 1
        seconds = pause(child.deaths)
        child.start_at = now + seconds
        return seconds

    def _end_leftovers(self, now: float) -> None:
        for group, kill_at in list(self._leftovers.items()):
            if kill_at <= now:
                signal_group(group, signal.SIGKILL)
            if kill_at <= now or not signal_group(group, 0):
                del self._leftovers[group]
                self._tell_guardian()

    def _tell_guardian(self) -> None:
        if self.guardian is not None:
            self.guardian.tell([*self.pids.values(), *self._leftovers])
