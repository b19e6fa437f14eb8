"""Runs ``zeke-news digest``, which prints the top events of a day or a week."""

from datetime import UTC, date, datetime
from typing import Annotated, Literal
from uuid import UUID

from actors.briefs import rendering
from actors.cli.output import Json, database, in_json, say, team as team_of
from actors.store.news import NotFound
from actors.store.statements import SQL
from zeke_jobs.cli.options import option
from zeke_jobs.cli.run import usage

Format = Literal["text", "markdown", "html", "json"]
_day = usage()(date.fromisoformat)


def digest(
    period: Annotated[Literal["day", "week"], option("Its period.")] = "day",
    ends_on: Annotated[date | None, option("Its last day; the latest by default.", "DAY", parser=_day)] = None,
    team: Annotated[UUID | None, option("For this team; by default for all.", "UUID", parser=team_of)] = None,
    form: Annotated[Format, option("Output format.", None, "--format")] = "text",
    is_json: Json = False,
) -> None:
    """Print the latest digest."""
    with database() as conn:
        found = SQL.one(conn, "digest_get", period=period, team_id=team, ends_on=ends_on)
    if found is None:
        today = f'\'{{"period": "{period}", "ends_on": "{datetime.now(UTC).date()}"}}\''
        raise NotFound(
            f"expected a digest, got none yet; deliver-digest writes one each morning\n"
            f"  help: make the digest of today so far: zeke-jobs send deliver-digest {today}"
        )
    if in_json(found, is_json=is_json or form == "json"):
        return
    render = {"text": rendering.text, "markdown": rendering.markdown, "html": rendering.html}
    say(render[form](found), end="")
