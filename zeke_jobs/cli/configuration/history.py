"""Runs ``zeke-jobs history``, ``show``, ``diff`` and ``compare``: lists, shows and compares revisions of jobs.yaml."""

from difflib import unified_diff
from typing import Annotated, Any

from psycopg2.extensions import connection as Connection

from zeke_jobs.cli import database
from zeke_jobs.cli.configuration import plan
from zeke_jobs.cli.options import MOST, Json, Limit, Revision, argument, flag
from zeke_jobs.cli.output import listing, named, picked, print_json, say, tell, when
from zeke_jobs.core.quoting import visible
from zeke_jobs.core.wording import took
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions import diff as differences, store

Other = Annotated[int | None, argument("Another revision; by default the one in force.", "REV", max=MOST)]


def history(limit: Limit = 20, as_json: Json = False) -> None:
    """List the revisions, with their times, authors, reasons and values set by hand."""
    with database.connection("history") as conn:
        found = store.listed(conn, limit)
    columns = named("rev=number, since=applied_on, by=applied_by, how=origin, why=message")
    columns["set by hand"] = lambda one: [override.label for override in store.visible(one.overrides)]
    empty = "nothing was ever in force: the first worker that starts puts its jobs.yaml"
    listing(found, columns, right=("rev",), empty=empty, as_json=as_json, data=_data)


def show(number: Revision, as_json: Json = False) -> None:
    """Show a revision: its jobs.yaml, and the values set by hand."""
    with database.connection("show") as conn:
        one = store.find(conn, number)
    if as_json:
        print_json({**_data(one), "source": one.source})
        return
    why = f": {one.message}" if one.message else ""
    say(visible(f"# revision {one.number}, by {one.origin}, since {when(one.applied_on)}, {one.applied_by}{why}"))
    for override in store.visible(one.overrides):
        by = f"{override.by}: {override.why}" if override.why else override.by
        say(visible(f"# set by hand: {override.label} = {override.value} ({by})"))
    say(one.source, end="" if one.source.endswith("\n") else "\n")


def diff(
    number: Revision,
    other: Other = None,
    text: Annotated[bool, flag("--text", "Line by line, with comments.")] = False,
    as_json: Json = False,
) -> None:
    """Show how two revisions differ in their effect or, with --text, in the text of their files."""
    with database.connection("diff") as conn:
        first, second = store.find(conn, number), _other(conn, other)
    if text:
        before, after = first.source.splitlines(), second.source.splitlines()
        names = (f"revision {first.number}", f"revision {second.number}")
        for line in unified_diff(before, after, *names, lineterm=""):
            say(visible(line))
        return
    found = differences.changes(_config(first), _config(second))
    if as_json:
        print_json({"from": first.number, "to": second.number, "changes": found})
        return
    for line in plan.change_lines(found):
        tell(line)
    if not found:
        differs = "; their texts differ" if first.digest != second.digest else ""
        tell(f"revisions {first.number} and {second.number} are the same in effect{differs}")


def compare(number: Revision, other: Other = None, as_json: Json = False) -> None:
    """Compare the jobs that started under two revisions: each task's throughput, wait, duration, failures and cost."""
    with database.connection("compare") as conn:
        store.find(conn, number)
        second = _other(conn, other).number
        rows: list[dict[str, Any]] = []
        for one in (number, second):
            rows += ({"revision": one, **row} for row in SQL.all(conn, "revision/outcomes", number=one))
    if not as_json:
        rows.sort(key=lambda row: (row["task"], row["revision"] != number))
    columns = {
        **named("task, rev=revision, jobs"),
        "per hour": lambda row: f"{row['per_hour']:.1f}",
        "wait p50": lambda row: took(row["wait_p50"]),
        "wait p95": lambda row: took(row["wait_p95"]),
        "takes p50": lambda row: took(row["takes_p50"]),
        "takes p95": lambda row: took(row["takes_p95"]),
        "failed": lambda row: f"{row['failed'] / row['jobs']:.1%}",
        "cost": _cost,
    }
    empty = f"no job ended that started under revision {number} or {second}"
    listing(rows, columns, right=tuple(columns)[1:], empty=empty, as_json=as_json)
    if rows and not as_json:
        for one in sorted({number, second} - {row["revision"] for row in rows}):
            tell(f"revision {one}: no job has ended that started under it")


def _cost(row: dict[str, Any]) -> str:
    if not row["with_cost"]:
        return ""
    sums = " + ".join(f"{amount} {currency}" for currency, amount in sorted(row["cost"].items()))
    return sums if row["with_cost"] == row["jobs"] else f"{sums} (of {row['with_cost']} jobs)"


def _other(conn: Connection, number: int | None) -> store.Revision:
    found = store.latest(conn) if number is None else None
    return found or store.find(conn, number or 0)


def _config(revision: store.Revision) -> Any:
    try:
        return revision.config(handlers=False)
    except ConfigurationError as error:
        what = f"revision {revision.number} is not read any more; compare with --text"
        raise ConfigurationError(f"{what}\n{error}") from error


def _data(one: store.Revision) -> dict[str, Any]:
    names = "number, since=applied_on, by=applied_by, origin, why=message, digest"
    return {**picked(one, names), "overrides": one.overrides}
