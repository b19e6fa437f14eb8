"""These fixtures serve a site, and run tasks of the first half of the pipeline as a worker does."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg2.extensions import connection as Connection

from actors import schema
from actors.engine import Settings
from actors.engine.contract import Engine
from actors.engine.local import LocalEngine
from actors.sources.content import ContentSettings, fetch_content
from actors.sources.oneoff import OneoffSettings, ingest_oneoff
from actors.sources.pull import PullSettings, ingest_pull
from actors.sources.pull_youtube import ingest_pull_youtube
from actors.sources.source import SourceSettings, ingest_source
from actors.sources.upload import UploadSettings, ingest_from_upload
from actors.store import items, sources
from actors.store.items import NewItem
from tests.actors.database import execute
from tests.actors.scripted_site import Answer, Site, page
from zeke_jobs import Payload
from zeke_jobs.postgres.pool import connect
from zeke_jobs.testing import FakeContext

TASKS: dict[str, tuple[Callable[..., Any], type[Payload], type[Any]]] = {
    "ingest-pull": (ingest_pull, schema.IngestPull, PullSettings),
    "ingest-pull-youtube": (ingest_pull_youtube, schema.IngestPullYoutube, PullSettings),
    "ingest-oneoff": (ingest_oneoff, schema.IngestOneoff, OneoffSettings),
    "ingest-source": (ingest_source, schema.IngestSource, SourceSettings),
    "ingest-from-upload": (ingest_from_upload, schema.IngestFromUpload, UploadSettings),
    "fetch-content": (fetch_content, schema.FetchContent, ContentSettings),
}


class Pipeline:
    """Tasks run one after another on one connection, and ``sent`` lists the queued jobs in order.

    ``run`` runs one task; ``drain`` runs all queued jobs of the first half, and ignores their delays.
    """

    def __init__(self, conn: Connection, engine: Engine) -> None:
        self.conn = conn
        self.engine = engine
        self.settings: dict[str, dict[str, Any]] = {}
        self.sent: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
        self.contexts: list[FakeContext] = []
        self.taken_leases: list[str] = []

    def run(self, task: str, **payload: Any) -> dict[str, Any]:
        handler, model, settings = TASKS[task]
        ctx = FakeContext(
            self.conn,
            settings=settings.model_validate(self.settings.get(task, {})),
            services={"engine": self.engine},
            task_id=task,
            taken_leases=self.taken_leases,
        )
        self.contexts.append(ctx)
        try:
            result = handler(model.model_validate(json.loads(json.dumps(payload, default=str))), ctx)
        finally:
            self.sent += [(call.task, call.payload, call.options) for call in ctx.sent]
        assert not ctx.completed or ctx.output == result
        json.dumps(result)
        return dict(result)

    def fetch(self, *items: UUID) -> dict[str, int]:
        """Run fetch-content for items; return the number of items by outcome."""
        outcomes: dict[str, int] = self.run("fetch-content", raw_item_ids=items)["outcomes"]
        return outcomes

    def poll(self, source: UUID, **payload: Any) -> dict[str, Any]:
        """Run ingest-source with the reason ``manual``."""
        return self.run("ingest-source", source_id=source, reason="manual", **payload)

    def bring(self, source: UUID) -> None:
        """Run ingest-source, and then all jobs that it sends."""
        self.poll(source)
        self.drain()

    def drain(self) -> dict[str, int]:
        ran: dict[str, int] = {}
        later = []
        while self.sent:
            task, payload, options = self.sent.pop(0)
            if task not in TASKS:
                later.append((task, payload, options))
                continue
            self.run(task, **payload)
            ran[task] = ran.get(task, 0) + 1
        self.sent = later
        return ran

    def tasks_sent(self) -> list[str]:
        return [task for task, _, _ in self.sent]

    def query(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        return execute(self.conn, sql, *params)

    def outcomes(self) -> dict[str, int]:
        rows = self.query("SELECT outcome, count(*) FROM item_outcomes GROUP BY outcome")
        assert self.query("SELECT count(*) FROM raw_items") == [(sum(count for _, count in rows),)]
        return dict(rows)

    def snapshot(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return the contents of the pipeline's tables without the times of writing."""
        return {
            "items": self.query("SELECT id, external_id, title, url, status FROM raw_items ORDER BY id"),
            "outcomes": self.query("SELECT raw_item_id, outcome, story_id FROM item_outcomes ORDER BY 1"),
            "contents": self.query("SELECT id, content_hash, text_body FROM contents ORDER BY id"),
            "stories": self.query("SELECT id, content_id, title, cluster_id FROM stories ORDER BY id"),
            "keys": self.query("SELECT key, story_id FROM story_keys ORDER BY key"),
            "clusters": self.query("SELECT id, primary_story_id, metrics FROM story_clusters ORDER BY id"),
        }


@pytest.fixture
def engine() -> LocalEngine:
    return LocalEngine(Settings.model_validate({"allow_networks": ["127.0.0.0/8"], "page_timeout": "2s"}))


@pytest.fixture
def pipeline(conn: Connection, engine: LocalEngine) -> Pipeline:
    return Pipeline(conn, engine)


@pytest.fixture
def add_source(conn: Connection) -> Callable[..., UUID]:
    """Add a source: ``add_source(url, kind="rss")``."""

    def add(url: str, kind: str = "rss") -> UUID:
        return sources.add(conn, kind, url)[0]

    return add


@pytest.fixture
def source(site: Site, add_source: Callable[..., UUID]) -> UUID:
    """Add the source of the site's ``/feed``."""
    return add_source(f"{site.url}/feed")


@pytest.fixture
def add_item(pipeline: Pipeline, add_source: Callable[..., UUID]) -> Callable[..., UUID]:
    """Add a queued item: ``add_item(url, source=…, title=…, …)``."""

    def add(url: str | None, source: UUID | None = None, **known: Any) -> UUID:
        source = source or add_source("https://a.example/feed")
        item: UUID = items.add(pipeline.conn, source, NewItem(external_id=str(uuid4()), url=url, **known)).id
        items.queue(pipeline.conn, [item])
        return item

    return add


@pytest.fixture
def fetched(pipeline: Pipeline, site: Site, add_item: Callable[..., UUID]) -> Callable[..., UUID]:
    """Serve a page and fetch it as an item: ``fetched("/a", body, head=…, source=…, title=…)`` returns the item."""

    def fetch(path: str, body: str, head: str = "", source: UUID | None = None, **known: Any) -> UUID:
        site.pages[path] = Answer(page("A page", body, head))
        pipeline.fetch(item := add_item(f"{site.url}{path}", source, **known))
        return item

    return fetch


@pytest.fixture
def beside(database: str, engine: LocalEngine) -> Callable[..., tuple[dict[str, Any], list[Any]]]:
    """Run a task as another worker would, on a new connection; return the result and the sent jobs."""

    def run(task: str, **payload: Any) -> tuple[dict[str, Any], list[Any]]:
        with closing(connect(database)) as conn:
            worker = Pipeline(conn, engine)
            return worker.run(task, **payload), worker.sent

    return run


def at_once(works: list[Callable[[], Any]]) -> list[Any]:
    """Run functions at the same time; return their results."""
    with ThreadPoolExecutor(len(works)) as pool:
        return [done.result(60) for done in [pool.submit(work) for work in works]]
