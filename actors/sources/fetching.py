"""Sends fetch-content jobs with items of one host each, and limits the requests that a host gets at the same time."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from psycopg2.extensions import connection as Connection

from actors import waiting
from actors.engine.canonical import site_of
from actors.engine.contract import ContentItem, ContentSource, Engine, EngineError
from actors.engine.settings import Site, rule_of
from actors.outcomes import Outcome
from actors.retry_after import AWAY
from actors.schema import MAX_BATCH
from actors.store import SQL
from zeke_jobs import Context, Defer, Throttled

Period = Literal["day", "week"]  # the period of the digest after a pull or an upload


class PoliteEngine(ExitStack):
    """Sends requests to a host only while the job holds the host's lease. By default, only one job can hold it.

    If a host or the Engine refuses a request, no job asks it again before the time that the answer names. If a host or
    the Engine cannot be reached, no job asks it for ``away`` seconds. A site's rule may set a pause after each visit,
    or let several jobs hold the lease.

    Raises:
        Defer: another job holds the host, requests to the host are paused, or the Engine is unavailable.
    """

    def __init__(self, engine: Engine, ctx: Context[Any], away: float = AWAY) -> None:
        super().__init__()
        self._engine = engine
        self._ctx = ctx
        self._away = away
        self._host, self._is_paused = "", False

    def rule(self, url: str) -> Site:
        """Return the rule for the site of an address."""
        return rule_of(self._engine, url)

    def fetch_item(self, url: str) -> ContentItem:
        with self._asking(url):
            return self._engine.fetch_item(url)

    def fetch_source(self, url: str, etag: str | None = None, last_modified: str | None = None) -> ContentSource:
        with self._asking(url):
            return self._engine.fetch_source(url, etag, last_modified)

    @contextmanager
    def _asking(self, url: str) -> Iterator[None]:
        self._hold(url)
        try:
            yield
        except EngineError as error:
            wait = error.retry_after or self._away
            if error.is_away:
                waiting.rest(self._ctx, waiting.ENGINE, wait, str(error))
                is_asked = bool(error.retry_after)
                raise (Throttled("engine", wait, str(error)) if is_asked else Defer(wait, str(error))) from error
            is_refusal = error.code is Outcome.RATE_LIMITED and error.retry_after is not None
            if self._host and (is_refusal or error.is_unreachable):
                waiting.rest(self._ctx, waiting.host(self._host), wait, str(error))
            raise

    def leave(self) -> None:
        """If the host's rule has a pause, release the lease: the pause begins, and the next request waits for it."""
        if self._is_paused:
            self._hold("")

    def _hold(self, url: str) -> None:
        host, rule = site_of(url), self.rule(url)
        if host == self._host:
            return
        self.close()
        self._host, self._is_paused = "", False
        if host:
            self.enter_context(self._ctx.lease(waiting.host(host), rule.at_once))
            # Look for a pause after taking the lease, because the last holder of the lease may have started a pause.
            waiting.keep(self._ctx, waiting.host(host), waiting.ENGINE)
            self._host, self._is_paused = host, rule.pause is not None
            if rule.pause:
                rest = (waiting.host(host), rule.pause.total_seconds(), "its rule has a pause")
                self.callback(waiting.rest, self._ctx, *rest)


def send_fetches(
    ctx: Context[Any],
    items: Iterable[tuple[UUID, str | None]],
    *,
    size: int = MAX_BATCH,
    priority: int | None = None,
    delay: timedelta | None = None,
    batch: str | None = None,
    engine: object = None,
) -> None:
    """Send fetch-content jobs with items of one host each. Call this function in the transaction that queued the items.

    The key of a job is the host (see ``per_key``). If the host's rule sets ``at_once``, the host has that number of
    keys, and its jobs are spread over them. The rule comes from the ``engine``.
    """
    hosts: dict[str, list[tuple[UUID, str]]] = {}
    for one, url in items:
        hosts.setdefault(site_of(url) if url else "", []).append((one, url or ""))
    for host, mine in hosts.items():
        lanes = rule_of(engine, mine[0][1]).at_once
        step = min(size, -(-len(mine) // lanes))
        for start in range(0, len(mine), step):
            lane = start // step % lanes
            payload = {"raw_item_ids": [str(one) for one, _ in mine[start : start + step]]}
            key = (f"{host}#{lane}" if lane else host) or None
            ctx.send("fetch-content", payload, key=key, priority=priority, delay=delay, batch=batch)


def open_batch(ctx: Context[Any], tx: Connection, kind: str, period: Period) -> Any:
    """Open a batch of jobs that fetch and process new stories. When all have ended, today's digest is written."""
    then = ("generate-brief", {"period": period, "ends_on": SQL.value(tx, "digest_today").isoformat()})
    return ctx.batch(f"{kind}/{ctx.job_id}", then=then)
