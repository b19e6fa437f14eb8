"""``zeke-news feed``: stories for other readers."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path  # noqa: TC003 (typer reads the annotations)
from typing import Annotated

import typer

from actors.briefs.syndication import atom, json_feed
from actors.briefs.whole_file import write_whole
from actors.cli.output import Team, database, say, team_of
from actors.cli.stories import Leads, MinChili, Since, Source, Starred, earliest_of, sources_of
from actors.store import news


class Format(StrEnum):
    """The format of a feed."""

    ATOM = "atom"
    JSON = "json"


def feed(
    form: Annotated[Format, typer.Option("--format", help="Output format.")] = Format.ATOM,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write it, whole or not at all; else to the screen.")
    ] = None,
    title: Annotated[str, typer.Option(metavar="NAME", help="Its title.")] = "zeke-news",
    url: Annotated[str | None, typer.Option(metavar="URL", help="Where readers will find it.")] = None,
    source: Source = None,
    since: Since = None,
    min_chili: MinChili = None,
    leads: Leads = False,
    starred: Starred = False,
    team: Team = None,
    limit: Annotated[int, typer.Option(metavar="N", help="Largest number of stories.", min=1, max=1000)] = 50,
) -> None:
    """Stories as Atom or JSON Feed, newest first."""
    now, earliest, team_id = datetime.now(UTC), earliest_of(since), team_of(team)
    with database() as conn:
        rows = news.stories(
            conn, limit=limit, sources=sources_of(conn, source), since=earliest, min_chili=min_chili, leads=leads,
            team=team_id, starred=starred,
        )  # fmt: skip
    made = json_feed(rows, title=title, url=url) if form is Format.JSON else atom(rows, title=title, url=url, now=now)
    if output is None:
        say(made, end="")
        return
    try:
        write_whole(output, made)
    except OSError as error:
        raise typer.BadParameter(f"cannot be written: {error}", param_hint="--output") from error
