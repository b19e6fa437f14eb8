"""``zeke-jobs audit``: lists changes by hand, with their authors and times."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 (typer reads the annotation)
from typing import Annotated

import typer

from zeke_jobs.cli import database, options
from zeke_jobs.cli.output import listing, when


def audit(
    who: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only by this database user or this given name.")
    ] = None,
    action: Annotated[
        list[str] | None,
        typer.Option(metavar="ACTION", help="Only this action, such as cancel; may be given more than once."),
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="TARGET", help="Only of this target, such as task/my-task, or a job's id.")
    ] = None,
    begin: Annotated[
        datetime | None,
        typer.Option("--from", parser=options.moment, metavar="TIME", help="Only from this time on: ISO 8601."),
    ] = None,
    end: Annotated[
        datetime | None, typer.Option("--to", parser=options.moment, metavar="TIME", help="Only before this time.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", help="Number of newest changes.", min=1)] = 50,
    as_json: options.Json = False,
) -> None:
    """List changes by hand, with their times, database users and the names that callers gave. Kept for 400 days."""
    from zeke_jobs.control import audit as trail

    with database.connection("audit") as conn:
        found = trail.listed(conn, who=who, actions=action, target=target, begin=begin, end=end, limit=limit)
    columns = {
        "when": lambda one: when(one.done_on),
        "login": lambda one: one.login,
        "said by": lambda one: one.said_by,
        "action": lambda one: one.action,
        "target": lambda one: one.target,
        "jobs": lambda one: len(one.jobs or ()) or "",
        "why": lambda one: one.reason,
    }
    listing(found, columns, right=("jobs",), empty="nothing of this was changed by hand", as_json=as_json)
