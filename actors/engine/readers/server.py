"""Forks the readers of a worker: processes that parse untrusted bytes. The kernel enforces the limits of a reader.

For each new reader, the worker's pool sends the server one end of a socket. The server has only one thread, so that
forking is safe. It imports all libraries once for all readers. The server ends when the worker ends.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import resource
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
_NEARLY = 0.9
_MIB = 1024 * 1024


class Limits(NamedTuple):
    """Holds the limits of one reading, in seconds and bytes."""

    cpu: float = 10
    wall: int = 60
    memory: int = 512 * _MIB  # bytes of a reader's address space
    answer: int = 32 * _MIB
    growth: int = 64 * _MIB  # bytes; a reader that grew more is replaced after its answer


def joined(head: Mapping[str, Any], body: bytes = b"") -> bytes:
    """Return a message between a worker and a reader: a JSON object on one line, then bytes."""
    return json.dumps(head).encode() + b"\n" + body


def parted(message: bytes) -> tuple[dict[str, Any], bytes]:
    """Split a message into its JSON object and the bytes after it."""
    head, _, body = message.partition(b"\n")
    return json.loads(head), body


def _serve(operations: Mapping[str, Operation], limits: Limits, control: socket.socket) -> None:
    """For each socket that the worker sends, fork a process that starts one reader. End when the worker disconnects."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # this process ends with the worker
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # this prevents zombies
    gc.collect()
    gc.freeze()
    while given := socket.recv_fds(control, 1, 1)[1]:
        with Connection(given[0]) as sock:
            if not os.fork():
                control.close()
                _keep(operations, limits, sock)


def _keep(operations: Mapping[str, Operation], limits: Limits, sock: Connection) -> None:
    """Fork a reader, wait until it ends, report a failure's exit code to the worker, and end this process."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        reader = os.fork()
        if not reader:
            _be_reader(operations, limits, sock)
        _, status = os.waitpid(reader, 0)
        if status:
            sock.send_bytes(joined({"died": os.waitstatus_to_exitcode(status)}))
    finally:
        os._exit(0)


def _be_reader(operations: Mapping[str, Operation], limits: Limits, sock: Connection) -> None:
    """Answer the worker until it closes the socket or this process grows too large. The function never returns."""
    try:
        for number in (signal.SIGALRM, signal.SIGPROF):
            signal.signal(number, signal.SIG_DFL)
        with suppress(OSError, ValueError):  # only on Linux
            resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError):  # the kernel ends this process first if memory runs out
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
        most = min(_peak() + limits.growth, limits.memory * _NEARLY)
        sock.send_bytes(joined({"ready": os.getpid()}))
        is_last = False
        while not is_last:
            head, body = parted(sock.recv_bytes())
            _arm(limits.cpu, limits.wall)
            answer, found = _answer(operations, limits, head, body)
            _arm(0, 0)
            is_last = _peak() > most
            sock.send_bytes(joined({**answer, "last": is_last}, found))
    except (OSError, EOFError):
        pass  # the worker has closed the socket
    except BaseException:  # noqa: BLE001 (a reader must not return and become a second server)
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
    except Exception as error:  # noqa: BLE001 (any type, because the libraries were not written for hostile bytes)
        answer = {"failed": f"{type(error).__name__}: {error}"[:200]}
    # If memory runs out, a library may report another error, but the peak memory shows the true reason.
    if _peak() > limits.memory * _NEARLY:
        answer = {"exceeded": "memory"}
    elif len(found) > limits.answer:
        answer = {"exceeded": "text"}
    return answer, b"" if answer else found


def _arm(cpu: float, wall: int) -> None:
    """Let the kernel kill this process after ``cpu`` seconds of CPU time or ``wall`` seconds in all. 0 means no limit.

    Timers are used, because RLIMIT_CPU would count the CPU time since the start of the process.
    """
    signal.setitimer(signal.ITIMER_PROF, cpu)
    signal.setitimer(signal.ITIMER_REAL, wall)


def _peak() -> int:
    """Return the peak size of this process's address space in bytes, or 0 if the system does not report it."""
    try:
        status = Path("/proc/self/status").read_bytes()
    except OSError:
        return 0
    return int(status.partition(b"VmPeak:")[2].split(maxsplit=1)[0]) * 1024


def main() -> None:
    """Serve the ``OPERATIONS`` of a module. The command line has its name, and the limits of a reading as JSON."""
    logging.disable()
    warnings.simplefilter("ignore")
    module = import_module(sys.argv[1])
    module.warm_up()
    _serve(module.OPERATIONS, Limits(*json.loads(sys.argv[2])), socket.socket(fileno=0))


if __name__ == "__main__":
    main()
