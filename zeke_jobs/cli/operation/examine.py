"""Runs ``zeke-jobs doctor``, ``fleet``, ``health``, ``audit``, ``top`` and ``metrics``."""

import signal
import sys
from datetime import datetime
from typing import Annotated

from zeke_jobs.cli import database
from zeke_jobs.cli.options import Json, Limit, argument, flag, option, time
from zeke_jobs.cli.output import answer, coloured, console, escape, listing, named, plain, print_json, say, tell
from zeke_jobs.cli.run import FAILED, FINE, UsageError
from zeke_jobs.core import environment, logs, probes
from zeke_jobs.core.quoting import visible
from zeke_jobs.core.wording import passed
from zeke_jobs.diagnosis import fleet as members
from zeke_jobs.diagnosis.doctor import CHECKS, examine
from zeke_jobs.postgres.queries import SQL

_STYLES = {"critical": "bold red", "warning": "yellow", "notice": "cyan"}


def doctor(as_json: Json = False) -> int:
    """Examine database, workers, scheduler and jobs. Exit 1 if there is a warning or an error, 0 otherwise."""
    report = examine(database.choose())
    lines = []
    for one in report.findings:
        lines += [f"[{_STYLES[one.severity]}]{one.severity:<8}[/] {one.id}: {escape(one.sentence)}"]
        lines += [f"         [green]{escape(one.help)}[/]"]
    lines += (f"[dim]fine     {one.name}: {one.fine}[/]" for one in CHECKS if one.name in report.fine)
    lines += (f"[dim]skipped  {name}[/]" for name in report.skipped)
    answer({"healthy": report.is_healthy, **plain(report)}, "\n".join(lines), as_json=as_json)
    return FINE if report.is_healthy else FAILED


def fleet(as_json: Json = False) -> None:
    """List workers and schedulers: host, version, revisions in use and of the file, heartbeat, load, queues, drift."""
    with database.connection("fleet") as conn:
        found = members.look(conn)
        differs = members.unapplied(conn)
    if as_json:
        print_json(found)
        return
    columns = named("=kind, host, pid, version, rev=revision, file=file_revision") | {
        "since": lambda one: passed(one.since),
        "heartbeat": lambda one: passed(one.heartbeat),
        "busy": lambda one: f"{one.busy}/{one.threads}" if one.kind == "worker" else "",
        "queues": "queues",
        "drift": lambda one: coloured("yellow", "; ".join(one.drift)),
    }
    nobody = "no process runs; start workers with dramatiq zeke_jobs.actors, a scheduler with periodiq zeke_jobs.actors"
    listing(found.members, columns, right=("pid", "rev", "file", "busy"), empty=nobody)
    tell(f"in force: revision {found.revision}" if found.revision else "nothing was ever in force")
    if differs is not None:
        tell(f"[yellow]{escape(differs[0])}[/]; zeke-jobs plan shows the difference")
    for queue in found.unserved:
        tell(f"[yellow]no worker consumes queue {escape(queue)}[/]")


def health(
    part: Annotated[str, argument("worker, scheduler, or an address http://…", "PART")] = "",
    contains: Annotated[str, option("Text that the answer must contain.", "TEXT", show_default=False)] = "",
    host: Annotated[str, option("Ask for this host's processes.", show_default="this one's")] = "",
    live: Annotated[bool, flag("--live", "Only: this container's processes make progress.")] = False,
    ready: Annotated[bool, flag("--ready", "Only: they can do work now.")] = False,
) -> int:
    """Exit 0 if PART works (this host's workers or schedulers send heartbeats, or the address answers), otherwise 1."""
    if live or ready:
        if part or (live and ready):
            raise UsageError("expected --live or --ready alone, got more words")
        return probes.main("live" if live else "ready")
    if part in ("worker", "scheduler"):
        is_fine, sentence = members.health_of_processes(database.choose(), part, host or None)
    elif part.startswith(("http://", "https://")):
        is_fine, sentence = members.health_of_address(part, contains)
    else:
        raise UsageError(f"expected worker, scheduler, an address http://…, --live or --ready, got {part!r}")
    say(visible(sentence))
    return FINE if is_fine else FAILED


def audit(
    who: Annotated[str | None, option("Only by this database user or this given name.", "NAME")] = None,
    action: Annotated[list[str] | None, option("Only this action, such as cancel; may be repeated.", "ACTION")] = None,
    target: Annotated[str | None, option("Only of this target, such as task/my-task, or a job's id.", "TARGET")] = None,
    begin: Annotated[datetime | None, time("Only from this time on: ISO 8601.", "--from")] = None,
    end: Annotated[datetime | None, time("Only before this time.", "--to")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List what people changed in the last 400 days, with time, database user and the name that the caller gave."""
    filters = {"who": who, "actions": action or None, "target": target, "begin": begin, "end": end}
    with database.connection("audit") as conn:
        found = SQL.all(conn, "audit/list", **filters, limit=limit)
    columns = named("when=done_on, login, said by=said_by, action, target")
    columns |= {"jobs": lambda one: len(one["jobs"] or ()) or "", "why": "reason"}
    listing(found, columns, right=("jobs",), empty="nothing of this was changed by hand", as_json=as_json)


def top(once: Annotated[bool, flag("--once", "Print the screen once and end; needs no terminal.")] = False) -> None:
    """Watch tasks, jobs, schedules, limits and workers full-screen. Keys open, pause, resume, cancel or retry a row."""
    from zeke_jobs.top import app

    url = database.choose()
    if not once and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("expected a terminal, got none; zeke-jobs top --once prints one picture")
    show = app.once if once else app.watch
    show(url, console())


def metrics(
    listen: Annotated[str, option("Serve at http://HOST:PORT/metrics instead.", "HOST:PORT", show_default=False)] = "",
) -> int:
    """Print the database's metrics in Prometheus's text format; with --listen, serve them until Ctrl-C or SIGTERM.

    Exit 1 when the database could not be read. The metrics that workers serve count only their own attempts.
    """
    from zeke_jobs.metrics import exporter, exposition

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
        raise UsageError(f"expected an address to listen on, got {listen}: {error.strerror}") from error
    except KeyboardInterrupt:
        pass
    return FINE
