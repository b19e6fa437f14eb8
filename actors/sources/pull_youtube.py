"""Runs ingest-pull-youtube, which sends ingest-source for each YouTube channel that is due."""

from typing import Any

from actors.schema import IngestPullYoutube
from actors.sources.pull import PullSettings, send_due
from actors.store.sources import YOUTUBE_TYPES
from zeke_jobs import Context


def ingest_pull_youtube(payload: IngestPullYoutube, ctx: Context[PullSettings]) -> dict[str, Any]:
    """Send a job for each channel that is due."""
    return send_due(ctx, YOUTUBE_TYPES, payload.reason)
