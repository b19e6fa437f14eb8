"""Runs ingest-source, which reads one source's feed and queues its new items for fetch-content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from pydantic import BaseModel, Field

from actors.engine import youtube
from actors.engine.contract import ContentItem, ContentSource, Engine, EngineError
from actors.engine.text import one_line
from actors.outcomes import Outcome
from actors.schema import MAX_BATCH, IngestSource
from actors.sources.fetching import PoliteEngine, send_fetches
from actors.sources.rhythm import Rhythm
from actors.store import SQL, items, sources
from actors.store.items import NewItem
from actors.store.sources import PAGE, Polling
from zeke_jobs import Context, Duration
from zeke_jobs.errors import ZekeJobsError
from zeke_jobs.postgres.pool import is_away
from zeke_jobs.postgres.queries import Row


class FirstFetch(BaseModel, extra="forbid", frozen=True):
    """Limits a new source to its newest ``items``. With ``within``, a dated item must also be at most that old."""

    items: int = Field(default=10, ge=0)
    within: Duration | None = None

    def newest(self, entries: Sequence[ContentItem], now: datetime) -> set[str]:
        """Return the ids of the entries that a new source brings in. Undated entries count as the newest."""
        dates = ((one, one.published_at) for one in entries)
        recent = [one for one, date in dates if date is None or self.within is None or date > now - self.within]
        recent.sort(key=lambda one: one.published_at or now, reverse=True)
        return {one.id for one in recent[: self.items]}


class SourceSettings(BaseModel, extra="forbid", frozen=True):
    """Defines the settings of ingest-source. ``batch`` is the maximum number of items in one fetch-content job."""

    rhythm: Rhythm = Field(default_factory=Rhythm)
    first_fetch: FirstFetch = Field(default_factory=FirstFetch)
    batch: int = Field(default=MAX_BATCH, ge=1, le=MAX_BATCH)


def ingest_source(payload: IngestSource, ctx: Context[SourceSettings]) -> dict[str, Any]:
    """Poll a source that is switched on. If the reason is ``schedule``, the source must also be due.

    If the feed cannot be read, the job does not fail. The source becomes unhealthy, and its next poll waits longer.
    """
    source = sources.get(ctx.db, payload.source_id)
    if source is None:
        return {"outcome": "no_such_source"}
    is_early = payload.reason == "schedule" and not source.is_due
    if source.is_active and not source.url:
        problem, wait = "the source has no address", ctx.settings.rhythm.longest
        result: dict[str, Any] = {"outcome": "invalid_url", "detail": problem}
        return _unread(ctx, source, source.polling, wait, f"invalid_url: {problem}", result)
    if is_early or not source.is_active:
        result = {"outcome": "not_due" if source.is_active else "inactive"}
        with ctx.transaction() as tx:
            SQL.run(tx, "source_release", source_id=source.id)
            ctx.complete(result)
        return result
    failures = source.polling.failures + 1
    try:
        with PoliteEngine(cast("Engine", ctx.service("engine")), ctx) as engine:
            answer = engine.fetch_source(source.url, source.polling.etag, source.polling.last_modified)
        return _gone(ctx, source) if answer.gone else _read(ctx, source, answer, payload.backfill)
    except EngineError as error:
        wait = ctx.settings.rhythm.backoff(failures, error.retry_after)
        result = {"outcome": error.code.value, "detail": str(error), "next_check_in_s": int(wait.total_seconds())}
        ctx.logger.warning("source cannot be read", source=source.url, **result)
        polling = replace(source.polling, failures=failures, gone_count=0)
        # The first two temporary failures in a row only cause a warning.
        status = "warn" if error.transient and failures < 3 else "error"
        return _unread(ctx, source, polling, wait, f"{error.code}: {error}", result, status=status)
    except Exception as error:
        # An exception of zeke_jobs, such as Retry, or an unavailable database is not the source's fault.
        if not isinstance(error, ZekeJobsError) and not is_away(error):
            problem = one_line(f"ingest-source failed: {type(error).__name__}: {error}")
            wait = ctx.settings.rhythm.backoff(failures)
            _unread(ctx, source, replace(source.polling, failures=failures), wait, problem)
        raise


def _read(ctx: Context[SourceSettings], source: Row, answer: ContentSource, backfill: int) -> dict[str, Any]:
    settings, rhythm, engine, entries = ctx.settings, ctx.settings.rhythm, ctx.service("engine"), answer.items
    if entries is None:
        raise EngineError("engine_failed", "the Engine gives no list of a feed's items")
    with ctx.transaction() as tx:
        # Another poll of the source may have finished in the meantime.
        SQL.one(tx, "source_lock", source_id=source.id)
        current = sources.get(tx, source.id) or source
        found = items.upsert(tx, source.id, [new_item(entry, source.type) for entry in entries])
        fresh = [entry for entry in entries if found.get(entry.id, (None, False))[1]]
        edited = [entry for entry in entries if entry.id in found and not found[entry.id][1]]
        wanted, backlog = fresh, list[UUID]()
        if not current.polling.fetched_once:
            newest = settings.first_fetch.newest(fresh, source.now)
            wanted = [entry for entry in fresh if entry.id in newest]
            backlog = [found[entry.id][0] for entry in fresh if entry.id not in newest]
        if backlog:
            items.decide(tx, backlog, Outcome.BACKLOG, "older than the first fetch")
        again = SQL.all(tx, "items_backfill", source_id=source.id, most=backfill) if backfill else []
        queued = [(found[entry.id][0], entry.url or None) for entry in (*wanted, *edited)]
        queued += [(row["id"], row["url"]) for row in again]
        items.queue(tx, [one for one, _ in queued])
        send_fetches(ctx, queued, size=settings.batch, batch=ctx.batch_id, engine=engine)
        polling = rhythm.after_success(current.polling, answer)
        polling, new_url = rhythm.follow(polling, answer.moved_to, source.now)
        if source.type in sources.YOUTUBE_TYPES and answer.url.startswith(youtube.FEED) and answer.url != source.url:
            new_url = new_url or answer.url  # this avoids a second look-up of a handle
        interval = rhythm.interval((entry.published_at for entry in entries), source.now)
        if source.type == sources.NEWSLETTER:  # a newsletter answers with new letters only
            interval = rhythm.default
        elif answer.not_modified and source.interval is not None:
            interval = source.interval
        asked = min(answer.next_check_at - source.now, rhythm.longest_wait) if answer.next_check_at else timedelta(0)
        wait = max(interval, asked)
        sources.polled(tx, source.id, polling, wait=wait, interval=interval)
        SQL.run(tx, "source_describe", source_id=source.id, name=answer.name, url=new_url)
        moved = f"moved to {new_url}" if new_url else None
        SQL.run(tx, "source_health_put", source_id=source.id, status="ok", message=moved)
        result: dict[str, Any] = {"outcome": "not_modified" if answer.not_modified else "read", "items": len(entries)}
        result |= {"new": len(wanted), "edited": len(edited), "backlog": len(backlog)}
        if backfill:
            result |= {"backfilled": len(again), "backlog_left": SQL.value(tx, "items_backlog", source_id=source.id)}
        ctx.complete(result)
    return result


def _gone(ctx: Context[SourceSettings], source: Row) -> dict[str, Any]:
    count = source.polling.gone_count + 1
    off = count >= ctx.settings.rhythm.gone_after
    times = "once" if count == 1 else f"{count} times in a row"
    problem = f"gone: the server answered 410 {times}" + ("; switched off" if off else "")
    polling, wait = replace(source.polling, gone_count=count), ctx.settings.rhythm.backoff(count)
    return _unread(ctx, source, polling, wait, problem, {"outcome": "gone", "switched_off": off}, off=off)


def _unread(
    ctx: Context[SourceSettings],
    source: Row,
    polling: Polling,
    wait: timedelta,
    problem: str,
    result: dict[str, Any] | None = None,
    *,
    status: str = "error",
    off: bool = False,
) -> dict[str, Any]:
    """Record why a feed was not read. If ``result`` is given, complete the job with this output."""
    with ctx.transaction() as tx:
        sources.polled(tx, source.id, polling, wait=wait, interval=source.interval or timedelta(hours=1))
        SQL.run(tx, "source_health_put", source_id=source.id, status=status, message=problem)
        if off:
            SQL.run(tx, "source_switch", source_id=source.id, is_active=False)
        if result is not None:
            ctx.complete(result)
    return result or {}


def new_item(entry: ContentItem, source_type: str) -> NewItem:
    """Return an entry of a feed as a new item. A link on a page gets no title, because the linked page has one."""
    is_video = entry.content_type == "video" or source_type == "youtube_channel"
    is_podcast = entry.content_type == "audio" or source_type == "podcast"
    author = entry.author.name if entry.author else None
    told = {"description": entry.description, "author": author, "duration": entry.duration, **entry.metadata}
    return NewItem(
        external_id=entry.id,
        kind="video" if is_video else "podcast" if is_podcast else "article",
        title=None if source_type == PAGE else entry.title or None,
        url=entry.url or None,
        published_at=entry.published_at,
        metadata={name: value for name, value in told.items() if value not in (None, "", [])},
    )
