"""How items are handed to fetch-content, in batches of one host, and how hosts are asked: one request at a time."""

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
    """An engine that asks a host only while no other job of the fleet does, feed or page; the host is held until the end.

    A host that says when it may be asked again is left alone until then by every job.

    Args:
        engine: Who is asked.
        ctx: Of the job that asks.
        away: How long the job waits for an Engine that cannot be asked and does not say how long.

    Raises:
        Defer: by its questions, where another job holds the host (this one is tried again in some seconds), where the host
            rests, or where the Engine cannot be asked: nothing of that is a fault of what is fetched.
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
        """Let all jobs wait for a host that asks for it, and this one for an Engine that is away."""
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
            # Under the lease: who had it before has said by now what the host asked for.
            if (until := hosts.resting(self._ctx.db, host)) is not None:
                raise Defer(until, f"{host} asked to be left alone until {until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")
            self._host = host


def batches(items: Iterable[tuple[UUID, str | None]], size: int = MAX_BATCH) -> list[tuple[str, list[UUID]]]:
    """Group items by the host of their address, each group in batches of up to ``size``.

    A batch is worked off item by item, so its host gets one request at a time.
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

    The host is the jobs' key: with ``per_key: 1`` on the task, a host is asked by one job at a time.

    Returns:
        How many jobs were sent.
    """
    grouped = batches(items, size)
    for host, ids in grouped:
        payload = {"raw_item_ids": [str(one) for one in ids]}
        ctx.send("fetch-content", payload, key=host or None, priority=priority, delay=delay, batch=batch)
    return len(grouped)
