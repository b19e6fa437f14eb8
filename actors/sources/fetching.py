"""Sends items to fetch-content in batches of one host, and asks hosts with one request at a time."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, Self

from actors.engine.canonical import site_of
from actors.engine.contract import EngineError
from actors.schema import MAX_BATCH
from actors.store import hosts
from zeke_jobs import Defer, Throttled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from uuid import UUID

    from actors.engine.contract import ContentItem, ContentSource, Engine
    from zeke_jobs import Context


class PoliteEngine:
    """An engine that asks a host, for a feed or a page, only while no other job of the fleet does. A lease holds the host.

    If a host names the time of the next request, no job asks it before.

    Args:
        engine: The engine that fetches.
        ctx: The job's context.
        away: The wait for an unavailable Engine that names no time.

    Raises:
        Defer: by its methods, if another job holds the host (this one is tried again in some seconds), the host
            rests, or the Engine is unavailable: none of this is a fault of the page or feed.
    """

    def __init__(self, engine: Engine, ctx: Context[Any], away: timedelta = timedelta(minutes=1)) -> None:
        self._engine = engine
        self._ctx = ctx
        self._away = away
        self._held = ExitStack()
        self._host = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def fetch_item(self, url: str) -> ContentItem:
        """See ``Engine``."""
        self._hold(url)
        with self._there():
            return self._engine.fetch_item(url)

    def fetch_source(self, url: str, etag: str | None = None, last_modified: str | None = None) -> ContentSource:
        """See ``Engine``."""
        self._hold(url)
        with self._there():
            return self._engine.fetch_source(url, etag, last_modified)

    @contextmanager
    def _there(self) -> Iterator[None]:
        """Make all jobs wait for a host that asks for it, and this job for an Engine that is away."""
        try:
            yield
        except EngineError as error:
            if error.code == "rate_limited" and error.retry_after and self._host:
                with self._ctx.transaction() as tx:
                    hosts.rest(tx, self._host, timedelta(seconds=error.retry_after))
            if not error.is_away:
                raise
            if error.retry_after:
                raise Throttled("engine", error.retry_after, str(error)) from error
            raise Defer(self._away, str(error)) from error

    def _hold(self, url: str) -> None:
        host = site_of(url)
        if host == self._host:
            return
        self._held.close()
        self._host = ""
        if host:
            self._held.enter_context(self._ctx.lease(f"host/{host}"))
            # Under the lease, so that a rest noted by its last holder is visible.
            if (until := hosts.resting(self._ctx.db, host)) is not None:
                raise Defer(until, f"{host} asked to be left alone until {until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")
            self._host = host


def batches(items: Iterable[tuple[UUID, str | None]], size: int = MAX_BATCH) -> list[tuple[str, list[UUID]]]:
    """Group items by the host of their address, each group in batches of up to ``size``.

    A job fetches its batch item by item, so the host gets one request at a time.
    """
    hosts: dict[str, list[UUID]] = {}
    for one, url in items:
        hosts.setdefault(site_of(url) if url else "", []).append(one)
    return [(host, ids[start : start + size]) for host, ids in hosts.items() for start in range(0, len(ids), size)]


def send_fetches(
    ctx: Context[Any],
    items: Iterable[tuple[UUID, str | None]],
    *,
    size: int = MAX_BATCH,
    priority: int | None = None,
    delay: timedelta | None = None,
    batch: str | None = None,
) -> int:
    """Send fetch-content for items; call it in the transaction that queued them.

    The host is the jobs' key: with ``per_key: 1`` on the task, one job at a time asks a host.

    Returns:
        The number of jobs sent.
    """
    grouped = batches(items, size)
    for host, ids in grouped:
        payload = {"raw_item_ids": [str(one) for one in ids]}
        ctx.send("fetch-content", payload, key=host or None, priority=priority, delay=delay, batch=batch)
    return len(grouped)
