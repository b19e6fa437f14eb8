"""An embedded server for the time of one command: where it lives, and that no other command has it meanwhile."""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zeke_jobs import embedded, environment
from zeke_jobs.errors import ZekeJobsError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST = 90  # bytes; Linux allows 107 for a socket's path, and PostgreSQL adds to it


@contextmanager
def own_server(data_dir: Path, name: str) -> Iterator[str]:
    """Start the server of ``data_dir``, yield its URL, and stop it at the end.

    Args:
        data_dir: Where the data is to be; see ``server_folder``.
        name: Who runs it, as another command that comes too late reads it.

    Raises:
        ZekeJobsError: another command has that server now, or it does not start; the end of its log is in the message.
    """
    folder = server_folder(data_dir)
    if not folder.parent.exists():
        folder.parent.mkdir(parents=True)
        # Only into a folder that we made: `git add .` must not take a database with it.
        (folder.parent / ".gitignore").write_text("*\n", encoding="utf-8")
    with (folder.parent / f"{folder.name}.lock").open("a+") as lock:
        lock.seek(0)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = lock.read() or "another command"
            raise ZekeJobsError(
                f"expected to be alone with the server of {data_dir}, got {other}, which runs already\n"
                f"  help: use that one, or stop it first; {environment.DATA} set to another folder means another, empty database"
            ) from None
        lock.truncate()
        lock.write(f"{name} (process {os.getpid()})")
        lock.flush()
        try:
            url = embedded.ensure(folder)
        except RuntimeError as error:
            raise ZekeJobsError(f"expected the embedded server to start, got: {error}") from error
        try:
            yield url
        finally:
            embedded.stop(folder)


def server_folder(data_dir: Path) -> Path:
    """The folder for a server's files: ``postgres`` in ``data_dir``, or one in a usual place.

    A server cannot run in ``data_dir`` when the path is too long for a unix socket, or when we are root and the
    unprivileged user that PostgreSQL then runs as may not pass a folder above it. The same ``data_dir`` has the same
    answer each time. The other place is one that only this user can write to, never the temporary folder, where a
    stranger could have put a server of his own.
    """
    folder = _inside(data_dir)
    if not why_elsewhere(data_dir):
        return folder
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return (Path("/var/lib") if os.geteuid() == 0 else Path.home() / ".local" / "state") / f"zeke-{name}"


def why_elsewhere(data_dir: Path) -> str:
    """Why a server cannot run in ``data_dir``, in words; empty where it can."""
    folder = _inside(data_dir)
    if len(os.fsencode(folder)) > _LONGEST:
        return "its path is too long for a unix socket"
    closed = _closed(folder.parent) if os.geteuid() == 0 else None
    return "" if closed is None else f"PostgreSQL does not run as root, and other users may not enter {closed}"


def _inside(data_dir: Path) -> Path:
    return data_dir.absolute() / "postgres"


def _closed(folder: Path) -> Path | None:
    """The outermost of ``folder`` and all above it that other users may not enter; what does not exist yet will be open."""
    whole = reversed((folder, *folder.parents))
    return next((one for one in whole if one.exists() and not one.stat().st_mode & stat.S_IXOTH), None)
