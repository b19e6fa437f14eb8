"""Runs ingest-oneoff, which adds one page whose address a person gave."""

from __future__ import annotations

from typing import Any

from psycopg2.extras import Json
from pydantic import BaseModel

from actors.engine.canonical import canonical_url
from actors.engine.contract import EngineError, short_identity
from actors.engine.fetch import parse
from actors.outcomes import Outcome
from actors.schema import IngestOneoff
from actors.sources.fetching import send_fetches
from actors.store import SQL, items, sources
from actors.store.items import NewItem
from zeke_jobs import Context, Reject


class OneoffSettings(BaseModel, extra="forbid", frozen=True):
    """Defines the settings of ingest-oneoff. ``high_priority`` is the job priority of a request with ``high``."""

    high_priority: int = 20


def ingest_oneoff(payload: IngestOneoff, ctx: Context[OneoffSettings]) -> dict[str, Any]:
    """Add a page to its site's ``manual`` source. Queue it, also after a failed fetch, unless it is queued or stored.

    Raises:
        Reject: the address is not valid.
    """
    try:
        url = str(parse(payload.url))
    except EngineError as error:
        raise Reject(f"{error.code}: {error}") from error
    priority = ctx.settings.high_priority if payload.priority == "high" else None
    told = (("requested_by", payload.requested_by), ("priority", priority))
    metadata = {name: value for name, value in told if value is not None}
    with ctx.transaction() as tx:
        source_id = sources.manual(tx, url)
        identity = short_identity(canonical_url(url))
        found = items.add(tx, source_id, NewItem(external_id=identity, url=url, metadata=metadata))
        result: dict[str, Any] = {"raw_item_id": str(found.id), "outcome": "queued"}
        # The page's item still waits for its fetch, or has a story already.
        if found.outcome and Outcome(found.outcome).status in {"pending", "completed"}:
            result["outcome"] = found.outcome
            result["story_id"] = str(found.story_id) if found.story_id else None
        else:
            if not found.is_new:
                SQL.run(tx, "item_reset", raw_item_id=found.id, url=url, title=None, metadata=Json(metadata))
            items.queue(tx, [found.id])
            send_fetches(ctx, [(found.id, url)], priority=priority)
        ctx.complete(result)
    return result
