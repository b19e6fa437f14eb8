"""Runs an embedded server for one command, in a folder with a lock that keeps other commands out."""

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from zeke_jobs.core import environment
from zeke_jobs.errors import ConfigurationError, ZekeJobsError
from zeke_jobs.postgres import embedded, server_programs

_LINK = "elsewhere"  # a link to the server's files, so that they are found after the folder is moved
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def own_server(data_dir: Path, name: str) -> Iterator[str]:
    """Run the server of ``data_dir`` during the block, and yield its URL. Other commands' errors show ``name``.

    Raises ConfigurationError with the remedy if no server can run there, and ZekeJobsError if another command uses it.
    """
    server_programs.binaries()  # an error must come before any folder is made
    with ExitStack() as stack:
        server = server_folder(data_dir)
        try:
            _make_place(data_dir)
            stack.enter_context(_alone(server, data_dir, name))
            stack.callback(embedded.stop, server)
            url = embedded.ensure(server)
        except OSError as error:
            raise _in_words(error, server.parent) from error
        yield url


def stop_abandoned(data_dir: str) -> None:
    """Stop the server of a command that was killed, unless another command now uses it."""
    folder = Path(data_dir)
    server = server_folder(folder)
    with suppress(ZekeJobsError), _alone(server, folder, "the end of a command that was killed"):
        embedded.stop(server)


def place(data_dir: Path) -> Path:
    """Return the folder for the server's files: ``data_dir``, or another one if ``why_elsewhere`` returns a reason."""
    asked = data_dir.absolute()
    with suppress(OSError):
        return (asked / _LINK).readlink()
    if server_programs.is_there(asked / "postgres" / "data") or not why_elsewhere(data_dir):
        return asked
    return server_programs.state_folder() / hashlib.sha256(os.fsencode(asked)).hexdigest()[:12]


def server_folder(data_dir: Path) -> Path:
    """Return the folder of the server that belongs to ``data_dir``."""
    return place(data_dir) / "postgres"


def why_elsewhere(data_dir: Path) -> str:
    """Return the reason why a server cannot run in ``data_dir``, or an empty string if it can."""
    asked = data_dir.absolute()
    above = next(one for one in (asked, *asked.parents) if server_programs.is_there(one))
    # If ``data_dir`` exists, do not check write access here: without it, starting the server fails with an error.
    if above != asked and not os.access(above, os.W_OK | os.X_OK):
        return f"nothing can be written to {above}"
    user = server_programs.account(asked / "postgres" / "data")
    closed = server_programs.closed(asked, user["user"]) if user else None
    return "" if closed is None else f"PostgreSQL does not run as root, and other users may not enter {closed}"


def _make_place(data_dir: Path) -> None:
    """Make the folder ``place(data_dir)`` if missing. If it is not ``data_dir``, put a link to it into ``data_dir``."""
    folder, asked = place(data_dir), data_dir.absolute()
    _make(folder)
    if folder != asked:
        with suppress(OSError):  # without the link, the files are found only by the hash of the path
            _make(asked)
            (asked / _LINK).symlink_to(folder)


def _make(folder: Path) -> None:
    if not server_programs.is_there(folder):
        server_programs.make(folder)
        # Write .gitignore only into a folder that this code made, so that `git add .` does not add the database.
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")


@contextmanager
def _alone(server: Path, data_dir: Path, name: str) -> Iterator[None]:
    """Hold the server's lock, so that no other command uses the server."""
    with (server.parent / f"{server.name}.lock").open("a+") as lock:
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
        yield


def _in_words(error: OSError, folder: Path) -> ZekeJobsError:
    if error.errno in _FULL:
        return ZekeJobsError(f"expected room for the embedded server's data in {folder}, got a full disk")
    return ConfigurationError(
        f"expected the user {os.geteuid()} to be able to write to {folder}, got: {error.strerror}: {error.filename}\n"
        f"  help: run as the user who made it, or set {environment.DATA} to a folder of your own"
    )
