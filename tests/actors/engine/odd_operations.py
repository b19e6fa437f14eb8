"""Each operation misbehaves as a reader process might after hostile bytes took control of the process."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from actors.engine.contract import EngineError

_KEPT: list[bytearray] = []


def echo(body: bytes) -> bytes:
    return body


def who(body: bytes) -> bytes:
    server = psutil.Process(os.getppid()).ppid()
    return json.dumps({"pid": os.getpid(), "server": server, "environment": dict(os.environ)}).encode()


def _noted(body: bytes) -> None:
    """Add a line with the id of this process to the file that ``body`` names."""
    with Path(body.decode()).open("a") as file:
        file.write(f"{os.getpid()}\n")


def spin(body: bytes) -> bytes:
    _noted(body)
    while True:
        pass


def sleep(body: bytes) -> bytes:
    _noted(body)
    time.sleep(60)
    return b""


def time_left(body: bytes) -> bytes:
    """Return the seconds of CPU time left before the timer ends this process, then use up a quarter of a second."""
    left = signal.getitimer(signal.ITIMER_PROF)[0]
    end = time.process_time() + 0.25
    while time.process_time() < end:
        pass
    return json.dumps(left).encode()


def rest(body: bytes) -> bytes:
    time.sleep(0.5)
    return body


def hog(body: bytes) -> bytes:
    _noted(body)
    _KEPT.extend(bytearray(1_000_000) for _ in range(1_000_000))
    return b""


def swallow(body: bytes) -> bytes:
    try:
        return hog(body)
    except MemoryError:
        _KEPT.clear()
        return b"no article was found"


def chatter(body: bytes) -> bytes:
    _noted(body)
    return bytes(2_000_000)


def grow(body: bytes) -> bytes:
    _KEPT.extend(bytearray(b"x" * 1_000_000) for _ in range(40))
    return who(body)


def die(body: bytes, by: int) -> bytes:
    _noted(body)
    signal.signal(by, signal.SIG_DFL) if by != signal.SIGKILL else None
    os.kill(os.getpid(), by)
    return b""


def die_once(body: bytes) -> bytes:
    if Path(body.decode()).exists():
        return b"read"
    return die(body, signal.SIGSEGV)


def leave(body: bytes) -> bytes:
    _noted(body)
    os._exit(3)


def refuse(body: bytes) -> bytes:
    raise EngineError("not_a_feed", "no feed")


def fail(body: bytes) -> bytes:
    _noted(body)
    raise ZeroDivisionError("a fault of a library")


def warm_up() -> None:
    pass


_READING = (echo, who, spin, sleep, time_left, rest, hog, swallow, chatter, grow, die, die_once, leave, refuse, fail)
OPERATIONS: dict[str, Callable[..., bytes]] = {one.__name__: one for one in _READING}
