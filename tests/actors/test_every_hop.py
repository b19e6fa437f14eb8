"""Each task of the pipeline writes its data and sends the next job in one transaction, and rejects a deleted story."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from actors import schema
from actors.briefs.generate import BriefSettings, generate_brief
from actors.engine.contract import ContentItem, ContentSource
from actors.insights.analyze import analyze_story
from actors.insights.dedupe import dedupe_insights
from actors.insights.events import EventSettings
from actors.insights.extract import extract_highlights
from actors.insights.relevance import RelevanceSettings, score_relevance
from actors.insights.selection import Selection
from actors.store import items, sources
from actors.store.items import NewItem
from actors.stories.status import stories_update_status
from actors.stories.summarize import story_summarize
from tests.actors.database import execute
from tests.actors.sources.conftest import TASKS
from zeke_jobs import Payload, Reject

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
#: Each task has a handler, a payload model and settings.
OF_A_STORY: dict[str, tuple[Callable[..., Any], type[Payload], Any]] = {
    "analyze-story": (analyze_story, schema.AnalyzeStory, EventSettings()),
    "extract-highlights": (extract_highlights, schema.ExtractHighlights, Selection()),
    "dedupe-insights": (dedupe_insights, schema.DedupeInsights, None),
    "score-relevance": (score_relevance, schema.ScoreRelevance, RelevanceSettings()),
    "generate-brief": (generate_brief, schema.GenerateBrief, BriefSettings()),
    "story-summarize": (story_summarize, schema.StorySummarize, None),
    "stories-update-status": (stories_update_status, schema.StoriesUpdateStatus, None),
}
ALL = OF_A_STORY | {name: (handler, model, settings()) for name, (handler, model, settings) in TASKS.items()}
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
    """Make the payload of a task, and the rows that the payload refers to."""

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


@pytest.mark.parametrize(
    ("task", "then"),
    [
        ("ingest-pull", ["ingest-source"]),
        *((task, ["fetch-content"]) for task in ("ingest-source", "ingest-oneoff", "ingest-from-upload")),
        ("fetch-content", ["analyze-story"]),
        ("analyze-story", ["extract-highlights"]),
        *((task, []) for task in ("extract-highlights", "dedupe-insights")),
    ],
)
def test_an_enqueue_is_never_apart_from_its_write_at_any_hop(
    task: str, then: list[str], payload_of: Any, handler_context: Any, rows: Any, conn: Connection
) -> None:
    handler, model, settings = ALL[task]
    payload = model.model_validate(payload_of(task))
    before = rows(WRITTEN)
    ctx = handler_context(settings, engine=Engine(conn))
    ctx.fail_at_commit = True
    with pytest.raises(ConnectionError):
        handler(payload, ctx)
    assert rows(WRITTEN) == before
    assert ctx.sent == []
    again = handler_context(settings, engine=Engine(conn))
    handler(payload, again)
    assert rows(WRITTEN) != before
    assert [each.task for each in again.sent] == then


@pytest.mark.parametrize("task", OF_A_STORY)
def test_a_story_that_is_gone_is_rejected(task: str, handler_context: Any) -> None:
    handler, model, settings = OF_A_STORY[task]
    payload = model.model_validate({"storyId": uuid.uuid4(), **MORE.get(task, {})})
    with pytest.raises(Reject, match="got none"):
        handler(payload, handler_context(settings))


@pytest.mark.parametrize("task", [*OF_A_STORY, "ingest-source", "fetch-content", "ingest-oneoff", "ingest-from-upload"])
def test_running_twice_changes_nothing(task: str, payload_of: Any, handler_context: Any, conn: Connection) -> None:
    handler, model, settings = ALL[task]
    payload = model.model_validate(payload_of(task) | ({"trigger": "manual"} if task == "analyze-story" else {}))
    states = []
    for _ in range(2):
        ctx = handler_context(settings, engine=Engine(conn))
        output = handler(payload, ctx)
        assert ctx.completed or task in {"fetch-content", "ingest-from-upload"}, (
            "with its writes, unless it has several"
        )
        rows = "SELECT string_agg(t::text, ' ' ORDER BY t::text) FROM {} AS t"
        states.append({table: execute(conn, rows.format(table)) for (table,) in execute(conn, TABLES)})
    assert states[0] == states[1]
    assert {output.get(name, 0) for name in ("new", "queued", "added", "updated", "changed")} == {0}
    if task in {"analyze-story", "generate-brief", "story-summarize", "stories-update-status"}:
        assert output["outcome"] == "unchanged"


@pytest.mark.parametrize("task", ["analyze-story", "generate-brief", "story-summarize"])
@pytest.mark.parametrize("document", ["", "  \n "])
def test_a_story_without_text_is_rejected(task: str, document: str, add_story: Any, handler_context: Any) -> None:
    handler, model, settings = OF_A_STORY[task]
    payload = model.model_validate({"storyId": add_story(document), **MORE.get(task, {})})
    with pytest.raises(Reject, match="expected a story with text"):
        handler(payload, handler_context(settings))
