"""``zeke-jobs up``: the whole system on one machine, until Ctrl-C."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zeke_jobs.cli.configuration.check import find_modules_here
from zeke_jobs.core import environment, logs
from zeke_jobs.core.terminal import visible_but_colours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from zeke_jobs.supervise.reload import Reloader
    from zeke_jobs.supervise.supervisor import Supervisor


_OWN = ("up", "database")  # lines of these are no errors
_READY = "Worker process is ready"


def up(
    processes: Annotated[int, typer.Option(help="Worker processes.", min=1)] = 1,
    threads: Annotated[int, typer.Option(help="Jobs that each process runs at once.", min=1)] = 8,
    grace: Annotated[float, typer.Option(help="Seconds that jobs get to finish after Ctrl-C.", min=0)] = 30.0,
    reload: Annotated[bool, typer.Option("--reload", help="Restart when code or jobs.yaml change.")] = False,
) -> None:
    """Run workers and scheduler until Ctrl-C, on an embedded PostgreSQL unless DATABASE_URL is set."""
    from zeke_jobs import config
    from zeke_jobs.postgres import server_programs
    from zeke_jobs.postgres.own_server import own_server
    from zeke_jobs.supervise.processes import LAST_WORDS, system
    from zeke_jobs.supervise.reload import Reloader, Watch
    from zeke_jobs.supervise.supervisor import Supervisor

    logs.configure()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # until the supervisor listens: clean up, as on Ctrl-C
    find_modules_here()
    path = environment.config_path().absolute()
    checked = config.load(path)
    with ExitStack() as stack:
        url = environment.database_url_or_none()
        if url is None:
            server_programs.binaries()  # without them, nothing starts
            _say_where(environment.data_dir())
            url = stack.enter_context(own_server(environment.data_dir(), "`zeke-jobs up`"))
            _say_how_to_look(url)
        _migrate(url, checked.migrations)
        env = {**os.environ, environment.DATABASE_URL: url}
        on_terminal = sys.stderr.isatty()
        running = Supervisor(
            system(env, processes=processes, threads=threads, grace=grace + LAST_WORDS, on_terminal=on_terminal),
            _announcing(write_line),
            grace=grace + LAST_WORDS,
            wait_for_change=reload,
        )
        reloader = Reloader(running, write_line, env, Watch([Path.cwd(), path]) if reload else None)
        _obey_signals(running, reloader)
        stack.enter_context(_in_a_thread(reloader))
        write_line("up", "Ctrl-C stops everything")
        status = running.run()
    write_line("up", "stopped")
    raise typer.Exit(status)


def write_line(name: str, line: str) -> None:
    """Write one line of a command to standard error, whole: with the command's name before it, or as JSON."""
    if not line.startswith("{") and logs.is_json():
        # Workers and scheduler log in JSON; a line in another form is an error message.
        logger = logs.get_logger(name)
        if line.strip():
            (logger.info if name in _OWN else logger.error)(line)
        return
    shown = visible_but_colours(line)
    sys.stderr.write(f"{shown}\n" if line.startswith("{") else f"{name:<9} | {shown}\n")
    sys.stderr.flush()


def _announcing(write: Callable[[str, str], None]) -> Callable[[str, str], None]:
    """``write``, and once the first worker is ready, what to do now."""
    ready = threading.Event()

    def announce(name: str, line: str) -> None:
        write(name, line)
        if name == "workers" and _READY in line and not ready.is_set():
            ready.set()
            write("up", "ready; in another terminal: zeke-jobs tasks, zeke-jobs send TASK KEY=VALUE … --wait")

    return announce


def _say_where(data_dir: Path) -> None:
    from zeke_jobs.postgres.own_server import place, why_elsewhere

    folder = place(data_dir)
    why = ""
    if folder != data_dir.absolute():
        why = f", not in {data_dir}: {why_elsewhere(data_dir) or 'it is there already'}"
    write_line("database", f"starting; its data is in {folder}{why}")


def _say_how_to_look(url: str) -> None:
    from zeke_jobs.postgres import embedded

    psql = shlex.join([str(embedded.binaries() / "psql"), url])
    write_line("database", f"to look inside: {psql}")
    write_line("database", f"for zeke-jobs elsewhere: export {environment.DATABASE_URL}={shlex.quote(url)}")


def _migrate(url: str, packages: Sequence[str]) -> None:
    from zeke_jobs.postgres.migrate import migrate
    from zeke_jobs.postgres.pool import connect

    with closing(connect(url)) as conn:
        applied = migrate(conn, packages)
    if applied:
        write_line("database", f"{len(applied)} migrations applied")


def _obey_signals(running: Supervisor, reloader: Reloader) -> None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        running.stop()

    def reload(_number: int, _frame: FrameType | None) -> None:
        reloader.ask()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    signal.signal(signal.SIGHUP, reload)


@contextmanager
def _in_a_thread(reloader: Reloader) -> Iterator[None]:
    thread = threading.Thread(target=reloader.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        reloader.end()
