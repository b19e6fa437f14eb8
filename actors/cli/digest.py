"""``zeke-news digest``: the top events of a day or a week."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer

from actors.cli.output import as_json, chili, console, database, escape, short, visible
from actors.store import digests
from actors.store.news import NotFound


class Period(StrEnum):
    """What a digest covers."""

    DAY = "day"
    WEEK = "week"


def digest(
    period: Annotated[Period, typer.Option(help="What it covers.")] = Period.DAY,
    ends_on: Annotated[
        str | None, typer.Option(metavar="DAY", help="Its last day, as 2026-11-25; the latest by default.")
    ] = None,
    team: Annotated[str | None, typer.Option(metavar="UUID", help="A team's; that for all by default.")] = None,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """The latest digest that generate-brief wrote."""
    try:
        last, team_id = ends_on and date.fromisoformat(ends_on), team and UUID(team)
    except ValueError as error:
        raise typer.BadParameter(f"expected a day as 2026-11-25 and a team's id (uuid): {error}") from error
    with database() as conn:
        found = digests.get(conn, period=period.value, team_id=team_id or None, ends_on=last or None)
    if found is None:
        raise NotFound(
            f'expected a digest, got none yet; make one: zeke-jobs send generate-brief \'{{"period": "{period.value}"}}\''
        )
    if is_json:
        as_json(found)
        return
    out = console()
    out.print(f"[bold]The {period.value} to {found['ends_on']}[/bold]  {len(found['entries'])} events")
    for entry in found["entries"]:
        sources = f", {entry['sources']} sources" if entry["sources"] > 1 else ""
        head = f"\n{chili(entry['chili'])}  [bold]{escape(entry['title'] or '')}[/bold]  {short(entry['story_id'])}"
        out.print(f"{head}  [dim]{escape(entry['source'] or '?')}{sources}[/dim]")
        out.print(visible(f"   {entry['one_liner']}"), markup=False)
