"""The process that reads strangers' bytes for a worker: it forks readers, and the kernel ends a reader at its limits.

``actors.engine.readers.pool`` starts it with a socket, over which it receives one end of a socket for each reader. It has one
thread, so that it may fork, and its readers share its imports. It ends, with all readers, when the worker ends.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import resource
import select
import signal
import socket
import sys
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

Operation = Callable[..., bytes]

_PAGE = resource.getpagesize()
_NEARLY = 0.9
_MIB = 1024 * 1024


class Limits(NamedTuple):
    """The bounds of one reading.

    Attributes:
        cpu: Seconds of CPU.
        wall: Seconds on the clock.
        memory: Bytes of address space of a reader.
        answer: Bytes of the answer.
        growth: Bytes by which a reader may grow; after more, another replaces it when it has answered.
    """

    cpu: int = 10
    wall: int = 60
    memory: int = 512 * _MIB
    answer: int = 32 * _MIB
    growth: int = 24 * _MIB


def joined(head: Mapping[str, Any], body: bytes = b"") -> bytes:
    """A message between a worker and a reader: a JSON object on a line, and bytes behind it."""
    return json.dumps(head).encode() + b"\n" + body


def parted(message: bytes) -> tuple[dict[str, Any], bytes]:
    """The object and the bytes of a message."""
    head, _, body = message.partition(b"\n")
    return json.loads(head), body


class _Server:
    """Forks a reader for each socket that it receives over ``control``, until the worker closes its end."""

    def __init__(self, operations: Mapping[str, Operation], limits: Limits, control: socket.socket) -> None:
        self._operations = operations
        self._limits = limits
        self._control = control
        self._readers: dict[int, Connection] = {}
        self._ended, self._waker = socket.socketpair()
        self._poll = select.poll()

    def run(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # the worker may still have jobs to finish; this process ends with it
        for sock in (self._ended, self._waker):
            sock.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._poll.register(self._control, select.POLLIN)
        self._poll.register(self._ended, select.POLLIN)
        gc.collect()
        gc.freeze()
        while self._round():
            pass
        signal.set_wakeup_fd(-1)
        for pid in self._readers:
            os.kill(pid, signal.SIGKILL)

    def _round(self) -> bool:
        events = {number for number, _ in self._poll.poll()}
        # First the readers that the worker has closed, before their descriptors are used again.
        for pid, sock in self._readers.items():
            if sock.fileno() in events:
                self._poll.unregister(sock)
                os.kill(pid, signal.SIGKILL)
        if self._ended.fileno() in events:
            with suppress(BlockingIOError):
                self._ended.recv(4096)
            self._reap()
        if self._control.fileno() in events:
            _, given, _, _ = socket.recv_fds(self._control, 1, 1)
            if not given:
                return False
            self._fork(Connection(given[0]))
        return True

    def _fork(self, sock: Connection) -> None:
        try:
            pid = os.fork()
        except OSError:  # no process or memory is left; the worker notices the closed socket
            sock.close()
            return
        if not pid:
            signal.set_wakeup_fd(-1)
            for other in (self._control, self._ended, self._waker):
                other.close()
            for reader in self._readers.values():
                reader.close()
            _be_reader(self._operations, self._limits, sock)
        self._readers[pid] = sock
        self._poll.register(sock, 0)  # reports only that the worker has closed its end

    def _reap(self) -> None:
        while self._readers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            sock = self._readers.pop(pid)
            with suppress(KeyError):  # removed before
                self._poll.unregister(sock)
            if status:
                os.set_blocking(sock.fileno(), False)
                with suppress(OSError):
                    sock.send_bytes(joined({"died": os.waitstatus_to_exitcode(status)}))
            sock.close()


def _be_reader(operations: Mapping[str, Operation], limits: Limits, sock: Connection) -> None:
    """Answer one question after another, until the worker closes the socket or this process has grown too much; never return."""
    try:
        for number in (signal.SIGCHLD, signal.SIGALRM, signal.SIGPROF):
            signal.signal(number, signal.SIG_DFL)
        _confine(limits)
        born = _own_memory()
        sock.send_bytes(joined({"ready": os.getpid()}))
        is_last = False
        while not is_last:
            head, body = parted(sock.recv_bytes())
            _arm(limits.cpu, limits.wall)
            answer, found = _answer(operations, limits, head, body)
            _arm(0, 0)
            is_last = "exceeded" in answer or _own_memory() - born > limits.growth
            sock.send_bytes(joined({**answer, "last": is_last}, found))
    except (OSError, EOFError):
        pass  # the worker has closed the socket
    except BaseException:  # noqa: BLE001 (a reader must not come back as a second server)
        os._exit(70)
    os._exit(0)


def _answer(
    operations: Mapping[str, Operation], limits: Limits, head: dict[str, Any], body: bytes
) -> tuple[dict[str, Any], bytes]:
    from actors.engine.contract import EngineError

    answer: dict[str, Any] = {}
    found = b""
    try:
        found = operations[head.pop("operation")](body, **head)
    except EngineError as error:
        answer = {"code": error.code, "message": str(error)}
    except MemoryError:
        answer = {"exceeded": "memory"}
    except Exception as error:  # noqa: BLE001 (of any type: the libraries were not written for hostile bytes)
        answer = {"failed": f"{type(error).__name__}: {error}"[:200]}
    # A library may report a failed allocation as a fault of the page.
    if _peak() > limits.memory * _NEARLY:
        answer = {"exceeded": "memory"}
    elif len(found) > limits.answer:
        answer = {"exceeded": "text"}
    return answer, b"" if answer else found


def _confine(limits: Limits) -> None:
    with suppress(OSError, ValueError):  # only Linux has it
        resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(
            "1000", encoding="ascii"
        )  # the kernel should end this process before the worker


def _arm(cpu: int, wall: int) -> None:
    """Let the kernel end this process after some seconds, of CPU or on the clock; 0 for never.

    By timers, which begin now. RLIMIT_CPU is counted from the birth, by ticks of the clock: after a minute and a half of work,
    Linux took a reader for 10 s older than ``getrusage`` did.
    """
    signal.setitimer(signal.ITIMER_PROF, cpu)
    signal.setitimer(signal.ITIMER_REAL, wall)


def _own_memory() -> int:
    """Bytes of memory that belong to no file; 0 if the system does not tell."""
    try:
        _, resident, shared, *_ = map(int, Path("/proc/self/statm").read_bytes().split())
    except OSError:
        return 0
    return (resident - shared) * _PAGE


def _peak() -> int:
    """The highest number of bytes of address space so far; 0 if the system does not tell."""
    try:
        status = Path("/proc/self/status").read_bytes()
    except OSError:
        return 0
    return int(status.partition(b"VmPeak:")[2].split(maxsplit=1)[0]) * 1024


def main() -> None:
    """Serve the ``OPERATIONS`` of the module in the first argument, within the limits in the second."""
    logging.disable()
    warnings.simplefilter("ignore")
    module = import_module(sys.argv[1])
    module.warm_up()
    _Server(module.OPERATIONS, Limits(*json.loads(sys.argv[2])), socket.socket(fileno=0)).run()


if __name__ == "__main__":
    main()
