"""Runs the embedded PostgreSQL for development, demo and tests: the wheel's programs, a data folder, a unix socket."""

import fcntl
import hashlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO, TypeVar
from urllib.parse import quote

import psycopg2

from zeke_jobs.errors import ZekeJobsError
from zeke_jobs.postgres import server_programs
from zeke_jobs.postgres.server_programs import binaries

__all__ = ["binaries", "ensure", "running", "stop"]

_SOCKET = {
    "port": "5432",  # part of the socket's name; the folder has no other socket
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
}
#: Settings for the wheel's server only. Other servers keep their own defaults, like usual installations.
_SETTINGS = {"max_connections": "200", "shared_buffers": "256MB", "timezone": "UTC", "jit": "off"}
_STOP = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_PATIENCE = 60.0  # seconds for a server to start or to stop
_NOBODY = 2**31 - 1  # a process id that no process has

T = TypeVar("T")


def ensure(folder: Path, *, bin_dir: Path | None = None, settings: Mapping[str, str] | None = None) -> str:
    """Start the server in ``folder``, or find it running, and return its URL.

    Several processes may call it at once, also after a crash. The server runs until ``stop``.

    Args:
        folder: The server's folder, created with mode 0700 if missing. It holds data, log and, if its path is suitable,
            the socket.
        bin_dir: Folder of another PostgreSQL's programs to use instead of the wheel's, with their own defaults.
        settings: Further server settings.

    Raises:
        ZekeJobsError: the server does not start; the message has the reason.
        OSError: a file cannot be created.
    """
    folder = folder.absolute()
    user = server_programs.account(folder / "data")
    _make(folder, user)

    def look() -> str | bool:
        return running(folder) or not _lives(folder)

    with _open(folder / "lock", user) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Wait for a server that is starting, and for processes of a server that was killed.
        patience = (
            f"expected the server of {folder} to answer within a minute, got none; its log is {folder / 'data' / 'log'}"
        )
        told: int | None = None
        while not isinstance(found := _until(look, patience), str):
            if told is not None:
                raise server_programs.failure(folder, (folder / "data" / "log").read_bytes()[told:])
            told = _start(folder, bin_dir, {**_SOCKET, **({} if bin_dir else _SETTINGS), **(settings or {})}, user)
        return found


def running(folder: Path) -> str | None:
    """URL of the server in ``folder`` if it runs, or None. Starts nothing."""
    folder = folder.absolute()
    if not _lives(folder):
        return None
    try:
        lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
        process, _, _, port, socket, *_ = lines
        # While a server starts, the file is of an earlier server or names no socket yet, so the address would be wrong.
        if process == str(_NOBODY) or not socket:
            return None
        url = f"postgresql://postgres@/postgres?host={quote(socket, safe='/')}&port={port}"
        psycopg2.connect(url, connect_timeout=5).close()
    except (OSError, ValueError, psycopg2.OperationalError):
        return None
    return url


def stop(folder: Path, *, mode: str = "fast") -> None:
    """Stop the server of ``folder``, if it runs. ``mode`` is pg_ctl's: smart, fast or immediate.

    Raises ZekeJobsError if it still runs after a minute.
    """
    folder = folder.absolute()

    def ends() -> bool:
        with suppress(OSError, ValueError):  # it has not written its process id yet, or has already ended
            os.kill(int((folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0]), _STOP[mode])
        return not _lives(folder)

    if _lives(folder):
        _until(ends, f"expected the server of {folder} to stop within a minute, got one that runs on")


def _until(look: Callable[[], T], failure: str) -> T:
    end = time.monotonic() + _PATIENCE
    while not (found := look()):
        if time.monotonic() > end:
            raise ZekeJobsError(failure)
        time.sleep(0.02)
    return found


def _lives(folder: Path) -> bool:
    """Whether a process of this folder's server is alive.

    All its processes inherit a file lock, which ends with the last process. A process id would prove less, because ids
    are reused.
    """
    try:
        with (folder / "alive").open() as alive:
            fcntl.flock(alive, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _start(folder: Path, bin_dir: Path | None, settings: Mapping[str, str], user: dict[str, Any]) -> int:
    """Start a server that outlives this process; returns the length of its log before the start."""
    programs = server_programs.runnable(bin_dir, user)
    data = folder / "data"
    if not (data / "PG_VERSION").exists():
        server_programs.initdb(programs, data, user)
    socket = data
    if not server_programs.is_plain(data):  # the path is too long for a socket, or unsafe in an address
        socket = (
            server_programs.state_folder(plain=True) / f"socket-{hashlib.sha256(os.fsencode(data)).hexdigest()[:12]}"
        )
    _make(socket, user)
    for lock_file in (data / "postmaster.pid", socket / f".s.PGSQL.{settings['port']}.lock"):
        _forget_process(lock_file)
    flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with _open(data / "log", user) as log, _open(folder / "alive", user) as alive:
        told = log.tell()
        fcntl.flock(alive, fcntl.LOCK_EX)
        server: list[str | Path] = [programs / "postgres", "-D", data, "-k", socket, *flags]
        # A shell starts it and ends at once, so that no parent has to wait for the server.
        shell = ["/bin/sh", "-c", '"$@" >>log 2>&1 &', "sh"]
        server_programs.run([*shell, *server], user, cwd=data, pass_fds=[alive.fileno()])
    return told


def _make(folder: Path, user: dict[str, Any]) -> None:
    """Make a folder that only the server's user can enter."""
    server_programs.make(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    if user:
        try:
            os.chown(folder, user["user"], user["group"])
        except OSError as error:
            raise server_programs.powerless(error) from error


def _open(file: Path, user: dict[str, Any]) -> TextIO:
    """Open a file of the server's user to append to it."""
    # As root, do not follow a link, because the folder's owner may have made it to one of root's files.
    number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    if user:
        os.fchown(number, user["user"], user["group"])
    return os.fdopen(number, "a")


def _forget_process(lock_file: Path) -> None:
    """Replace the process id in a lock file by an unused id: another process may have got the old id.

    PostgreSQL would take that process for the old server. The rest of the file stays, because PostgreSQL needs it to
    see whether the shared memory is still in use.
    """
    with suppress(FileNotFoundError), os.fdopen(os.open(lock_file, os.O_RDWR | os.O_NOFOLLOW), "r+") as file:
        _, *rest = file.read().split("\n", 1)
        if not rest:  # the file was never complete; with it PostgreSQL would refuse to start
            lock_file.unlink()
            return
        file.seek(0)
        file.write("\n".join([str(_NOBODY), *rest]))
