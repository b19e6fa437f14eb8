"""Runs ``zeke-news digest``, which prints a digest of a day or a week, and ``costs``, which sums up AI costs."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from actors.briefs import rendering
from actors.cli.output import Json, database, end_in_json, named, say, table
from actors.store import SQL, news
from actors.store.news import NotFound
from zeke_jobs.cli.options import option
from zeke_jobs.cli.run import usage

_NUMBERS = named("calls, cached, failed, in=input_tokens, out=output_tokens, US$, unknown, ms=latency_ms")
_NUMBERS["US$"] = lambda row: "?" if row["cost_usd"] is None else f"{row['cost_usd']:.4f}"
_day = usage()(date.fromisoformat)


def digest(
    period: Annotated[Literal["day", "week"], option("Its period.")] = "day",
    ends_on: Annotated[date | None, option("Its last day; the latest by default.", "DAY", parser=_day)] = None,
    team: Annotated[UUID | None, option("For this team; by default for all.", "UUID")] = None,
    form: Annotated[Literal["text", "markdown", "html", "json"], option("Output format.", None, "--format")] = "text",
    is_json: Json = False,
) -> None:
    """Print the latest digest."""
    with database() as conn:
        found = SQL.one(conn, "digest_get", period=period, team_id=team, ends_on=ends_on)
    if found is None:
        day = f'\'{{"period": "{period}", "ends_on": "{ends_on or datetime.now(UTC).date()}"}}\''
        raise NotFound(
            f"expected a digest, got none {f'that ends on {ends_on}' if ends_on else 'yet'}; deliver-digest writes one each day\n"
            f"  help: make the digest {'of that day' if ends_on else 'of today so far'}: zeke-jobs send deliver-digest {day}"
        )
    end_in_json(found, is_json=is_json or form == "json")
    render = {"text": rendering.text, "markdown": rendering.markdown, "html": rendering.html}
    say(render[form](found), end="")


def costs(
    by: Annotated[Literal["day", "task", "model", "story", "outcome"], option("The groups of the sums.")] = "day",
    days: Annotated[int, option("How many days back, today included (UTC).", "N", min=1, max=36500)] = 30,
    story: Annotated[str | None, option("Only this story; the beginning of its id is enough.", "ID")] = None,
    is_json: Json = False,
) -> None:
    """Show calls, tokens and US dollars of the AI step; a missing price counts as unknown, not as 0."""
    since = datetime.now(UTC).date() - timedelta(days=days - 1)
    with database() as conn:
        story_id = None if story is None else news.find_story(conn, story)
        rows = SQL.all(conn, "ai_costs", by=by, since=since, story_id=story_id, limit=50)
    empty = f"no AI calls since {since}; the local provider makes none"
    table(rows, {by: "name", **_NUMBERS}, right=tuple(_NUMBERS), empty=empty, as_json=is_json)
