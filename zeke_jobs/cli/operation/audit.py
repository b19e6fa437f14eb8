"""``zeke-jobs audit``: what was changed by hand, by whom and when."""

from __future__ import annotations

from typing import Annotated

import typer

from zeke_jobs.cli import options
from zeke_jobs.cli.configuration.plan import connection
from zeke_jobs.cli.output import console, escape, print_json, table, when


def audit(
    who: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only by this login, or by whom the caller said.")
    ] = None,
    action: Annotated[
        list[str] | None, typer.Option(metavar="ACTION", help="Only this, such as cancel; may be given more than once.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="TARGET", help="Only of this, such as task/my-task, or a job's id.")
    ] = None,
    begin: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Only from then on: ISO 8601.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Only before then.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", help="The newest so many.", min=1)] = 50,
    as_json: options.Json = False,
) -> None:
    """List what was changed by hand: when, by which database user, and who that was said to be. Kept for 400 days."""
    from zeke_jobs.control import audit as trail

    times = {
        "begin": None if begin is None else options.moment(begin),
        "end": None if end is None else options.moment(end),
    }
    with connection("audit") as conn:
        found = trail.listed(conn, who=who, actions=action, target=target, limit=limit, **times)
    if as_json:
        print_json(found)
        return
    rows = table("when", "login", "said by", "action", "target", "jobs", "why", right=("jobs",))
    for one in found:
        rows.add_row(
            when(one.done_on),
            *(escape(text or "") for text in (one.login, one.said_by, one.action, one.target)),
            str(len(one.jobs or ()) or ""),
            escape(one.reason or ""),
        )
    console().print(rows if found else "nothing of this was changed by hand")
