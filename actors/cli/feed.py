"""``zeke-news feed``: stories for other readers."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from actors.briefs.syndication import atom, json_feed
from actors.briefs.whole_file import write_whole
from actors.cli.output import Team, database, say
from actors.cli.stories import Leads, MinChili, Since, Source, Starred
from actors.store import news
from zeke_jobs.cli.options import option


def feed(
    form: Annotated[Literal["atom", "json"], option("Output format.", None, "--format")] = "atom",
    output: Annotated[
        Path | None, option("Where to write it, whole or not at all; else to the screen.", "FILE")
    ] = None,
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
    """Stories as Atom or JSON Feed, newest first."""
    now = datetime.now(UTC)
    earliest = now - since if since else None
    with database() as conn:
        rows = news.stories(
            conn, limit=limit, sources=news.sources_like(conn, source), since=earliest, min_chili=min_chili, leads=leads,
            team=team, starred=starred,
        )  # fmt: skip
    made = json_feed(rows, title=title, url=url) if form == "json" else atom(rows, title=title, url=url, now=now)
    if output is None:
        say(made, end="")
        return
    try:
        write_whole(output, made)
    except OSError as error:
        raise typer.BadParameter(f"cannot be written: {error}", param_hint="--output") from error
