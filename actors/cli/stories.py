"""Runs ``zeke-news stories``, ``feed``, ``read``, ``star`` and ``archive``, and prints the stories of a list."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import typer
from rich.padding import Padding
from rich.style import Style
from rich.text import Text

from actors.cli.output import Json, Team, ago, answer, chili, console, database, end_in_json, say, short, tell, visible
from actors.store import news
from actors.stories.status import mark
from zeke_jobs.cli.options import MOST, argument, flag, option, span
from zeke_jobs.cli.output import Console
from zeke_jobs.postgres.pool import transaction

LINK = re.compile(r"https?://[!-~]{1,2000}")


Source = Annotated[str | None, option("Part of the source's name or address.", "TEXT")]
Since = Annotated[timedelta | None, span("Published at most this long ago, such as 24h or 7d; if undated, found.")]
MinChili = Annotated[float | None, option("At least this hot, 0 to 5.", "N", min=0, max=5)]
Leads = Annotated[bool, flag("--leads", "Only the leading story of each event.")]
Starred = Annotated[bool, flag("--starred", "Only starred stories.")]


def stories(
    source: Source = None,
    since: Since = None,
    min_chili: MinChili = None,
    state: Annotated[str | None, option("pending, extractive or completed.", "STATE")] = None,
    leads: Leads = False,
    unread: Annotated[bool, flag("--unread", "Only unread stories.")] = False,
    starred: Starred = False,
    archived: Annotated[bool, flag("--archived", "Archived stories; lists leave them out otherwise.")] = False,
    team: Team = news.NOBODY,
    limit: Annotated[int, option("Largest number of stories.", "N", min=1, max=MOST)] = 30,
    is_json: Json = False,
) -> None:
    """List stories, the newest first, each with the number that `story`, `read`, `star` and `archive` take."""
    if unread and archived:
        raise typer.BadParameter("expected one of --unread and --archived, got both", param_hint="--unread")
    asked = {"limit": limit, "min_chili": min_chili, "leads": leads, "team": team, "starred": starred}
    marked = "unread" if unread else "archived" if archived else None
    rows = _listed(source, since, **asked, analysis_state=state, state=marked)
    end_in_json(rows, is_json=is_json)
    for row in rows:
        print_story(console(), row, row["one_liner"])
    if not rows:
        tell("no stories fit; zeke-news sources says whether the feeds deliver")


def feed(
    form: Annotated[Literal["atom", "json"], option("Output format.", None, "--format")] = "atom",
    output: Annotated[Path | None, option("The file to write; by default standard output.", "FILE")] = None,
    title: Annotated[str, option("Its title.", "NAME")] = "zeke-news",
    url: Annotated[str | None, option("Where readers will find it.", "URL")] = None,
    source: Source = None,
    since: Since = None,
    min_chili: MinChili = None,
    leads: Leads = False,
    starred: Starred = False,
    team: Team = news.NOBODY,
    limit: Annotated[int, option("Largest number of stories.", "N", min=1, max=1000)] = 50,
) -> None:
    """Write stories as Atom or JSON Feed, the newest first."""
    from actors.briefs.rendering import write_whole
    from actors.briefs.syndication import atom, json_feed

    rows = _listed(source, since, limit=limit, min_chili=min_chili, leads=leads, team=team, starred=starred)
    now = datetime.now(UTC)
    made = json_feed(rows, title=title, url=url) if form == "json" else atom(rows, title=title, url=url, now=now)
    if output is None:
        say(made, end="")
        return
    try:
        write_whole(output, made)
    except OSError as error:
        raise typer.BadParameter(f"cannot be written: {error}", param_hint="--output") from error


def _listed(source: str | None, since: timedelta | None, **asked: Any) -> list[dict[str, Any]]:
    earliest = datetime.now(UTC) - since if since else None
    with database() as conn:
        return news.stories(conn, sources=news.sources_like(conn, source), since=earliest, **asked)


def print_story(out: Console, row: Mapping[str, Any], said: str | None) -> None:
    """Print a story: a line with number, age, chili score and source, then title, ``said`` and the unbroken address."""
    star = " *" if row.get("is_starred") else ""
    head = f"{row['number']:>4}  {ago(row['published_at'] or row['created_at']):>6}  chili {chili(row['chili'])}  "
    head += f"{row['source'] or '?'}{star}  {short(row['id'])}"
    out.print(visible(head), style="dim", markup=False, soft_wrap=True)
    url = row["url"] or ""
    style = Style(bold=row.get("state", "unread") == "unread", link=url if LINK.fullmatch(url) else None)
    out.print(Padding(Text(visible(row["title"] or "(no title)"), style), (0, 0, 0, 6), expand=False))
    if said:
        out.print(Padding(Text(visible(said)), (0, 0, 0, 6), expand=False))
    if url:
        out.print(visible(f"      {url}"), style="dim", markup=False, soft_wrap=True)


Which = Annotated[list[str], argument("Numbers, or ids; the beginning is enough.", "STORY...")]
Undo = Annotated[bool, flag("--undo", "Remove the mark.")]


def read(story: Which, undo: Undo = False, team: Team = news.NOBODY, is_json: Json = False) -> None:
    """Mark stories as read; with --undo as unread."""
    state = "unread" if undo else "read"
    _change(story, team, state, state=state, is_json=is_json)


def star(story: Which, undo: Undo = False, team: Team = news.NOBODY, is_json: Json = False) -> None:
    """Star stories, so that `stories --starred` shows them; with --undo remove the star."""
    _change(story, team, "not starred" if undo else "starred", pinned=not undo, is_json=is_json)


def archive(story: Which, undo: Undo = False, team: Team = news.NOBODY, is_json: Json = False) -> None:
    """Archive stories, so that lists leave them out; with --undo, lists show them again, marked as read."""
    state = "read" if undo else "archived"
    _change(story, team, state, state=state, is_json=is_json)


def _change(
    names: Sequence[str], team: UUID, said: str, *, state: str | None = None, pinned: bool | None = None, is_json: bool
) -> None:
    with database() as conn, transaction(conn):
        found = {news.find_story(conn, name): name for name in names}
        for story in sorted(found):
            mark(conn, story, team, state=state, pinned=pinned)
    results = [{"id": story, "result": said} for story in found]
    answer(results, *(f"{name}: {said}" for name in found.values()), is_json=is_json)
