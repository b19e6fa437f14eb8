"""Runs reader processes that parse untrusted bytes. A page that crashes its reader does not harm the worker."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from multiprocessing import Pipe
from signal import Signals
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from actors.engine.contract import EngineError
from actors.engine.readers.server import Limits, joined, parted
from zeke_jobs.core.environment import lookup

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

READERS = 2  # readers of a worker process
_LIMITS = Limits()
_START = 60.0  # seconds to import the code on a busy machine
_GRACE = 5.0  # seconds for the kernel to end a reader at its limit
_LARGEST_HEAD = 1024 * 1024
_SLICE = 0.5  # seconds of one wait, so that a job can be interrupted
_KEPT = ("PATH", "LD_LIBRARY_PATH", "PYTHONHOME", "LANG", "LC_ALL", "TMPDIR")


class Readers:
    """Keeps up to ``most`` reader processes, which run the ``OPERATIONS`` of a module, and replaces a process that ends."""

    def __init__(self, module: str, limits: Limits = _LIMITS, most: int = READERS) -> None:
        self._module, self._limits, self._most = module, limits, most
        self._begin()

    def _begin(self) -> None:
        self._changed = threading.Condition()
        self._idle: list[Connection] = []
        # The references are weak, so that a reader that no code holds any more does not count towards ``most``.
        self._all: WeakSet[Connection] = WeakSet()
        self._server: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def ask(self, operation: str, body: bytes, *, about: str, **arguments: Any) -> bytes:
        """Let a reader run ``operation`` on ``body``, and return the reader's answer. ``about`` names the body in messages.

        The call fails at once if the reader exceeds its limit of CPU time, memory or size of the answer. If the reader
        dies for another reason, for example after too much wall-clock time, another reader tries once more.

        Raises:
            EngineError: the operation raised it, the body is ``unreadable``, or no reader can run (``engine_failed``).
        """
        question = joined({"operation": operation, **arguments}, body)
        answer, found = self._once(question)
        if answer.get("died", -Signals.SIGPROF) != -Signals.SIGPROF:
            answer, found = self._once(question, is_fresh=True)
        if answer.keys() == {"last"}:
            return found
        if "code" in answer:
            raise EngineError(answer["code"], str(answer.get("message")))
        died = answer.get("died", 0)
        if died in (None, -Signals.SIGKILL):
            why = "its reader was killed twice, by nothing of its own, as where memory is short"
            raise EngineError("engine_failed", f"{about} is not read: {why}")
        why = answer.get("failed") or f"it takes too much {answer.get('exceeded')}"
        if died == -Signals.SIGPROF:
            why = f"it takes more than {self._limits.cpu} s of CPU"
        elif died:
            why = f"it ended two readers ({Signals(-died).name if died < 0 else f'status {died}'})"
        raise EngineError("unreadable", f"{about} cannot be read: {why}")

    def _once(self, question: bytes, *, is_fresh: bool = False) -> tuple[dict[str, Any], bytes]:
        """Return the answer. ``died`` in it says how the reader died, as ``Popen.returncode``, or is None (unknown)."""
        reader, is_kept = self._reader(is_fresh=is_fresh), False
        try:
            reader.send_bytes(question)
            answer, found = _received(reader, self._limits.wall + _GRACE, self._limits.answer + _LARGEST_HEAD)
            is_kept = answer.get("last") is False
        except (OSError, EOFError, ValueError):
            return {"died": None}, b""
        finally:
            with self._changed:
                if is_kept:
                    self._idle.append(reader)
                else:
                    reader.close()
                    self._all.discard(reader)
                self._changed.notify()
        return answer, found

    def _reader(self, *, is_fresh: bool) -> Connection:
        """Return an idle reader, or a new reader."""
        with self._changed:
            while not self._idle and len(self._all) >= self._most:
                self._changed.wait(_SLICE)
            if self._idle and not is_fresh:
                return self._idle.pop()
            if self._idle:
                self._all.discard(old := self._idle.pop())
                old.close()
            ours, theirs = Pipe()
            self._all.add(ours)
        try:
            with theirs, self._changed:
                socket.send_fds(self._running(), [b"+"], [theirs.fileno()])
            if "ready" not in _received(ours, _START, _LARGEST_HEAD)[0]:
                raise EOFError("one was killed as it started")  # noqa: TRY301 (handled below, with the other errors)
        except (OSError, EOFError, ValueError) as error:
            with self._changed:
                self._stop()
                self._all.discard(ours)
            reason = f"no process that reads pages can be started: {str(error) or type(error).__name__}"
            raise EngineError("engine_failed", reason, is_away=True) from error
        return ours

    def _running(self) -> socket.socket:
        """Return the socket to the readers' server, which starts on first use."""
        if self._server is not None and self._server.poll() is not None:
            self._stop()
        if self._control is None:
            ours, theirs = socket.socketpair()
            with theirs:
                # Readers get no keys, tokens or URLs. numpy gets one thread; more would fill a reader's address space.
                kept = {name: value for name in _KEPT if (value := lookup(name)) is not None}
                paths = map(os.path.abspath, sys.path)
                served = ("actors.engine.readers.server", self._module, json.dumps(self._limits))
                self._server = subprocess.Popen(  # noqa: S603 (our own module)
                    [sys.executable, "-P", "-m", *served],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    env={**kept, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)},
                    process_group=0,  # Ctrl-C is only for the worker
                )
            self._control = ours
        return self._control

    def _stop(self) -> None:
        if self._control is not None and self._server is not None:
            self._control.close()
            self._server.kill()
            self._server.wait()
        self._control = self._server = None

    def close(self) -> None:
        """End all readers."""
        with self._changed:
            for reader in self._idle:
                reader.close()
            self._idle.clear()
            self._stop()

    def forget(self) -> None:
        """In a process forked from the worker, drop all readers, because the worker still uses them."""
        for sock in (*self._idle, self._control):
            if sock is not None:
                sock.close()
        self._begin()


def _received(reader: Connection, patience: float, largest: int) -> tuple[dict[str, Any], bytes]:
    end = time.monotonic() + patience
    while not reader.poll(_SLICE):
        if time.monotonic() > end:
            raise TimeoutError
    return parted(reader.recv_bytes(largest))
