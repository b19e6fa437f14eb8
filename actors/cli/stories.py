"""``zeke-news stories``: a list with filters; and the form of a story in lists."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.padding import Padding
from rich.style import Style
from rich.text import Text

from actors.cli.output import Json, Team, ago, chili, console, database, in_json, short, team_of, visible
from actors.store import news
from actors.store.news import NotFound
from zeke_jobs.core.durations import parse_duration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.cli.output import Console

LINK = re.compile(r"https?://[!-~]{1,2000}")


Source = Annotated[str | None, typer.Option(metavar="TEXT", help="Part of the source's name or address.")]
Since = Annotated[str | None, typer.Option(metavar="DURATION", help="How far back, such as 24h or 7d.")]
MinChili = Annotated[float | None, typer.Option(metavar="N", help="At least this hot, 0 to 5.", min=0, max=5)]
Leads = Annotated[bool, typer.Option("--leads", help="Of one event, only the leading story.")]
Starred = Annotated[bool, typer.Option("--starred", help="Only starred stories.")]


def stories(
    source: Source = None,
    since: Since = None,
    min_chili: MinChili = None,
    state: Annotated[str | None, typer.Option(metavar="STATE", help="pending, extractive or completed.")] = None,
    leads: Leads = False,
    unread: Annotated[bool, typer.Option("--unread", help="Only unread stories.")] = False,
    starred: Starred = False,
    archived: Annotated[
        bool, typer.Option("--archived", help="Archived stories; lists leave them out otherwise.")
    ] = False,
    team: Team = None,
    limit: Annotated[int, typer.Option(metavar="N", help="Largest number of stories.", min=1)] = 30,
    is_json: Json = False,
) -> None:
    """Stories, newest first; each with the number by which `story`, `read`, `star` and `archive` know it."""
    if unread and archived:
        raise typer.BadParameter("expected one of --unread and --archived, got both", param_hint="--unread")
    team_id, earliest = team_of(team), earliest_of(since)
    with database() as conn:
        rows = news.stories(
            conn,
            limit=limit,
            sources=sources_of(conn, source),
            since=earliest,
            min_chili=min_chili,
            analysis_state=state,
            leads=leads,
            team=team_id,
            state="unread" if unread else "archived" if archived else None,
            starred=starred,
        )
    if in_json(rows, is_json=is_json):
        return
    if not rows:
        console().print("no stories fit; zeke-news sources says whether the feeds deliver", soft_wrap=True)
        return
    out = console()
    for row in rows:
        print_story(out, row, row["one_liner"])


def print_story(out: Console, row: Mapping[str, Any], said: str | None) -> None:
    """Number, age, chili and source; then the title, a line about it, and the address, which is never broken."""
    star = " *" if row.get("is_starred") else ""
    head = f"{row['number']:>4}  {ago(row['published_at'] or row['created_at']):>3}  chili {chili(row['chili'])}  "
    out.print(
        visible(f"{head}{row['source'] or '?'}{star}  {short(row['id'])}"), style="dim", markup=False, soft_wrap=True
    )
    url = row["url"] or ""
    style = Style(bold=row.get("state", "unread") == "unread", link=url if LINK.fullmatch(url) else None)
    out.print(Padding(Text(visible(row["title"] or "(no title)"), style), (0, 0, 0, 6), expand=False))
    if said:
        out.print(Padding(Text(visible(said)), (0, 0, 0, 6), expand=False))
    if url:
        out.print(visible(f"      {url}"), style="dim", markup=False, soft_wrap=True)


def find(conn: Connection, name: str) -> UUID:
    """The story with this number or beginning of an id.

    Raises:
        NotFound: there is none.
        NotUnique: there are several.
    """
    found = news.find_story(conn, name)
    if found is None:
        raise NotFound(f"expected the number or id of a story, got {name!r}; see zeke-news stories")
    return found


def sources_of(conn: Connection, part: str | None) -> list[UUID] | None:
    """The sources with this text in their name or address; None without a text."""
    return None if part is None else news.sources_like(conn, part)


def earliest_of(text: str | None) -> datetime | None:
    """The time of the oldest story in a list that goes back so far.

    Raises:
        typer.BadParameter: the text is not a duration.
    """
    try:
        return None if text is None else datetime.now(UTC) - parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from error
