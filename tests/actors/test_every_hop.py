"""A task of the pipeline writes its data and sends the next job in one transaction: a crash loses neither."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors.insights.dedupe import dedupe_insights
from actors.insights.extract import extract_highlights
from actors.insights.selection import Selection
from actors.schema import DedupeInsights, ExtractHighlights, IngestFromUpload, IngestOneoff
from actors.sources.oneoff import OneoffSettings, ingest_oneoff
from actors.sources.upload import UploadSettings, ingest_from_upload
from actors.store import sources

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable

TEXT = "The registry signs each package since May. Latency of uploads rose by 4 percent, the maintainers measured."
WRITTEN = """SELECT (SELECT count(*) FROM raw_items) AS items, (SELECT count(*) FROM item_outcomes) AS outcomes,
    (SELECT count(*) FROM highlights WHERE NOT metadata ? 'withdrawn') AS highlights"""


@pytest.fixture
def hops(add_story: Any, conn: Any) -> dict[str, tuple[Callable[..., Any], Any, Any, str]]:
    """Tasks whose own tests do not crash them: handler, payload, settings, and the task that follows."""
    story: uuid.UUID = add_story(TEXT)
    source = sources.add(conn, "manual", "https://uploads.example")[0]
    insight = {"summary": "Packages are signed.", "quote": "signs each package"}
    return {
        "ingest-oneoff": (ingest_oneoff, IngestOneoff(url="https://a.example/1"), OneoffSettings(), "fetch-content"),
        "ingest-from-upload": (
            ingest_from_upload,
            IngestFromUpload.model_validate({"sourceId": source, "items": [{"externalId": "1", "text": TEXT * 3}]}),
            UploadSettings(),
            "fetch-content",
        ),
        "extract-highlights": (extract_highlights, ExtractHighlights(story_id=story), Selection(), "score-relevance"),
        "dedupe-insights": (
            dedupe_insights,
            DedupeInsights.model_validate({"storyId": story, "createdBy": "system", "insights": [insight]}),
            None,
            "score-relevance",
        ),
    }


@pytest.mark.parametrize("task", ["ingest-oneoff", "ingest-from-upload", "extract-highlights", "dedupe-insights"])
def test_an_enqueue_is_never_apart_from_its_write_at_any_hop_as_in_the_earlier_version(
    task: str, hops: dict[str, Any], handler_context: Any, rows: Callable[..., Any]
) -> None:
    handler, payload, settings, next_task = hops[task]
    before = rows(WRITTEN)
    ctx = handler_context(settings)
    ctx.fail_at_commit = True
    with pytest.raises(ConnectionError):
        handler(payload, ctx)
    assert rows(WRITTEN) == before
    assert ctx.sent == []
    again = handler_context(settings)
    handler(payload, again)
    assert [each.task for each in again.sent] == [next_task]
