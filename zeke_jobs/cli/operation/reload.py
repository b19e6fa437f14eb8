"""``zeke-jobs reload``, ``top`` and ``metrics``: restart workers after a check; the state for people and for Prometheus."""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from zeke_jobs.cli import database
from zeke_jobs.cli.configuration.check import check
from zeke_jobs.cli.options import argument, flag, option
from zeke_jobs.cli.output import console, say
from zeke_jobs.cli.run import FAILED, FINE, UsageError
from zeke_jobs.core import environment, logs
from zeke_jobs.metrics import exporter, exposition
from zeke_jobs.top import app

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


def top(once: Annotated[bool, flag("--once", "Print one picture and end; needs no terminal.")] = False) -> None:
    """Watch tasks, jobs, schedules, limits and workers on a full screen; pause, resume, cancel, retry and open by keys."""
    url = database.choose()
    if once:
        app.once(url, console())
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("expected a terminal, got none; zeke-jobs top --once prints one picture")
    app.watch(url, console())


def metrics(
    listen: Annotated[str, option("Serve at http://HOST:PORT/metrics instead.", "HOST:PORT", show_default=False)] = "",
) -> int:
    """Print the database's metrics in Prometheus's text format; with --listen, serve it until Ctrl-C or SIGTERM.

    Exit 1 when the database could not be read.
    """
    logs.configure()
    url = database.choose()
    if not listen:
        text, is_read = exporter.text(url)
        say(text, end="")
        return FINE if is_read else FAILED
    address = environment.address("--listen", listen)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # PID 1 of a container would otherwise ignore SIGTERM
    try:
        exposition.serve(exporter.DatabaseCollector(url).registry, address)
    except OSError as error:
        raise typer.BadParameter(f"expected an address to listen on, got {listen}: {error.strerror}") from error
    except KeyboardInterrupt:
        pass
    return FINE
