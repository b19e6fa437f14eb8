"""Runs ingest-pull, which sends ingest-source for each feed that is due, and queues lost items again."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from pydantic import BaseModel, Field

from actors.engine.canonical import site_of
from actors.schema import IngestPull
from actors.sources.fetching import Period, open_batch, send_fetches
from actors.store import SQL
from actors.store.sources import POLLED_TYPES
from zeke_jobs import Context, Duration, parse_duration


class PullSettings(BaseModel, extra="forbid", frozen=True):
    """Defines the settings of ingest-pull and ingest-pull-youtube.

    Attributes:
        most: The maximum number of sources in one pull; the next pull begins with the rest.
        burst: Up to this number of jobs start at once; a larger number is spread evenly over the time ``spread``.
        lost_after: A source or item that was queued longer ago than this and has no unfinished job is queued again.
        most_items: The maximum number of lost items that one pull queues again.
        most_times: An item that was lost this number of times is given up (``abandoned``).
        digest: The period (``day`` or ``week``) whose digest is written when all stories of a pull are analysed.
    """

    most: int = Field(default=10_000, ge=1)
    burst: int = Field(default=200, ge=1)
    spread: Duration = parse_duration("4m")
    lost_after: Duration = parse_duration("1h")
    most_items: int = Field(default=1_000, ge=0)
    most_times: int = Field(default=5, ge=1)
    digest: Period | None = None


def ingest_pull(payload: IngestPull, ctx: Context[PullSettings]) -> dict[str, Any]:
    """Queue again items whose jobs were lost, and send a job for each feed that is due and not queued already."""
    settings = ctx.settings
    bounds = {"lost_after": settings.lost_after, "most": settings.most_items, "most_times": settings.most_times}
    with ctx.transaction() as tx:
        lost = SQL.all(tx, "items_sweep", **bounds)
        again = [item for item in lost if not item["is_given_up"]]
        send_fetches(ctx, [(item["id"], item["url"]) for item in again if item["times"] == 1])
        # An item whose job was lost more than once gets a job of its own.
        send_fetches(ctx, [(item["id"], item["url"]) for item in again if item["times"] > 1], size=1)
    counts = {"queued_again": len(again), "abandoned": len(lost) - len(again)}
    return send_due(ctx, POLLED_TYPES, payload.reason, **counts)


def send_due(ctx: Context[PullSettings], types: Sequence[str], reason: str, **also: int) -> dict[str, Any]:
    """Send ingest-source for the sources that are due. ``also`` is added to the job's output."""
    settings = ctx.settings
    with ctx.transaction() as tx:
        everything = reason == "manual"
        bounds = {"lost_after": settings.lost_after, "most": settings.most}
        rows = SQL.all(tx, "sources_claim_due", types=list(types), all=everything, **bounds)
        due = [(row["id"], row["url"] or "") for row in rows]
        batch = open_batch(ctx, tx, "pull", settings.digest) if due and settings.digest else None
        # If many sources are due, their jobs start in groups, one second apart.
        slots = max(1, int(settings.spread.total_seconds())) if len(due) > settings.burst else 1
        for slot, group in groupby(range(len(due)), key=lambda place: place * slots // len(due)):
            ids, urls = zip(*(due[place] for place in group), strict=True)
            payloads = [{"source_id": str(one), "reason": reason} for one in ids]
            delay = settings.spread * slot / slots if slots > 1 else None
            keys = [site_of(url) or None for url in urls]
            ctx.send_many("ingest-source", payloads, keys=keys, delay=delay, batch=batch and batch.id)
        if batch is not None:
            batch.close()
        result = {"outcome": "sent" if due else "nothing_due", "sources": len(due), **also}
        ctx.complete(result)
    return result
