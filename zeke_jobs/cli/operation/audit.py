"""``zeke-jobs audit``: lists changes by hand, with their authors and times."""

from datetime import datetime
from typing import Annotated

from zeke_jobs.cli import database, options
from zeke_jobs.cli.options import option
from zeke_jobs.cli.output import listing, when
from zeke_jobs.postgres.queries import SQL


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
