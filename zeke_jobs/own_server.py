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
def own_server(data_dir: Path) -> Iterator[str]:
    """Start the server of ``data_dir``, yield its URL, and stop it at the end.

    Raises:
        ZekeJobsError: another command has that server now, or it does not start; the end of its log is in the message.
    """
    folder = server_folder(data_dir)
    if not folder.parent.exists():
        folder.parent.mkdir(parents=True)
        # Only into a folder that we made: `git add .` must not take a database with it.
        (folder.parent / ".gitignore").write_text("*\n", encoding="utf-8")
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ZekeJobsError(
                f"expected to be alone with the server in {folder}, got another command that runs it\n"
                f"  help: set {environment.DATA} to another folder"
            ) from None
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
    folder = data_dir.absolute() / "postgres"
    if len(os.fsencode(folder)) <= _LONGEST and (os.geteuid() != 0 or _open_to_all(folder.parent)):
        return folder
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return (Path("/var/lib") if os.geteuid() == 0 else Path.home() / ".local" / "state") / f"zeke-{name}"


def _open_to_all(folder: Path) -> bool:
    """Whether any user may pass through ``folder`` and all above it; what does not exist yet will be made so."""
    return all(above.stat().st_mode & stat.S_IXOTH for above in (folder, *folder.parents) if above.exists())
