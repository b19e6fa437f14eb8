"""``zeke-news costs``: calls of the AI step and their costs."""

from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Annotated, Literal

from actors.cli.output import Json, database, in_json
from actors.store import news
from actors.store.statements import SQL
from zeke_jobs.cli.options import option
from zeke_jobs.cli.output import listing

_MOST = 50  # rows


By = Literal["day", "task", "model", "story", "outcome"]
_NUMBERS = {
    "calls": "calls",
    "cached": "cached",
    "failed": "failed",
    "in": "input_tokens",
    "out": "output_tokens",
    "US$": "cost_usd",
    "unknown": "unknown",
    "ms": "latency_ms",
}


def costs(
    by: Annotated[By, option("The groups of the sums.")] = "day",
    days: Annotated[int, option("How many days back, today included (UTC).", "N", min=1)] = 30,
    story: Annotated[str | None, option("Only this story; the beginning of its id is enough.", "ID")] = None,
    is_json: Json = False,
) -> None:
    """Calls, tokens and US dollars of the AI step; a missing price counts as unknown, not as 0."""
    since = datetime.now(UTC).date() - timedelta(days=days - 1)
    with database() as conn:
        story_id = None if story is None else news.find_story(conn, story)
        rows = SQL.all(conn, "ai_costs", by=by, since=since, story_id=story_id, limit=_MOST)
    if in_json(rows, is_json=is_json):
        return
    for row in rows:
        row["cost_usd"] = "?" if row["cost_usd"] is None else f"{row['cost_usd']:.4f}"
    columns = {by: itemgetter("name")} | {title: itemgetter(name) for title, name in _NUMBERS.items()}
    listing(rows, columns, right=tuple(_NUMBERS), empty=f"no AI calls since {since}; the local provider makes none")
