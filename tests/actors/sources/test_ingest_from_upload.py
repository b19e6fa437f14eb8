from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from actors.store import uploads
from tests.actors.scripted_site import Answer, Site, page, paragraphs
from tests.actors.sources.conftest import Pipeline
from zeke_jobs import Reject

LONG = "An uploaded text says this in many words. " * 12


@pytest.fixture
def source(add_source: Callable[..., UUID]) -> UUID:
    return add_source("https://uploads.example", "upload")


def test_five_items_with_a_broken_and_a_double_end_in_an_outcome(pipeline: Pipeline, site: Site, source: UUID) -> None:
    site.pages["/a"] = Answer(page("A", paragraphs("the queue")))
    items = [
        {"externalId": "1", "title": "Given", "text": LONG},
        {"externalId": "2", "title": "Fetched", "url": f"{site.url}/a"},
        {"externalId": "3", "title": "The same", "text": LONG.upper()},
        {"externalId": "4", "title": "Broken"},
        {"externalId": "5", "title": "Short", "text": "Too short."},
    ]
    result = pipeline.run("ingest-from-upload", sourceId=source, items=items, uploadedBy="ada")
    assert result == {"outcome": "taken", "queued": 4, "known": 0, "broken": 1}
    pipeline.drain()
    assert pipeline.outcomes() == {"stored": 2, "duplicate": 1, "no_url": 1, "too_short": 1}
    assert pipeline.query("SELECT count(*) FROM raw_items WHERE status = 'pending'") == [(0,)]
    assert pipeline.query(
        "SELECT title, text_origin FROM stories JOIN content_details USING (content_id) ORDER BY title"
    ) == [("Fetched", "page"), ("Given", "upload")]


def test_a_large_upload_is_taken_by_reference(pipeline: Pipeline, source: UUID) -> None:
    items = [{"externalId": str(n), "text": f"Number {n}. " + LONG} for n in range(450)]
    upload = uploads.save(pipeline.conn, source, [*items, {"title": "without an id"}], "ada")
    result = pipeline.run("ingest-from-upload", source_id=source, upload_id=upload)
    assert (result["queued"], result["broken"]) == (450, 1)
    assert result["unreadable"] == ["item 450: externalId"]
    assert sum(len(payload["raw_item_ids"]) for _, payload, _ in pipeline.sent) == 450
    assert max(len(payload["raw_item_ids"]) for _, payload, _ in pipeline.sent) == 20


def test_what_an_uploader_says_does_not_pass_for_a_feeds_content(pipeline: Pipeline, site: Site, source: UUID) -> None:
    site.pages["/x"] = Answer(status=403)
    item = {"externalId": "1", "url": f"{site.url}/x", "metadata": {"content": LONG, "priority": 99}}
    pipeline.run("ingest-from-upload", source_id=source, items=[item])
    assert [options["priority"] for _, _, options in pipeline.sent] == [None]
    pipeline.drain()
    assert pipeline.outcomes() == {"forbidden": 1}


def test_an_address_that_is_none_is_an_outcome_and_nul_is_dropped(pipeline: Pipeline, source: UUID) -> None:
    items = [{"external_id": url, "url": url} for url in ("not an address", "javascript:alert(1)")]
    pipeline.run("ingest-from-upload", source_id=source, items=items)
    assert (pipeline.outcomes(), pipeline.sent) == ({"invalid_url": 2}, [])
    item = {"externalId": "a\x00b", "title": "t\x00", "text": "\x00" + LONG}
    pipeline.run("ingest-from-upload", source_id=source, items=[item])
    pipeline.drain()
    assert pipeline.outcomes() == {"invalid_url": 2, "stored": 1}


def test_a_source_or_upload_that_does_not_exist_is_rejected(pipeline: Pipeline, source: UUID) -> None:
    with pytest.raises(Reject, match="expected a source"):
        pipeline.run("ingest-from-upload", source_id=uuid4(), items=[{"external_id": "1", "text": "x"}])
    with pytest.raises(Reject, match="expected an upload"):
        pipeline.run("ingest-from-upload", source_id=source, upload_id=uuid4())


def test_a_job_that_stopped_half_way_goes_on_where_it_stopped(pipeline: Pipeline, source: UUID) -> None:
    items = [{"external_id": str(n), "text": f"Number {n}. " + LONG} for n in range(6)]
    pipeline.settings["ingest-from-upload"] = {"chunk": 2}
    pipeline.run("ingest-from-upload", source_id=source, items=items[:4])
    result = pipeline.run("ingest-from-upload", source_id=source, items=items)
    assert (result["queued"], result["known"]) == (2, 4)
    pipeline.drain()
    assert pipeline.outcomes() == {"stored": 6}
    before, sent = pipeline.snapshot(), len(pipeline.sent)
    assert pipeline.run("ingest-from-upload", source_id=source, items=items)["known"] == 6
    assert (pipeline.snapshot(), len(pipeline.sent)) == (before, sent)
