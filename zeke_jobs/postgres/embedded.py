"""Runs the embedded PostgreSQL for development, demo and tests, with programs from a wheel, on a unix socket."""

import fcntl
import os
import re
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

import psycopg2

from zeke_jobs.errors import ZekeJobsError
from zeke_jobs.postgres import server_programs

#: The port is part of the socket's name. The folder has no other socket.
_SOCKET = {"port": "5432", "listen_addresses": "", "unix_socket_permissions": "0700"}
#: These settings are for a server of the wheel's programs only. Other programs keep PostgreSQL's defaults.
_SETTINGS = {"max_connections": "200", "shared_buffers": "256MB", "timezone": "UTC", "jit": "off"}
#: A socket's path has no characters that libpq interprets, and, with the socket's name, at most 107 bytes.
_FIT_FOR_SOCKET = re.compile(r"[A-Za-z0-9/._+~-]{1,80}")
_APART = Path("/tmp/zeke-jobs-")  # noqa: S108 (begin of a socket's folder, which only the server's user can enter)
_STOP = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_PATIENCE = 60.0  # seconds for a server to start or to stop


def ensure(folder: Path, *, bin_dir: Path | None = None, settings: Mapping[str, str] | None = None) -> str:
    """Start the server in ``folder``, or find it running, and return its URL. The server runs until ``stop`` is called.

    Several processes may call this function at the same time, also after a crash.

    Args:
        folder: The folder for the server's data, log and socket. It is made with mode 0700 if it is missing. The socket
            is in /tmp instead if libpq cannot use the folder's path.
        bin_dir: The folder with the programs of another PostgreSQL. The server then has PostgreSQL's default settings.
        settings: Further server settings.

    Raises ZekeJobsError with the reason if the server does not start, and OSError if a file cannot be created.
    """
    folder = folder.absolute()
    user = server_programs.account(folder / "data")
    server_programs.make(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    _give(folder, user)
    settings = {**_SOCKET, **({} if bin_dir else _SETTINGS), **(settings or {})}
    log, told = folder / "data" / "log", -1
    patience = f"expected the server of {folder} to answer within a minute, got none; its log is {log}"
    # Wait until a starting server answers, or until the last process of a killed server has ended.
    while not isinstance(url := _until(lambda: running(folder) or not _lives(folder), patience), str):
        if told >= 0:
            raise server_programs.failure(folder, log.read_bytes()[told:].decode(errors="replace"))
        with _open(folder / "alive", user) as alive, suppress(BlockingIOError):  # another process starts the server
            fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
            told = _start(folder, bin_dir, settings, user, alive)
    return url


def running(folder: Path) -> str | None:
    """Return the URL of the server in ``folder`` if it runs, or None. The function starts nothing."""
    folder = folder.absolute()
    if not _lives(folder):
        return None
    try:
        _, _, _, port, socket, *_ = (folder / "data" / "postmaster.pid").read_text().splitlines()
        if not socket:  # the server is starting
            return None
        url = f"postgresql://postgres@/postgres?host={quote(socket, safe='/')}&port={port}"
        psycopg2.connect(url, connect_timeout=5).close()
    except (OSError, ValueError, psycopg2.OperationalError):
        return None
    return url


def stop(folder: Path, *, mode: str = "fast") -> None:
    """Stop the server of ``folder``, in a mode of pg_ctl. Raises ZekeJobsError if this takes longer than a minute."""
    folder, process, socket = folder.absolute(), "", ""

    def ends() -> bool:
        nonlocal process, socket
        with suppress(OSError, ValueError):  # the server has not written its process id yet, or has already ended
            found, _, _, _, place, *_ = (folder / "data" / "postmaster.pid").read_text().splitlines()
            if process not in ("", found):  # the server has ended, and another process has started the next one
                return True
            process, socket = found, place
            os.kill(int(process), _STOP[mode])
        return not _lives(folder)

    if _lives(folder):
        _until(ends, f"expected the server of {folder} to stop within a minute, got one that runs on")
    _remove_folder_of(socket)


def _until(look: Callable[[], Any], failure: str) -> Any:
    end = time.monotonic() + _PATIENCE
    while not (found := look()):
        if time.monotonic() > end:
            raise ZekeJobsError(failure)
        time.sleep(0.02)
    return found


def _lives(folder: Path) -> bool:
    """Return whether a process of this folder's server, or a process that starts the server, is alive.

    The server's processes inherit their parent's file lock. A process id would prove less, because ids are reused.
    """
    try:
        with (folder / "alive").open() as alive:
            fcntl.flock(alive, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return isinstance(error, BlockingIOError)
    return False


def _start(folder: Path, bin_dir: Path | None, settings: Mapping[str, str], user: dict[str, Any], alive: TextIO) -> int:
    """Start a server that outlives this process. Returns the length of the server's log before the start."""
    data = folder / "data"
    with suppress(OSError, ValueError):  # a server that was killed left its socket, perhaps in a folder of its own
        _, owner, _, _, left, *_ = (data / "postmaster.pid").read_text().splitlines()
        if owner == str(data):  # the folder is no copy of another server's folder
            _remove_folder_of(left)
    # Remove the lock files of the server, which is dead: the process ids in them may now belong to other processes.
    for lock_file in (data / "postmaster.pid", data / f".s.PGSQL.{settings['port']}.lock"):
        lock_file.unlink(missing_ok=True)
    programs = server_programs.runnable(bin_dir, user)
    if not (data / "PG_VERSION").exists():
        server_programs.initdb(programs, data, user, pass_fds=[alive.fileno()])
    socket = data
    if not _FIT_FOR_SOCKET.fullmatch(str(data)):
        socket = Path(tempfile.mkdtemp(prefix=_APART.name, dir=_APART.parent))
        _give(socket, user)
    flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with _open(data / "log", user) as log:
        told = log.tell()
        server: list[str | Path] = [programs / "postgres", "-D", data, "-k", socket, *flags]
        # A shell starts the server and ends at once, so that no parent has to wait for the server.
        shell = ["/bin/sh", "-c", '"$@" >>log 2>&1 &', "sh"]
        server_programs.run([*shell, *server], user, cwd=data, pass_fds=[alive.fileno()])
    return told


def _remove_folder_of(socket: str) -> None:
    """Remove the folder that a server had in /tmp for its socket. A socket in the data folder is not removed."""
    folder = Path(socket)
    if folder.name.startswith(_APART.name) and folder.parent == _APART.parent and not folder.is_symlink():
        with suppress(OSError):
            for file in folder.glob(".s.PGSQL.*"):
                file.unlink()
            folder.rmdir()


def _give(folder: Path, user: dict[str, Any]) -> None:
    """Make the server's user the owner of a folder that root owns."""
    try:
        if user:
            os.chown(folder, user["user"], user["group"])
    except OSError as error:
        raise server_programs.powerless(error) from error


def _open(file: Path, user: dict[str, Any]) -> TextIO:
    """Open a file for appending, and give it to the server's user."""
    # Do not follow a link, because the folder's owner may have linked to a file of root.
    number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    os.fchown(number, user.get("user", -1), user.get("group", -1))
    return os.fdopen(number, "a")
