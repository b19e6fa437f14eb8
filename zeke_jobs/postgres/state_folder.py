"""A folder of this user outside the project, for files that cannot be kept inside it."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from zeke_jobs.core import environment
from zeke_jobs.errors import ConfigurationError

_LONGEST = 80  # bytes; Linux allows 107 for a unix socket's path, and the socket's own name is in it
_PLAIN = re.compile(r"[A-Za-z0-9/._+~-]+")


def is_plain(folder: Path) -> bool:
    """Whether a unix socket may be in it: the path is short and has no character with a meaning to a shell or libpq."""
    return len(str(folder)) <= _LONGEST and _PLAIN.fullmatch(str(folder)) is not None


def base(*, plain: bool = False) -> Path:
    """The first usual place that this user may write to, made if missing; others cannot write to it.

    For root, others may enter it, because PostgreSQL does not run as root. A ``plain`` folder suits a unix socket.

    Raises:
        ConfigurationError: there is no such place.
    """
    tried = [folder for folder in _candidates() if is_plain(folder) or not plain]
    for folder in tried:
        if not is_there(folder) and os.access(above(folder), os.W_OK | os.X_OK):
            make(folder, 0o700)
        if _is_ours(folder):
            return folder
    raise ConfigurationError(
        f"expected a folder that only this user can write to, got none of {', '.join(map(str, tried))}\n"
        f"  help: set {environment.DATA} to a folder that this user may write to, or {environment.DATABASE_URL} to a server"
    )


def is_there(path: Path) -> bool:
    """Whether the file exists; in a folder that we may not read, it counts as missing."""
    return os.access(path, os.F_OK)


def above(folder: Path) -> Path:
    """The nearest existing folder above it."""
    return next(one for one in folder.parents if is_there(one))


def make(folder: Path, mode: int | None = None) -> None:
    """Make a folder and its missing parents, if need be. Root's folders can be entered by all users, whatever the umask."""
    missing = [one for one in (folder, *folder.parents) if not is_there(one)]
    folder.mkdir(parents=True, exist_ok=True)
    for one in missing:
        wanted = stat.S_IMODE(one.stat().st_mode) if mode is None else mode
        one.chmod(wanted | 0o011 if os.geteuid() == 0 else wanted)


def _candidates() -> Iterator[Path]:
    if os.geteuid() == 0:
        yield Path("/var/lib/zeke-jobs")
    else:
        with suppress(RuntimeError):  # neither HOME nor /etc/passwd has a home folder
            yield Path.home() / ".local" / "state" / "zeke-jobs"
    for shared in ("/var/tmp", "/tmp"):  # noqa: S108 (who owns the folder is looked at)
        yield Path(shared) / f"zeke-jobs-{os.geteuid()}"


def _is_ours(folder: Path) -> bool:
    """Whether the folder exists, and only we can write to it: somebody else may have made it first."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    is_private = found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(found.st_mode) and is_private and os.access(folder, os.W_OK | os.X_OK)
