"""Runs ``zeke-jobs health --live`` and ``--ready``. Workers and schedulers answer on unix sockets in one folder.

Probes are frequent, so the command that asks imports almost nothing and does not connect to the database.
"""

from __future__ import annotations

import _socket  # importing socket, pathlib or typing would take longer than the whole probe
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

RUN = "ZEKE_JOBS_RUN"
_SUFFIX = ".sock"
_ANSWER_WITHIN = 3.0  # seconds; a process with a stuck interpreter accepts a connection, but does not answer
_MOST = 4096  # maximum number of bytes of an answer


def answer(kind: str, faults: Callable[[], tuple[str, str]]) -> None:
    """Answer probes in a separate thread until the process ends, if the environment names the folder for the socket.

    Args:
        kind: ``worker`` or ``scheduler``.
        faults: A function that is called for each probe. It returns two texts: why the process makes no progress,
            and why it can do no work now. A text is empty if there is no such reason.

    Raises ConfigurationError if the socket cannot be made in that folder.
    """
    if not (folder := os.environ.get(RUN)):
        return
    import socket
    from threading import Thread

    from zeke_jobs.errors import ConfigurationError

    path = f"{folder}/{kind}-{os.getpid()}{_SUFFIX}"
    listening = socket.socket(socket.AF_UNIX)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if os.path.exists(path):  # an earlier container of the pod had a process with the same id
            os.unlink(path)
        listening.bind(path)
    except OSError as error:
        listening.close()
        raise ConfigurationError(f"expected a folder for sockets in {RUN}, got {folder!r}: {error}") from error
    listening.listen()
    Thread(target=_answer_each, args=(listening, faults), name="probes", daemon=True).start()


def _answer_each(listening: socket.socket, faults: Callable[[], tuple[str, str]]) -> None:
    while True:
        asking, _ = listening.accept()
        with asking:
            said = "\n".join(faults()).encode()
            try:
                asking.sendall(said)
            except OSError:
                continue  # the probe has closed its connection


def ask(what: str, folder: str) -> tuple[bool, str]:
    """Ask all processes with sockets in the folder. Returns whether all are live or ready (``what``), and a text."""
    found: dict[str, str] = {}
    asked: dict[str, _socket.socket] = {}
    until = time.monotonic() + _ANSWER_WITHIN  # for all processes; the caller gives up soon
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        if not name.endswith(_SUFFIX):
            continue
        process, asking = name.removesuffix(_SUFFIX), _socket.socket(_socket.AF_UNIX)
        asking.settimeout(_ANSWER_WITHIN)
        try:
            asking.connect(f"{folder}/{name}")  # connect to all before reading answers, so that all work in parallel
            asked[process] = asking
        except (ConnectionRefusedError, FileNotFoundError):
            asking.close()
        except OSError as error:
            found[process] = f"cannot be asked: {error}"
    for process, asking in asked.items():
        said = b""
        try:
            asking.settimeout(max(until - time.monotonic(), 0.05))  # an answer that has already arrived is read
            while part := asking.recv(_MOST):
                said += part
            stuck, unready = said.decode().split("\n")
            found[process] = stuck if what == "live" else unready
        except TimeoutError:
            found[process] = f"does not answer within {_ANSWER_WITHIN:g} s"
        except (OSError, ValueError) as error:
            found[process] = f"cannot be asked: {error}"
        asking.close()
    if not found:
        return False, f"expected a worker or scheduler that answers in {folder}, got none"
    return not any(found.values()), "; ".join(f"{name} {found[name] or f'is {what}'}" for name in sorted(found))


def main(what: str) -> int:
    """Print the probe's sentence. Returns 0 if all processes are well, 1 if not, 2 if ``ZEKE_JOBS_RUN`` is unset."""
    if not (folder := os.environ.get(RUN)):
        sys.stderr.write(f"error: expected the folder of this container's processes in {RUN}, got nothing\n")
        return 2
    try:
        is_fine, sentence = ask(what, folder)
    except OSError as error:
        is_fine, sentence = False, f"expected a folder that can be read in {RUN}, got {error}"
    sys.stdout.write(f"{sentence}\n")
    return 0 if is_fine else 1
