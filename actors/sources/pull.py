"""ingest-pull: send ingest-source for each feed that is due, and queue lost items again."""

from typing import Any

from actors.schema import IngestPull
from actors.sources.due import PullSettings, send_due, sweep
from actors.store.sources import POLLED_TYPES
from zeke_jobs import Context


def ingest_pull(payload: IngestPull, ctx: Context[PullSettings]) -> dict[str, Any]:
    """Send a job for each feed that is due; a second pull right after finds none."""
    lost = sweep(ctx)
    return send_due(ctx, POLLED_TYPES, payload.reason, also=lost)
