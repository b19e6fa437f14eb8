"""``zeke-news stories``: a list with filters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.text import Text

from actors.cli.output import ago, as_json, chili, console, database, short, table, visible
from actors.store import news
from zeke_jobs.core.durations import parse_duration

if TYPE_CHECKING:
    from datetime import timedelta


def stories(
    source: Annotated[str | None, typer.Option(metavar="TEXT", help="Part of the source's name or address.")] = None,
    search: Annotated[str | None, typer.Option(metavar="TEXT", help="Part of title or summary.")] = None,
    since: Annotated[str | None, typer.Option(metavar="DURATION", help="How far back, such as 24h or 7d.")] = None,
    min_chili: Annotated[
        float | None, typer.Option(metavar="N", help="At least this hot, 0 to 5.", min=0, max=5)
    ] = None,
    state: Annotated[str | None, typer.Option(metavar="STATE", help="pending, extractive or completed.")] = None,
    leads: Annotated[bool, typer.Option("--leads", help="Of one event, only the leading story.")] = False,
    team: Annotated[
        str | None, typer.Option(metavar="UUID", help="Only what is unread (see --team-state) for this team.")
    ] = None,
    team_state: Annotated[str, typer.Option(metavar="STATE", help="unread, read or archived; with --team.")] = "unread",
    limit: Annotated[int, typer.Option(metavar="N", help="At most so many.", min=1)] = 30,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Stories, newest first."""
    earliest = None if since is None else datetime.now(UTC) - _length(since)
    team_id = None if team is None else _team(team)
    with database() as conn:
        rows = news.stories(
            conn,
            limit=limit,
            source=source,
            search=search,
            since=earliest,
            min_chili=min_chili,
            state=state,
            leads=leads,
            team=team_id,
            team_state=team_state,
        )
    if is_json:
        as_json(rows)
        return
    if not rows:
        console().print("no stories fit; zeke-news sources says whether the feeds deliver", soft_wrap=True)
        return
    shown = [
        (
            short(row["id"]),
            ago(row["published_at"] or row["created_at"]),
            chili(row["chili"]),
            row["source"],
            Text(f"{visible(row['title'])}\n  {visible(row['one_liner'])}") if row["one_liner"] else row["title"],
        )
        for row in rows
    ]
    columns: list[str | tuple[str, dict[str, Any]]] = [
        ("id", {"no_wrap": True}),
        ("age", {"justify": "right", "no_wrap": True}),
        ("chili", {"justify": "right"}),
        ("source", {"max_width": 16}),
        ("title and brief", {"overflow": "fold"}),
    ]
    console().print(table(columns, shown))


def _length(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from error


def _team(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise typer.BadParameter(f"expected a team's id (uuid), got {text!r}", param_hint="--team") from error
