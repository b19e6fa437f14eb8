"""Each operation misbehaves as a reader process might after hostile bytes took control of the process."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from actors.engine.contract import EngineError

_KEPT: list[bytearray] = []


def _noting(then: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``then`` as an operation that first appends its process id to the file that ``body`` names."""

    def operation(body: bytes, **arguments: Any) -> Any:
        with Path(body.decode()).open("a") as file:
            file.write(f"{os.getpid()}\n")
        return then(body, **arguments)

    return operation


def _who(_: bytes) -> bytes:
    server = psutil.Process(os.getppid()).ppid()
    return json.dumps({"pid": os.getpid(), "server": server, "environment": dict(os.environ)}).encode()


def _rest(body: bytes) -> bytes:
    time.sleep(0.5)
    return body


def _spin(_: bytes) -> bytes:
    while True:
        pass


def _time_left(_: bytes) -> bytes:
    """Read the CPU seconds that the timer leaves, use up a quarter of a second more, and return the reading."""
    left = signal.getitimer(signal.ITIMER_PROF)[0]
    end = time.process_time() + 0.25
    while time.process_time() < end:
        pass
    return json.dumps(left).encode()


def _hog(_: bytes) -> bytes:
    _KEPT.extend(bytearray(1_000_000) for _ in range(1_000_000))
    return b""


def _swallow(body: bytes) -> bytes:
    try:
        return _hog(body)
    except MemoryError:
        _KEPT.clear()
        return b"no article was found"


def _grow(body: bytes) -> bytes:
    _KEPT.extend(bytearray(b"x" * 1_000_000) for _ in range(40))
    return _who(body)


def _die(_: bytes, by: int = signal.SIGSEGV) -> None:
    signal.signal(by, signal.SIG_DFL) if by != signal.SIGKILL else None
    os.kill(os.getpid(), by)


def _die_once(body: bytes) -> Any:
    return b"read" if Path(body.decode()).exists() else _noting(_die)(body)


def _refuse(_: bytes) -> bytes:
    raise EngineError("not_a_feed", "no feed")


def warm_up() -> None:
    pass


OPERATIONS: dict[str, Callable[..., Any]] = {
    "echo": lambda body: body,
    "rest": _rest,
    "sleep": _noting(lambda _: time.sleep(60)),
    "chatter": _noting(lambda _: bytes(2_000_000)),
    "leave": _noting(lambda _: os._exit(3)),
    "fail": _noting(lambda _: 1 / 0),
    "spin": _noting(_spin),
    "hog": _noting(_hog),
    "swallow": _noting(_swallow),
    "die": _noting(_die),
    "who": _who,
    "time_left": _time_left,
    "grow": _grow,
    "die_once": _die_once,
    "refuse": _refuse,
}
