"""``zeke-news digest``: the top events of a day or a week."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer

from actors.briefs import rendering
from actors.cli.output import Json, as_json, database, say
from actors.store import digests
from actors.store.news import NotFound


class Period(StrEnum):
    """The period of a digest."""

    DAY = "day"
    WEEK = "week"


class Format(StrEnum):
    """The output format of a digest."""

    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"


def digest(
    period: Annotated[Period, typer.Option(help="Its period.")] = Period.DAY,
    ends_on: Annotated[
        str | None, typer.Option(metavar="DAY", help="Its last day, as 2026-11-25; the latest by default.")
    ] = None,
    team: Annotated[str | None, typer.Option(metavar="UUID", help="A team's; that for all by default.")] = None,
    form: Annotated[Format, typer.Option("--format", help="Output format.")] = Format.TEXT,
    is_json: Json = False,
) -> None:
    """Print the latest digest."""
    try:
        last, team_id = ends_on and date.fromisoformat(ends_on), team and UUID(team)
    except ValueError as error:
        raise typer.BadParameter(f"expected a day as 2026-11-25 and a team's id (uuid): {error}") from error
    with database() as conn:
        found = digests.get(conn, period=period.value, team_id=team_id or None, ends_on=last or None)
    if found is None:
        today = f'\'{{"period": "{period.value}", "ends_on": "{datetime.now(UTC).date()}"}}\''
        raise NotFound(
            f"expected a digest, got none yet; deliver-digest writes one each morning\n"
            f"  help: make that of today so far: zeke-jobs send deliver-digest {today}"
        )
    if is_json or form is Format.JSON:
        as_json(found)
        return
    render = {Format.TEXT: rendering.text, Format.MARKDOWN: rendering.markdown, Format.HTML: rendering.html}
    say(render[form](found), end="")
