"""Runs ``zeke-jobs up`` (everything on one machine) and ``reload``, which restarts workers after a check of jobs.yaml."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

from zeke_jobs.cli.configuration.check import check, load
from zeke_jobs.cli.options import argument, flag, option
from zeke_jobs.cli.output import tell
from zeke_jobs.cli.run import FAILED, INTERRUPTED, UsageError
from zeke_jobs.core import environment, logs
from zeke_jobs.core.quoting import quote, suggest, visible_but_colours

if TYPE_CHECKING:
    from zeke_jobs.supervise.supervisor import Supervisor


_OWN = ("up", "database", "dashboard")  # lines of these commands are not errors
_STOP_SERVER = "import sys; from zeke_jobs.postgres import own_server; own_server.stop_abandoned(sys.argv[1])"
_TICK = 0.1  # seconds between checks for a signal
_LOOK = 0.5  # seconds between checks whether all jobs are done
_READY = "Worker process is ready"


def up(
    processes: Annotated[int, option("Worker processes.", min=1)] = 1,
    threads: Annotated[int, option("Jobs that each process runs at once.", min=1)] = 8,
    grace: Annotated[float, option("Seconds that jobs get to finish after Ctrl-C.", min=0)] = 30.0,
    reload: Annotated[bool, flag("--reload", "Restart when code or jobs.yaml change.")] = False,
    until_idle: Annotated[bool, flag("--until-idle", "Run the due jobs, then end; exit 1 if a job failed.")] = False,
    queue: Annotated[list[str] | None, option("Only this queue's jobs; more than one may be given.", "NAME")] = None,
    dashboard: Annotated[bool, flag("--dashboard", "Show the jobs in a browser, by pg-boss's dashboard.")] = False,
    port: Annotated[int | None, option("The dashboard's port, by default 3000.", min=1, max=65535)] = None,
) -> int:
    """Run workers and scheduler until Ctrl-C, on an embedded PostgreSQL unless DATABASE_URL is set."""
    if reload and until_idle:
        raise UsageError("expected --reload or --until-idle, got both")
    if port is not None and not dashboard:
        raise UsageError("expected --port with --dashboard, whose port it is, got --port alone")
    # This signal handler applies until the supervisor handles signals.
    signal.signal(signal.SIGTERM, partial(_end_early, INTERRUPTED if until_idle else 0))
    from zeke_jobs.postgres import server_programs
    from zeke_jobs.supervise import reload as made
    from zeke_jobs.supervise.guardian import Guardian
    from zeke_jobs.supervise.supervisor import Supervisor

    logs.configure()
    path = environment.config_path().absolute()
    checked = load(path)
    for name in set(queue or ()).difference(checked.queues):
        raise UsageError(f"expected a queue of jobs.yaml, got {quote(name)}; {suggest(name, checked.queues)}")
    shown = made.dashboard_program() if dashboard else None
    url = environment.database_url_or_none()
    if url is None:
        server_programs.binaries()  # fails early if the wheel is missing
    with ExitStack() as stack:
        at_end = () if url else (sys.executable, "-c", _STOP_SERVER, str(environment.data_dir().absolute()))
        guardian = Guardian(grace := grace + made.LAST_WORDS, at_end)
        stack.callback(guardian.dismiss)
        url = url or _own_database(stack)
        schema = _heeding_signals(partial(_migrate, url, checked.migrations))
        reason = f"zeke-jobs up{' --reload' if reload else ''}: jobs.yaml is new or was changed"
        env = {environment.REASON: reason, **os.environ, environment.DATABASE_URL: url}
        watch = made.Watch([Path.cwd(), path]) if reload else None
        size: dict[str, Any] = {"processes": processes, "threads": threads, "queues": queue or ()}
        commands = made.system(env, **size, grace=grace, on_terminal=sys.stderr.isatty())[: 1 if until_idle else None]
        if shown:
            commands.append(made.dashboard(shown, env, port=port or 3000, schema=schema))
        write = _announcing(ready := threading.Event())
        running = Supervisor(commands, write, grace, retries=reload, guardian=guardian)
        reloader = made.Reloader(running, write_line, env, watch)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: running.stop())
        signal.signal(signal.SIGHUP, lambda *_: reloader.ask())
        threading.Thread(target=reloader.run, daemon=True).start()
        stack.callback(reloader.end)
        write_line("up", "Ctrl-C stops everything")
        status = _run_until_idle(running, ready, url, queue or checked.queues) if until_idle else running.run()
    write_line("up", "stopped")
    return status


def write_line(name: str, line: str) -> None:
    """Write one line of a command's output to standard error, with the command's name in front, or as JSON."""
    if not line.startswith("{") and logs.is_json():
        # Workers and scheduler log JSON; any other line is an error message, for example of a killed process.
        if line.strip():
            logger = logs.get_logger(name)
            (logger.info if name in _OWN else logger.error)(line)
        return
    shown = visible_but_colours(line)
    sys.stderr.write(f"{shown}\n" if line.startswith("{") else f"{name:<9} | {shown}\n")
    sys.stderr.flush()


def _run_until_idle(running: Supervisor, ready: threading.Event, url: str, queues: Sequence[str]) -> int:
    """Run the workers until these queues are idle. Returns 1 if a job failed, or 130 after a signal."""
    from zeke_jobs.diagnosis import fleet
    from zeke_jobs.postgres.pool import DISCONNECTED, Pool
    from zeke_jobs.scheduler.dispatch import clock

    pool, is_idle = Pool(url, max_size=1, application_name="zeke-jobs up"), threading.Event()
    with pool.connection() as conn:
        since = clock(conn)

    def look() -> None:
        ready.wait()  # a new jobs.yaml is in force after this wait
        while not (is_idle.wait(_LOOK) or running.stops):  # a second call of stop would kill the workers
            with suppress(*DISCONNECTED), pool.connection() as conn:  # the workers log that the database is unreachable
                if fleet.is_idle(conn, queues, since):
                    is_idle.set()
                    running.stop()

    threading.Thread(target=look, daemon=True).start()
    status = running.run() or (0 if is_idle.is_set() else INTERRUPTED)
    with pool.connection() as conn:
        lines = fleet.failed_jobs(conn, queues, since)
    how = {0: "no job failed", INTERRUPTED: "stopped before the work was done"}
    told = how.get(status, "ended by the error above before the work was done")
    for line in [*lines, *([] if lines and not status else [told])]:
        write_line("up", line)
    return status or (FAILED if lines else 0)


def _announcing(ready: threading.Event) -> Callable[[str, str], None]:
    """Return a function like ``write_line`` that sets ``ready`` and prints the next steps at the first ready worker."""

    def announce(name: str, line: str) -> None:
        write_line(name, line)
        if name == "workers" and _READY in line and not ready.is_set():
            ready.set()
            write_line("up", "ready; in another terminal: zeke-jobs tasks, zeke-jobs send TASK KEY=VALUE … --wait")

    return announce


def _own_database(stack: ExitStack) -> str:
    from zeke_jobs.postgres.own_server import own_server, place, why_elsewhere
    from zeke_jobs.postgres.server_programs import binaries

    data_dir = environment.data_dir()
    folder, why = place(data_dir), ""
    if folder != data_dir.absolute():
        why = f", not in {data_dir}: {why_elsewhere(data_dir) or 'it is there already'}"
    write_line("database", f"starting; its data is in {folder}{why}")
    url = stack.enter_context(own_server(data_dir, "`zeke-jobs up`"))
    write_line("database", f"to look inside: {shlex.join([str(binaries() / 'psql'), url])}")
    write_line("database", f"for zeke-jobs elsewhere: export {environment.DATABASE_URL}={shlex.quote(url)}")
    return url


def _heeding_signals(step: Callable[[], str]) -> str:
    """Run a step in a thread, because the step may wait for a lock while the main thread must handle signals."""
    with ThreadPool(1) as pool:
        taken = pool.apply_async(step)
        while not taken.ready():
            taken.wait(_TICK)
    return taken.get()


def _migrate(url: str, packages: Sequence[str]) -> str:
    """Migrate the database, and return the name of the schema that has the pg-boss views."""
    from zeke_jobs.postgres.migrate import migrate
    from zeke_jobs.postgres.pool import connect
    from zeke_jobs.postgres.queries import SQL

    with closing(connect(url)) as conn:
        applied = migrate(conn, packages)
        if applied:
            write_line("database", f"{len(applied)} migrations applied")
        return str(SQL.all(conn, "uninstall/views")[0]["schema"])


def _end_early(status: int, _number: int, _frame: FrameType | None) -> None:
    """Clean up and end the process. A second SIGTERM does not interrupt the clean-up."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(status)


def reload(
    process: Annotated[str, argument("The process of a dramatiq or `zeke-jobs up` command.", "PID|PIDFILE")],
    file: Annotated[Path | None, option("Its file, by default $ZEKE_JOBS_CONFIG or jobs.yaml.", "FILE")] = None,
) -> None:
    """Check jobs.yaml, because a faulty file would end the workers. Then send SIGHUP to restart them with new code."""
    try:
        found = process if process.isdigit() else Path(process).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(f"expected a process id or a file with one, got {process!r} ({error.strerror})") from error
    if not found.isdigit() or (pid := int(found)) <= 1:
        raise UsageError(f"expected a process id, got {found!r}")
    _refuse_strangers(pid)
    check(file)
    os.kill(pid, signal.SIGHUP)
    tell(f"asked process {pid} to restart")


def _refuse_strangers(pid: int) -> None:
    """Raise UsageError if this is another program: a pid file may be old, and SIGHUP would end most programs."""
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
        if names.isdisjoint(("dramatiq", "zeke-jobs")):
            shown = b" ".join(words).decode(errors="replace").strip()[:80]
            raise UsageError(f"expected a dramatiq or zeke-jobs command, got process {pid}: {shown}")
