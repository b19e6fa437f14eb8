"""``zeke-jobs fleet``: who runs, and by which revision."""

from __future__ import annotations

from zeke_jobs.cli import options  # noqa: TC001 (typer reads the annotation)
from zeke_jobs.cli.configuration.plan import connection
from zeke_jobs.cli.output import age, console, escape, print_json, table


def fleet(as_json: options.Json = False) -> None:
    """List workers and schedulers: host, version, revision in force and of the own file, heartbeat, load, queues, drift."""
    from zeke_jobs.diagnosis import fleet as whole

    with connection("fleet") as conn:
        found = whole.look(conn)
    if as_json:
        print_json(found)
        return
    out = console()
    if not found.members:
        out.print(
            "nobody runs; start workers with dramatiq zeke_jobs.actors, a scheduler with periodiq zeke_jobs.actors"
        )
    else:
        titles = ("", "host", "pid", "version", "rev", "file", "since", "beat", "busy", "queues", "drift")
        shown = table(*titles, right=("pid", "rev", "file", "busy"))
        for one in found.members:
            shown.add_row(
                one.kind,
                escape(one.host),
                str(one.pid),
                escape(one.version),
                str(one.revision),
                str(one.file_revision or ""),
                age(one.since),
                age(one.heartbeat),
                f"{one.busy}/{one.threads}" if one.kind == "worker" else "",
                escape(", ".join(one.queues)),
                f"[yellow]{escape('; '.join(one.drift))}[/]",
            )
        out.print(shown)
    out.print(f"in force: revision {found.revision}" if found.revision else "nothing was ever in force")
    for queue in found.unserved:
        out.print(f"[yellow]no worker consumes queue {escape(queue)}[/]")
