"""Runs ``zeke-news costs``, which shows calls of the AI step and their costs."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from actors.cli.output import Json, database, table
from actors.store import news
from actors.store.statements import SQL
from zeke_jobs.cli.options import option

_MOST = 50

By = Literal["day", "task", "model", "story", "outcome"]
_NUMBERS: dict[str, Any] = {
    "calls": "calls",
    "cached": "cached",
    "failed": "failed",
    "in": "input_tokens",
    "out": "output_tokens",
    "US$": lambda row: "?" if row["cost_usd"] is None else f"{row['cost_usd']:.4f}",
    "unknown": "unknown",
    "ms": "latency_ms",
}


def costs(
    by: Annotated[By, option("The groups of the sums.")] = "day",
    days: Annotated[int, option("How many days back, today included (UTC).", "N", min=1)] = 30,
    story: Annotated[str | None, option("Only this story; the beginning of its id is enough.", "ID")] = None,
    is_json: Json = False,
) -> None:
    """Show calls, tokens and US dollars of the AI step; a missing price counts as unknown, not as 0."""
    since = datetime.now(UTC).date() - timedelta(days=days - 1)
    with database() as conn:
        story_id = None if story is None else news.find_story(conn, story)
        rows = SQL.all(conn, "ai_costs", by=by, since=since, story_id=story_id, limit=_MOST)
    empty = f"no AI calls since {since}; the local provider makes none"
    table(rows, {by: "name", **_NUMBERS}, empty, *_NUMBERS, is_json=is_json)
