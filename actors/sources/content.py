"""Runs fetch-content, which gets the full text of raw items and turns them into stories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

from psycopg2.extensions import connection as Connection
from pydantic import BaseModel, Field

from actors.engine.contract import Engine, EngineError
from actors.outcomes import IN_FLIGHT, Outcome
from actors.schema import FetchContent
from actors.sources import filters
from actors.sources.fetching import PoliteEngine, send_fetches
from actors.sources.filing import Filed, file_text
from actors.sources.filters import Rules, refusal
from actors.sources.obtain import Missing, is_article, obtain, stand_in
from actors.sources.rules import Rule
from actors.store import SQL, items
from actors.store.items import Item, Text
from actors.waiting import grown
from zeke_jobs import Context, Defer, Duration, parse_duration
from zeke_jobs.errors import ClaimLost
from zeke_jobs.postgres.pool import is_away


class ContentSettings(BaseModel, extra="forbid", frozen=True):
    """Defines the settings of fetch-content.

    Attributes:
        least_characters: A shorter text does not become a story (``too_short``).
        near_duplicate: Two texts with at least this Jaccard similarity of 5-word shingles are versions of one text.
        attempts: The maximum number of times that an item is fetched if the faults are temporary.
        first_wait: The wait before the second attempt. It doubles with each further attempt, up to ``longest_wait``.
            The wait that a site asks for has the same maximum.
        engine_wait: The wait if the Engine is unavailable and does not say for how long. No attempt is counted then.
        filters: Rules that drop items, in addition to those of ``zeke-news filter``.
    """

    least_characters: int = Field(default=200, ge=1)
    near_duplicate: float = Field(default=0.5, gt=0, le=1)
    attempts: int = Field(default=8, ge=1)
    first_wait: Duration = parse_duration("5m")
    longest_wait: Duration = parse_duration("6h")
    engine_wait: Duration = parse_duration("1m")
    filters: tuple[Rule, ...] = ()

    def wait(self, attempts: int, asked: float | None) -> timedelta:
        """Return the wait after a number of failed fetches. ``asked`` is what the site asked for, in seconds."""
        return grown(attempts, self.first_wait, self.longest_wait, asked, self.longest_wait)


def fetch_content(payload: FetchContent, ctx: Context[ContentSettings]) -> dict[str, Any]:
    """Fetch the items one after another. Each result is stored in its own transaction. An item with a final outcome is skipped.

    A failed item is sent again later in a job of its own. Until then, the item's story has the feed's text, if the
    feed's text is an article.

    Raises:
        Defer: another job is asking the same host, requests to the host are paused, or the Engine is unavailable.
    """
    found = map(items.of_row, SQL.all(ctx.db, "items_for_fetch", ids=list(payload.raw_item_ids)))
    waiting = [item for item in found if item.outcome is None or item.outcome in IN_FLIGHT]
    with PoliteEngine(cast("Engine", ctx.service("engine")), ctx, ctx.settings.engine_wait.total_seconds()) as engine:
        counts = _fetch(ctx, waiting, engine)
    skipped = len(payload.raw_item_ids) - len(waiting)
    return {"outcomes": dict(counts)} | ({"left_alone": skipped} if skipped else {})


def _fetch(ctx: Context[ContentSettings], waiting: list[Item], engine: PoliteEngine) -> Counter[str]:
    counts: Counter[str] = Counter()
    broken: Exception | None = None
    rules = filters.named(ctx.db, ctx.settings.filters)
    for place, item in enumerate(waiting):
        engine.leave()
        try:
            found = refusal(rules, item) or obtain(item, engine, ctx.settings.least_characters)
            refused = refusal(rules, item, found) if isinstance(found, Text) else None
            counts[_end(ctx, item, refused or found)] += 1
        except EngineError as error:
            rest = waiting[place + 1 :]
            # If the host cannot be reached, all remaining items of the batch fail.
            failed = (item, *rest) if error.is_unreachable else (item,)
            counts.update(_failed(ctx, one, error, rules) for one in failed)
            if error.is_unreachable:
                break
            if error.code is Outcome.RATE_LIMITED:
                counts["postponed"] += _postpone(ctx, rest, error)
                break
        except Exception as error:  # the error is raised again below
            if isinstance(error, Defer | ClaimLost) or is_away(error):
                raise
            ctx.logger.exception("an item cannot be brought in", item=str(item.id), url=item.url)
            broken = broken or error
        else:
            ctx.progress(place + 1, len(waiting))
    if broken is not None:
        raise broken
    return counts


def _end(ctx: Context[ContentSettings], item: Item, text: Text | Missing) -> str:
    with ctx.transaction() as tx:
        if items.lock(tx, item.id)[0] not in IN_FLIGHT:
            return "ended_elsewhere"
        if isinstance(text, Missing):
            return _missing(tx, item, text)
        return _file(ctx, tx, item, text).outcome.value


def _file(ctx: Context[ContentSettings], tx: Connection, item: Item, text: Text) -> Filed:
    filed = file_text(tx, item, text, ctx.settings.near_duplicate)
    if filed.is_news or filed.has_grown:
        payload = {"story_id": str(filed.story_id), "trigger": "auto" if filed.is_news else "grown"}
        ctx.send("analyze-story", payload, priority=item.metadata.get("priority"), batch=ctx.batch_id)
    return filed


def _missing(tx: Connection, item: Item, missing: Missing) -> str:
    outcome, detail = missing.outcome, missing.detail
    known = items.text_of(tx, item.id)
    story_id = known.story_id if known else None
    if story_id is not None:
        # An item that has a story keeps the story, unless the site removed the page.
        taken_back = outcome in {Outcome.NOT_FOUND, Outcome.GONE}
        outcome, detail = Outcome.RETRACTED if taken_back else Outcome.STORED, f"read again: {detail}"
    items.decide(tx, [item.id], outcome, detail, story_id=story_id)
    return outcome.value


def _failed(ctx: Context[ContentSettings], item: Item, error: EngineError, rules: Rules) -> str:
    """Send the item again in a job of its own, or give up. Until the page is fetched, the story has the feed's text."""
    if refused := refusal(rules, item):
        return _end(ctx, item, refused)
    settings = ctx.settings
    told = stand_in(item, error, settings.least_characters)
    told = None if told and refusal(rules, item, told) else told
    with ctx.transaction() as tx:
        outcome, before = items.lock(tx, item.id)
        if outcome not in IN_FLIGHT:
            return "ended_elsewhere"
        attempts = before + 1
        is_last = attempts >= settings.attempts
        filed = None
        if told and (is_last or is_article(told)) and items.text_of(tx, item.id) is None:
            filed = _file(ctx, tx, item, told)
        if is_last:
            reason = f"{error} (attempt {attempts}, the last)"
            return filed.outcome.value if filed else _missing(tx, item, Missing(error.code, reason))
        wait = settings.wait(attempts, error.retry_after)
        meanwhile = "; the feed's text is its story meanwhile" if filed else ""
        detail = f"{error.code}: {error} (attempt {attempts} of {settings.attempts}){meanwhile}"
        items.decide(tx, [item.id], Outcome.RETRYING, detail, attempts=attempts, wait=wait)
        send_fetches(ctx, [(item.id, item.url)], delay=wait, priority=item.metadata.get("priority"))
    return Outcome.RETRYING.value


def _postpone(ctx: Context[ContentSettings], rest: Sequence[Item], error: EngineError) -> int:
    """Postpone the batch's other items because their host limits requests. This does not count as an attempt."""
    wait = ctx.settings.wait(1, error.retry_after)
    with ctx.transaction() as tx:
        held = []
        for item in sorted(rest, key=lambda one: one.id):
            outcome, attempts = items.lock(tx, item.id)
            if outcome in IN_FLIGHT:
                detail = f"waits with its host: {error}"
                items.decide(tx, [item.id], Outcome.RETRYING, detail, attempts=attempts, wait=wait)
                held.append((item.id, item.url))
        send_fetches(ctx, held, delay=wait)
    return len(held)
