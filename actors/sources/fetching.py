"""How items are handed to fetch-content: in batches of one host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.engine.canonical import site_of
from actors.schema import MAX_BATCH

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta
    from uuid import UUID

    from zeke_jobs import Context


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
) -> int:
    """Send fetch-content for items; call it in the transaction that queued them.

    The host is the jobs' key: with ``per_key: 1`` on the task, a host is asked by one job at a time.

    Returns:
        How many jobs were sent.
    """
    grouped = batches(items, size)
    for host, ids in grouped:
        payload = {"raw_item_ids": [str(one) for one in ids]}
        ctx.send("fetch-content", payload, key=host or None, priority=priority, delay=delay)
    return len(grouped)
