"""Runs ``zeke-news filter``, which manages the rules that drop items before their pages are fetched."""

from collections import Counter
from datetime import timedelta
from typing import Annotated

import typer
from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json as Stored
from pydantic import ValidationError

from actors.cli.engine import in_force, task_settings
from actors.cli.output import Json, answer, database, named, table
from actors.sources import filters
from actors.sources.content import ContentSettings
from actors.sources.filters import Rules
from actors.sources.rules import Conditions, Rule
from actors.store import SQL, items
from actors.store.items import Text
from actors.store.news import NotFound
from zeke_jobs.cli.options import argument, flag, option
from zeke_jobs.cli.run import UsageError
from zeke_jobs.config import Config, validation

_SHOWN = 20

app = typer.Typer(help="Rules that drop items before their page is fetched.", no_args_is_help=True)


@app.command("add", short_help="Add a rule for items that are not fetched yet.")
@app.command("test", short_help="Show what rules would have dropped in a week.")
def rule(
    context: typer.Context,
    action: Annotated[str, argument("drop; or keep, which drops all others of these sources.", "ACTION")] = "",
    words: Annotated[
        list[str] | None, option("A word or phrase in the title, the feed's text or tags.", "TEXT")
    ] = None,
    regex: Annotated[list[str] | None, option("A regular expression to find in the same places.", "RE2")] = None,
    only_title: Annotated[bool, flag("--only-title", "Search both in the title only.")] = False,
    author: Annotated[list[str] | None, option("Part of the author's name.", "NAME")] = None,
    language: Annotated[list[str] | None, option("A language, such as de.", "CODE")] = None,
    shorter: Annotated[str | None, option("Fewer words than 300; a recording shorter than 2m.", "N")] = None,
    longer: Annotated[str | None, option("More words than 5000; a recording longer than 2h.", "N")] = None,
    older: Annotated[str | None, option("Published at least this long before it was found: 30d.", "DURATION")] = None,
    source: Annotated[list[str] | None, option("Only of this source: part of its name or address.", "TEXT")] = None,
    folder: Annotated[list[str] | None, option("Only of sources in this folder: Tech/Python.", "NAME")] = None,
    is_json: Json = False,
) -> None:
    """Add a rule for items that are not fetched yet. `test` shows what the rule would have dropped in the last week.

    A rule applies to items that fit at least one value of each given option. `test` without ACTION tries all rules,
    including the rules of the jobs.yaml in this folder.
    """
    options = locals()
    given = {action: {name: options[name] for name in Conditions.model_fields if options[name]}}
    is_test = context.info_name == "test"
    if action not in {"drop", "keep"} and (action or not is_test):
        raise UsageError(f"expected drop or keep, got {action!r}")
    try:
        made = Rule.model_validate(given) if action else None
    except ValidationError as error:
        first = error.errors()[0]
        name = "".join(f"--{name}: " for name in first["loc"][1:2]).replace("_", "-")
        raise UsageError(name + validation.message(first)[0]) from error
    with database() as conn:
        if is_test:
            _show(
                conn,
                (("it", made),) if made else filters.named(conn, _of(in_force(conn, here_first=True))),
                is_json=is_json,
            )
            return
        number = SQL.value(conn, "filter_add", rule=Stored(given))
    answer({"number": number, "rule": given}, f"added filter {number}: {made}", is_json=is_json)


@app.command("list")
def listing(is_json: Json = False) -> None:
    """List the rules in force, including the rules of jobs.yaml."""
    with database() as conn:
        rows = [{"name": name, "rule": str(rule)} for name, rule in filters.named(conn, _of(in_force(conn)))]
    empty = "no filters; add one: zeke-news filter add drop --words crypto"
    table(rows, named("name, rule"), empty=empty, as_json=is_json)


@app.command()
def remove(number: Annotated[int, argument("Its number in `filter list`.", "NUMBER")], is_json: Json = False) -> None:
    """Remove a rule; items that it has dropped stay dropped."""
    with database() as conn:
        if not SQL.run(conn, "filter_remove", number=number):
            raise NotFound(f"expected the number of a filter, got {number}; see zeke-news filter list")
    answer({"number": number, "removed": True}, f"removed filter {number}", is_json=is_json)


def _show(conn: Connection, rules: Rules, *, is_json: bool) -> None:
    judged = []
    for row in SQL.all(conn, "items_recent", back=timedelta(days=7), most=10_000):
        body, language, seconds = (row.pop(name) for name in ("text_body", "language_code", "duration_seconds"))
        item = items.of_row(row)
        text = None if body is None else Text(body, body, "page", language=language, duration=seconds)
        refused = filters.refusal(rules, item) or (text and filters.refusal(rules, item, text))
        told = {"source": item.source or item.source_url, "title": item.title, "url": item.url}
        judged.append({**told, "reason": refused.detail if refused else None})
    dropped = [one for one in judged if one["reason"]]
    answer(
        {"items": len(judged), "dropped": dropped},
        f"{len(dropped)} of {len(judged)} items of the last 7 days would have been dropped",
        *(f"{n:>6}  {reason}" for reason, n in Counter(one["reason"] for one in dropped).most_common(_SHOWN)),
        *(f"        {one['source']}: {one['title'] or one['url']}" for one in dropped[:_SHOWN]),
        is_json=is_json,
    )


def _of(chosen: Config | None) -> tuple[Rule, ...]:
    return ContentSettings.model_validate(task_settings(chosen, "fetch-content")).filters
