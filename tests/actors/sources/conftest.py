"""The fixture ``pipeline`` runs the tasks ingest-… and fetch-… as a worker does, and reads a site on loopback."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg2.extensions import connection as Connection

from actors.engine import Settings
from actors.store import items, sources
from actors.store.items import NewItem
from tests.actors.database import execute
from tests.actors.scripted_site import Answer, Site, page, paragraphs, rss
from tests.actors.tasks import FIRST_HALF, TASKS
from zeke_jobs.postgres.pool import connect
from zeke_jobs.testing import FakeContext


class Pipeline:
    """The pipeline runs its tasks one after another on one connection; ``sent`` lists the queued jobs in order.

    ``run`` runs one task. ``drain`` runs the queued jobs of ingest and fetch tasks without their delays. An address
    that begins with ``/`` is on ``site``; ``source`` is the source whose feed is ``/feed``.
    """

    def __init__(self, database: str, conn: Connection, site: Site, engine: Any = None) -> None:
        self.database, self.conn, self.site = database, conn, site
        self.engine = (
            engine or Settings.model_validate({"allow_networks": ["127.0.0.0/8"], "page_timeout": "2s"}).open()
        )
        self.settings: dict[str, dict[str, Any]] = {}
        self.sent: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
        self.contexts: list[FakeContext] = []
        self.taken_leases: list[str] = []

    @cached_property
    def source(self) -> UUID:
        return self.add_source("/feed")

    @property
    def host(self) -> str:
        return self.site.url.removeprefix("http://")

    def at(self, url: str) -> str:
        return f"{self.site.url}{url}" if url.startswith("/") else url

    def add_source(self, url: str = "https://a.example/feed", kind: str = "rss") -> UUID:
        return sources.add(self.conn, kind, self.at(url))[0]

    def add_item(self, url: str | None, source: UUID | None = None, **known: Any) -> UUID:
        """Add a queued item: ``add_item(url, source=…, title=…, …)``."""
        known = {"external_id": str(uuid4()), "url": self.at(url) if url else url, **known}
        item: UUID = items.add(self.conn, source or self.add_source(), NewItem(**known)).id
        items.queue(self.conn, [item])
        return item

    def serve(self, path: str, answer: Answer | str, head: str = "") -> None:
        """Serve an answer. A string becomes an article: HTML is used unchanged, and other text is put into paragraphs."""
        if isinstance(answer, str):
            answer = Answer(page("A page", answer if answer.startswith("<") else paragraphs(answer), head))
        self.site.pages[path] = answer

    def serve_feed(
        self, count: int, *, start: int = 0, title: str = "Title", date: datetime | None = None, extra: str = ""
    ) -> str:
        """Serve a feed whose entries lead to ``/0``, ``/1`` and so on; return its text."""
        extra += f"<pubDate>{format_datetime(date or datetime.now(UTC))}</pubDate>"
        entries = [(f"guid-{n}", f"{title} {n}", self.at(f"/{n}")) for n in range(start, start + count)]
        self.site.pages["/feed"] = Answer(body := rss(*entries, extra=extra), content_type="application/rss+xml")
        return body

    def fetched(self, path: str, body: str, head: str = "", source: UUID | None = None, **known: Any) -> UUID:
        """Serve a page, and fetch it as an item."""
        self.serve(path, body, head)
        self.fetch(item := self.add_item(path, source, **known))
        return item

    def run(self, task: str, **payload: Any) -> dict[str, Any]:
        handler = TASKS[task]
        assert handler.settings_model is not None
        ctx = FakeContext(
            self.conn,
            settings=handler.settings_model.model_validate(self.settings.get(task, {})),
            services={"engine": self.engine},
            task_id=task,
            taken_leases=self.taken_leases,
        )
        self.contexts.append(ctx)
        try:
            result = handler.function(
                handler.payload_model.model_validate(json.loads(json.dumps(payload, default=str))), ctx
            )
        finally:
            self.sent += [(call.task, call.payload, call.options) for call in ctx.sent]
        assert not ctx.completed or ctx.output == result
        json.dumps(result)
        return dict(result)

    def beside(self, task: str, **payload: Any) -> tuple[dict[str, Any], list[Any]]:
        """Run a task as another worker would, on a new connection; return the result and the sent jobs."""
        with closing(connect(self.database)) as conn:
            worker = Pipeline(self.database, conn, self.site, self.engine)
            return worker.run(task, **payload), worker.sent

    def fetch(self, *items: UUID) -> dict[str, int]:
        """Run fetch-content for items; return the number of items by outcome."""
        outcomes: dict[str, int] = self.run("fetch-content", raw_item_ids=items)["outcomes"]
        return outcomes

    def poll(self, source: UUID | None = None, reason: str = "manual", **payload: Any) -> dict[str, Any]:
        return self.run("ingest-source", source_id=source or self.source, reason=reason, **payload)

    def bring(self, source: UUID | None = None) -> None:
        """Run ingest-source, and then all jobs that it sends."""
        self.poll(source)
        self.drain()

    def drain(self) -> None:
        later = []
        while self.sent:
            task, payload, options = self.sent.pop(0)
            if task in FIRST_HALF:
                self.run(task, **payload)
            else:
                later.append((task, payload, options))
        self.sent = later

    def tasks_sent(self) -> list[str]:
        return [task for task, _, _ in self.sent]

    def fetches(self) -> list[list[str]]:
        """List the items of each queued job of fetch-content."""
        return [payload["raw_item_ids"] for task, payload, _ in self.sent if task == "fetch-content"]

    def query(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        return execute(self.conn, sql, *params)

    def outcomes(self) -> dict[str, int]:
        rows = self.query("SELECT outcome, count(*) FROM item_outcomes GROUP BY outcome")
        assert self.query("SELECT count(*) FROM raw_items") == [(sum(count for _, count in rows),)]
        return dict(rows)

    def snapshot(self) -> list[list[tuple[Any, ...]]]:
        """Return the contents of the pipeline's tables without their timestamps."""
        return [
            self.query("SELECT id, external_id, title, url, status FROM raw_items ORDER BY id"),
            self.query("SELECT raw_item_id, outcome, story_id FROM item_outcomes ORDER BY 1"),
            self.query("SELECT id, content_hash, text_body FROM contents ORDER BY id"),
            self.query("SELECT id, content_id, title, cluster_id FROM stories ORDER BY id"),
            self.query("SELECT key, story_id FROM story_keys ORDER BY key"),
            self.query("SELECT id, primary_story_id, metrics FROM story_clusters ORDER BY id"),
        ]


@pytest.fixture
def pipeline(database: str, conn: Connection, site: Site) -> Pipeline:
    return Pipeline(database, conn, site)


def at_once(works: list[Callable[[], Any]]) -> list[Any]:
    """Run functions at the same time; return their results."""
    with ThreadPoolExecutor(len(works)) as pool:
        return [done.result(60) for done in [pool.submit(work) for work in works]]
