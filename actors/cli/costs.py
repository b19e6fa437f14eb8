"""``zeke-news costs``: calls of the AI step and their costs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import typer

from actors.cli.output import as_json, console, database, table
from actors.store import ai_calls, news
from actors.store.news import NotFound


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
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Calls, tokens and US dollars of the AI step; a missing price counts as unknown, not as 0."""
    since = datetime.now(UTC).date() - timedelta(days=days - 1)
    with database() as conn:
        story_id = None if story is None else news.find_story(conn, story)
        if story is not None and story_id is None:
            raise NotFound(f"expected the id of a story, got {story!r}; see zeke-news stories")
        rows = ai_calls.costs(conn, by=by.value, since=since, story_id=story_id)
    if is_json:
        as_json(rows)
        return
    if not rows:
        console().print(f"no AI calls since {since}; the local provider makes none")
        return
    right: dict[str, Any] = {"justify": "right"}
    columns: list[str | tuple[str, dict[str, Any]]] = [by.value]
    columns += [(title, right) for title in ("calls", "cached", "failed", "in", "out", "US$", "unknown", "ms")]
    shown = [
        (
            row["name"],
            row["calls"],
            row["cached"],
            row["failed"],
            row["input_tokens"],
            row["output_tokens"],
            "?" if row["cost_usd"] is None else f"{row['cost_usd']:.4f}",
            row["unknown"],
            row["latency_ms"],
        )
        for row in rows
    ]
    console().print(table(columns, shown))
