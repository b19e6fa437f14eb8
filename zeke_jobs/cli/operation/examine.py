"""``zeke-jobs doctor``, ``fleet``, ``health`` and ``audit``: the health of the system and its parts, and changes by hand."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

from zeke_jobs.cli import database, options
from zeke_jobs.cli.options import option
from zeke_jobs.cli.output import coloured, console, escape, listing, plain, print_json, say, tell, when
from zeke_jobs.cli.run import FAILED, FINE, UsageError
from zeke_jobs.core import environment, probes
from zeke_jobs.core.quoting import visible
from zeke_jobs.core.wording import passed
from zeke_jobs.diagnosis import fleet as checking
from zeke_jobs.diagnosis import fleet as whole
from zeke_jobs.diagnosis.doctor import CHECKS, Report, examine
from zeke_jobs.postgres.queries import SQL

_STYLES = {"critical": "bold red", "warning": "yellow", "notice": "cyan"}


def doctor(as_json: options.Json = False) -> int:
    """Examine database, workers, scheduler and jobs. Exit 1 if there is a warning or an error, 0 otherwise."""
    report = examine(database.choose(), _file())
    if as_json:
        print_json({"healthy": report.is_healthy, **plain(report)})
    else:
        _show(report)
    return FINE if report.is_healthy else FAILED


def _file() -> Path | None:
    """The jobs.yaml of this folder, or the file named by the environment."""
    path = environment.config_path()
    return path if path.is_file() else None


def _show(report: Report) -> None:
    for one in report.findings:
        tell(f"[{_STYLES[one.severity]}]{one.severity:<8}[/] {one.id}: {escape(one.sentence)}")
        tell(f"         [green]{escape(one.help)}[/]")
    for check in CHECKS:
        if check.name in report.fine:
            tell(f"[dim]fine     {check.name}: {check.fine}[/]")
    for name in report.skipped:
        tell(f"[dim]skipped  {name}[/]")


def fleet(as_json: options.Json = False) -> None:
    """List workers and schedulers: host, version, revision in force and of the own file, heartbeat, load, queues, drift."""
    with database.connection("fleet") as conn:
        found = whole.look(conn)
        file = _file()
        differs = None if file is None else whole.unapplied(conn, file)
    if as_json:
        print_json(found)
        return
    columns = {
        "": lambda one: one.kind,
        "host": lambda one: one.host,
        "pid": lambda one: one.pid,
        "version": lambda one: one.version,
        "rev": lambda one: one.revision,
        "file": lambda one: one.file_revision or "",
        "since": lambda one: passed(one.since),
        "heartbeat": lambda one: passed(one.heartbeat),
        "busy": lambda one: f"{one.busy}/{one.threads}" if one.kind == "worker" else "",
        "queues": lambda one: ", ".join(one.queues),
        "drift": lambda one: coloured("yellow", "; ".join(one.drift)),
    }
    nobody = "nobody runs; start workers with dramatiq zeke_jobs.actors, a scheduler with periodiq zeke_jobs.actors"
    listing(found.members, columns, right=("pid", "rev", "file", "busy"), empty=nobody)
    console().print(f"in force: revision {found.revision}" if found.revision else "nothing was ever in force")
    if differs is not None:
        tell(f"[yellow]{escape(differs)}[/]; zeke-jobs plan shows the difference")
    for queue in found.unserved:
        console().print(f"[yellow]no worker consumes queue {escape(queue)}[/]")


def health(
    part: Annotated[str, options.argument("worker, scheduler, or an address http://…", "PART")] = "",
    contains: Annotated[str, options.option("Text that the answer must contain.", "TEXT", show_default=False)] = "",
    host: Annotated[str, options.option("Ask for this host's processes.", show_default="this one's")] = "",
    live: Annotated[bool, options.flag("--live", "Only: this container's processes make progress.")] = False,
    ready: Annotated[bool, options.flag("--ready", "Only: they can do work now.")] = False,
) -> int:
    """Exit 0 when the part does its work, 1 when not: this host's workers prove life, or an address answers."""
    if live or ready:
        if part or (live and ready):
            raise UsageError("expected --live or --ready alone, got more words")
        return probes.main("live" if live else "ready")
    if part in ("worker", "scheduler"):
        is_fine, sentence = checking.health_of_processes(database.choose(), part, host or None)
    elif part.startswith(("http://", "https://")):
        is_fine, sentence = checking.health_of_address(part, contains)
    else:
        raise UsageError(f"expected worker, scheduler, an address http://…, --live or --ready, got {part!r}")
    say(visible(sentence))
    return FINE if is_fine else FAILED


def audit(
    who: Annotated[str | None, option("Only by this database user or this given name.", "NAME")] = None,
    action: Annotated[
        list[str] | None, option("Only this action, such as cancel; may be given more than once.", "ACTION")
    ] = None,
    target: Annotated[str | None, option("Only of this target, such as task/my-task, or a job's id.", "TARGET")] = None,
    begin: Annotated[datetime | None, options.time("Only from this time on: ISO 8601.", "--from")] = None,
    end: Annotated[datetime | None, options.time("Only before this time.", "--to")] = None,
    limit: Annotated[int, option("Number of newest changes.", "N", min=1)] = 50,
    as_json: options.Json = False,
) -> None:
    """List changes by hand, with their times, database users and the names that callers gave. Kept for 400 days."""
    filters = {"who": who, "actions": action or None, "target": target, "begin": begin, "end": end}
    with database.connection("audit") as conn:
        found = SQL.all(conn, "audit/list", **filters, limit=limit)
    columns = {
        "when": lambda one: when(one["done_on"]),
        "login": lambda one: one["login"],
        "said by": lambda one: one["said_by"],
        "action": lambda one: one["action"],
        "target": lambda one: one["target"],
        "jobs": lambda one: len(one["jobs"] or ()) or "",
        "why": lambda one: one["reason"],
    }
    listing(found, columns, right=("jobs",), empty="nothing of this was changed by hand", as_json=as_json)
