"""``zeke-jobs reload``: restart workers after a check."""

import os
import signal
from pathlib import Path
from typing import Annotated

from zeke_jobs.cli.configuration.check import check
from zeke_jobs.cli.options import argument, option
from zeke_jobs.cli.output import console
from zeke_jobs.cli.run import UsageError

_COMMANDS = ("dramatiq", "zeke-jobs")


def reload(
    process: Annotated[str, argument("The process of a dramatiq or `zeke-jobs up` command.", "PID|PIDFILE")],
    file: Annotated[
        Path | None, option("The file that it reads; by default $ZEKE_JOBS_CONFIG or jobs.yaml.", "FILE")
    ] = None,
) -> None:
    """Check jobs.yaml, and only then send SIGHUP, on which workers restart with new code: a broken file would end them."""
    pid = _pid(process)
    _refuse_strangers(pid)
    check(file)
    os.kill(pid, signal.SIGHUP)
    console().print(f"asked process {pid} to restart")


def _pid(text: str) -> int:
    found = text
    if not text.isdigit():
        try:
            found = Path(text).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise UsageError(f"expected a process id or a file with one, got {text!r} ({error.strerror})") from error
    if not found.isdigit() or int(found) <= 1:
        raise UsageError(f"expected a process id, got {found!r}")
    return int(found)


def _refuse_strangers(pid: int) -> None:
    """Refuse a process that is not ours: SIGHUP ends most other programs, and a pid file may be old."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        raise UsageError(f"expected a running process, got {pid}, which has ended") from None
    except PermissionError:
        raise UsageError(f"expected a process of this user, got {pid}, which belongs to another") from None
    line = Path(f"/proc/{pid}/cmdline")
    if line.exists():
        words = line.read_bytes().split(b"\0")
        names = {Path(os.fsdecode(word)).name for word in words[:3]}
        if names.isdisjoint(_COMMANDS):
            shown = b" ".join(words).decode(errors="replace").strip()[:80]
            raise UsageError(f"expected a dramatiq or zeke-jobs command, got process {pid}: {shown}")
