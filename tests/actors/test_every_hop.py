"""Each task of the pipeline writes its data and sends the next job in one transaction. Tasks reject a deleted story."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from actors.engine.contract import ContentItem, ContentSource
from actors.store import items, sources
from actors.store.items import NewItem
from tests.actors.conftest import StrictContext
from tests.actors.database import execute
from tests.actors.tasks import OF_A_STORY
from tests.each import cases
from zeke_jobs import Reject

TEXT = (
    "The registry of Orrin signs each package since May. Mara Lind measured that uploads to the registry of Orrin take 4 percent "
    "longer since then."
)
PAGE = "https://a.example/1"
INSIGHTS = [{"summary": "Packages are signed.", "quote": "signs each package"}]
WRITTEN = """SELECT (SELECT count(*) FROM raw_items) AS items, (SELECT count(*) FROM item_outcomes) AS outcomes,
    (SELECT count(*) FROM stories) AS stories, (SELECT count(*) FROM story_overlays) AS overlays,
    (SELECT count(queued_at) FROM source_polling) AS polls,
    (SELECT count(*) FROM highlights WHERE NOT metadata ? 'withdrawn') AS highlights"""
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'source_polling'"
#: MORE has the fields that a task's payload needs in addition to the story.
MORE: dict[str, dict[str, Any]] = {
    "dedupe-insights": {"createdBy": "system", "insights": INSIGHTS},
    "generate-brief": {"reason": "new_story"},
    "stories-update-status": {"state": "read", "teamId": uuid.UUID(int=7)},
}


class Engine:
    """The engine answers with one item, and fails if it is called inside a transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def fetch_item(self, url: str) -> ContentItem:
        assert self._conn.info.transaction_status == 0
        return ContentItem(id=url, url=url, title="A title", text=TEXT * 9)

    def fetch_source(self, url: str, *_: Any) -> ContentSource:
        return ContentSource(id=url, url=url, items=[self.fetch_item(PAGE)])


@pytest.fixture
def payload_of(add_story: Any, conn: Any) -> Callable[[str], dict[str, Any]]:
    """Add the rows that a task's payload refers to, and return the payload."""

    def make(task: str) -> dict[str, Any]:
        if task in OF_A_STORY:
            return {"storyId": add_story(TEXT), **MORE.get(task, {})}
        source = sources.add(conn, "manual" if task == "ingest-from-upload" else "rss", "https://a.example/feed")[0]
        if task == "fetch-content":
            item = items.add(conn, source, NewItem(external_id="1", url=PAGE)).id
            items.queue(conn, [item])
            return {"rawItemIds": [item]}
        payloads: dict[str, dict[str, Any]] = {
            "ingest-pull": {},
            "ingest-source": {"sourceId": source},
            "ingest-oneoff": {"url": PAGE},
            "ingest-from-upload": {"sourceId": source, "items": [{"externalId": "1", "text": TEXT * 3}]},
        }
        return payloads[task]

    return make


@cases(
    "task then",
    ("ingest-pull", ["ingest-source"]),
    *((task, ["fetch-content"]) for task in ("ingest-source", "ingest-oneoff", "ingest-from-upload")),
    ("fetch-content", ["analyze-story"]),
    ("analyze-story", ["extract-highlights"]),
    *((task, []) for task in ("extract-highlights", "dedupe-insights")),
)
def test_an_enqueue_is_never_apart_from_its_write_at_any_hop(
    task: str, then: list[str], payload_of: Any, run_task: Any, rows: Any, conn: Connection, monkeypatch: Any
) -> None:
    payload = payload_of(task)
    before = rows(WRITTEN)
    with monkeypatch.context() as patch, pytest.raises(ConnectionError):
        patch.setattr(StrictContext, "fail_at_commit", True)
        run_task(task, payload, engine=Engine(conn))
    assert rows(WRITTEN) == before
    ctx = run_task(task, payload, engine=Engine(conn))
    assert rows(WRITTEN) != before
    assert [each.task for each in ctx.sent] == then


@pytest.mark.parametrize("task", OF_A_STORY)
def test_a_story_that_is_gone_or_has_no_text_is_rejected(task: str, add_story: Any, run_task: Any) -> None:
    cases = [(uuid.uuid4(), "got none")]
    if task in {"analyze-story", "generate-brief", "story-summarize"}:
        cases += [(add_story(text), "expected a story with text") for text in ("", "  \n ")]
    for story, words in cases:
        with pytest.raises(Reject, match=words):
            run_task(task, {"storyId": story, **MORE.get(task, {})})


@pytest.mark.parametrize("task", [*OF_A_STORY, "ingest-source", "fetch-content", "ingest-oneoff", "ingest-from-upload"])
def test_running_twice_changes_nothing(task: str, payload_of: Any, run_task: Any, conn: Connection) -> None:
    payload = payload_of(task) | ({"trigger": "manual"} if task == "analyze-story" else {})
    states = []
    for _ in range(2):
        ctx = run_task(task, payload, engine=Engine(conn))
        assert ctx.completed or task in {"fetch-content", "ingest-from-upload"}, "with its writes, unless of several"
        rows = "SELECT string_agg(t::text, ' ' ORDER BY t::text) FROM {} AS t"
        states.append({table: execute(conn, rows.format(table)) for (table,) in execute(conn, TABLES)})
    assert states[0] == states[1]
    assert {ctx.result.get(name, 0) for name in ("new", "queued", "added", "updated", "changed")} == {0}
    if task in {"analyze-story", "generate-brief", "story-summarize", "stories-update-status"}:
        assert ctx.result["outcome"] == "unchanged"
