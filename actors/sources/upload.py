"""Runs ingest-from-upload, which adds uploaded items, each with its text or an address to fetch."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field, ValidationError

from actors.engine.canonical import LONGEST_ADDRESS
from actors.engine.contract import LONGEST_TEXT, EngineError, bounded_metadata, short_identity
from actors.engine.fetch import parse
from actors.engine.text import clean, one_line
from actors.outcomes import Outcome
from actors.schema import IngestFromUpload, UploadItem
from actors.sources.fetching import Period, open_batch, send_fetches
from actors.store import SQL, items, sources
from actors.store.items import NewItem
from zeke_jobs import Context, Reject


class UploadSettings(BaseModel, extra="forbid", frozen=True):
    """Defines the settings of ingest-from-upload. ``digest`` has the same meaning as for ingest-pull.

    Attributes:
        chunk: The number of items that are stored in one transaction.
    """

    chunk: int = Field(default=200, ge=1)
    digest: Period | None = None


def ingest_from_upload(payload: IngestFromUpload, ctx: Context[UploadSettings]) -> dict[str, Any]:
    """Add each uploaded item once, and queue it for a fetch. A broken item is recorded and does not block the others.

    Raises:
        Reject: the source or the upload does not exist.
    """
    if sources.get(ctx.db, payload.source_id) is None:
        raise Reject(f"expected a source, got {payload.source_id}, which does not exist")
    given, unreadable = _items(payload, ctx)
    counts = {"queued": 0, "known": 0, "broken": len(unreadable)}
    chunk = ctx.settings.chunk
    batch: Any = None
    for start in range(0, len(given), chunk):
        with ctx.transaction() as tx:
            queued = []
            new = [(_new_item(item, payload.uploaded_by), item) for item in given[start : start + chunk]]
            for new_item, item in sorted(new, key=lambda one: one[0].external_id):
                found = items.add(tx, payload.source_id, new_item)
                if not found.is_new and found.outcome is not None:
                    counts["known"] += 1
                elif (why := _fault(item)) is not None:
                    items.decide(tx, [found.id], *why)
                    counts["broken"] += 1
                else:
                    queued.append((found.id, item.url))
            items.queue(tx, [one for one, _ in queued])
            if ctx.settings.digest and batch is None:
                batch = open_batch(ctx, tx, "upload", ctx.settings.digest)
            send_fetches(ctx, queued, batch=batch and batch.id)
            counts["queued"] += len(queued)
    result = {"outcome": "taken", **counts} | ({"unreadable": unreadable[:20]} if unreadable else {})
    if batch is not None:
        with ctx.transaction():
            batch.close()
            ctx.complete(result)
    return result


def _items(payload: IngestFromUpload, ctx: Context[UploadSettings]) -> tuple[list[UploadItem], list[str]]:
    if payload.upload_id is None:
        return payload.items, []
    rows = SQL.value(ctx.db, "upload_get", upload_id=payload.upload_id)
    if rows is None:
        raise Reject(f"expected an upload, got {payload.upload_id}, which does not exist")
    given, unreadable = [], []
    for place, row in enumerate(rows):
        try:
            given.append(UploadItem.model_validate(row))
        except ValidationError as error:
            fields = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors())
            unreadable.append(f"item {place}: {fields}")
    return given, unreadable


def _fault(item: UploadItem) -> tuple[Outcome, str] | None:
    if item.text and item.text.strip():
        return None
    if item.url is None:
        return Outcome.NO_URL, "there is neither a text nor an address to fetch it from"
    try:
        parse(item.url)
    except EngineError as error:
        return error.code, str(error)
    return None


def _new_item(item: UploadItem, uploaded_by: str | None) -> NewItem:
    # The uploaded metadata is stored in a field of its own, so that it is not mistaken for a feed's metadata.
    text = clean(item.text)[:LONGEST_TEXT] if item.text else None
    told = {"text": text, "uploaded_by": uploaded_by, "upload": bounded_metadata(item.metadata) or None}
    return NewItem(
        external_id=short_identity(clean(item.external_id)),
        title=one_line(item.title) if item.title else None,
        url=clean(item.url)[:LONGEST_ADDRESS] if item.url else None,
        metadata={name: value for name, value in told.items() if value is not None},
    )
