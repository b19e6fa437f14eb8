"""``zeke-news costs``: calls of the AI step and their costs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import typer

from actors.cli.output import Json, console, database, in_json, table
from actors.cli.stories import find
from actors.store.statements import SQL

_MOST = 50  # rows


class By(StrEnum):
    """The groups by which costs are added up."""

    DAY = "day"
    TASK = "task"
    MODEL = "model"
    STORY = "story"
    OUTCOME = "outcome"


def costs(
    by: Annotated[By, typer.Option(help="The groups of the sums.")] = By.DAY,
    days: Annotated[int, typer.Option(metavar="N", help="How many days back, today included (UTC).", min=1)] = 30,
    story: Annotated[
        str | None, typer.Option(metavar="ID", help="Only this story; the beginning of its id is enough.")
    ] = None,
    is_json: Json = False,
) -> None:
    """Calls, tokens and US dollars of the AI step; a missing price counts as unknown, not as 0."""
    since = datetime.now(UTC).date() - timedelta(days=days - 1)
    with database() as conn:
        story_id = None if story is None else find(conn, story)
        rows = SQL.all(conn, "ai_costs", by=by.value, since=since, story_id=story_id, limit=_MOST)
    if in_json(rows, is_json=is_json):
        return
    if not rows:
        console().print(f"no AI calls since {since}; the local provider makes none")
        return
    right: dict[str, Any] = {"justify": "right"}
    columns: list[str | tuple[str, dict[str, Any]]] = [by.value]
    columns += [(title, right) for title in ("calls", "cached", "failed", "in", "out", "US$", "unknown", "ms")]
    names = ("name", "calls", "cached", "failed", "input_tokens", "output_tokens", "cost_usd", "unknown", "latency_ms")
    for row in rows:
        row["cost_usd"] = "?" if row["cost_usd"] is None else f"{row['cost_usd']:.4f}"
    console().print(table(columns, ([row[name] for name in names] for row in rows)))
