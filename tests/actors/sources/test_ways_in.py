"""The pipeline fetches no private address from a payload, feed, item, redirect, canonical link or Engine server."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from actors.engine import Settings
from actors.engine.client import HttpEngine
from actors.store import uploads
from tests.actors.engine.conftest import failure
from tests.actors.engine.test_http_engine import serving
from tests.actors.scripted_site import Answer, rss
from tests.actors.sources.conftest import Pipeline
from zeke_jobs import Reject

#: The list has an address for each reserved network, and each spelling that could slip past a check of the text.
HOSTS = [
    "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "198.18.0.1",
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "user@127.0.0.1", "①②⑦.⓪.⓪.①",
    "[::]", "[::1]", "[::ffff:10.0.0.1]", "[::ffff:a00:1]", "[64:ff9b::a00:1]", "[2002:a00:1::]", "[fc00::1]", "[fe80::1]", "[ff02::1]",
]  # fmt: skip


def test_an_address_that_is_not_public_is_refused_as_page_and_as_feed_also_by_a_server() -> None:
    engine = Settings().open()  # Production settings allow public addresses only.
    with serving(engine) as url:
        for host, asked in (*((host, engine) for host in HOSTS), ("127.1", HttpEngine(url))):
            for fetch in (asked.fetch_item, asked.fetch_source):
                error = failure(fetch, f"http://{host}:81/latest/meta-data")
                assert (error.code in {"blocked_address", "invalid_url"}, error.transient) == (True, False), host


def test_the_items_of_a_feed_are_refused_one_by_one_and_a_canonical_link_is_not_fetched(pipeline: Pipeline) -> None:
    hosts = ("10.0.0.1", "169.254.169.254", "[::ffff:10.0.0.1]", "[fd00::1]")
    pipeline.serve("/good", "the good one")
    bad = [(host, "bad", f"http://{host}/admin") for host in hosts]
    pipeline.serve("/feed", Answer(rss(*bad, ("b", "good", pipeline.at("/good")))))
    pipeline.bring()
    assert pipeline.outcomes() == {"blocked_address": 4, "stored": 1}
    # A canonical link is never fetched.
    links = '<link rel="canonical" href="{url}/secret"><meta property="og:url" content="{url}/secret">'
    for path, url in (("/a", pipeline.site.url), ("/b", "http://169.254.169.254")):
        pipeline.fetched(path, f"page {path}", links.format(url=url))
    assert pipeline.outcomes() == {"blocked_address": 4, "stored": 3}
    assert [asked.path for asked in pipeline.site.asked] == ["/feed", "/good", "/a", "/b"]


def test_a_page_becomes_an_item_of_its_sites_manual_source_and_its_priority_goes_on(pipeline: Pipeline) -> None:
    for url in ("https://www.a.example/1", "https://a.example/2", "https://b.example/1"):
        pipeline.run("ingest-oneoff", url=url, requestedBy="ada")
    assert pipeline.query("SELECT type, url, name FROM sources ORDER BY url") == [
        ("manual", "https://a.example", "a.example"),
        ("manual", "https://b.example", "b.example"),
    ]
    assert pipeline.query("SELECT count(*) FROM raw_items WHERE metadata ->> 'requested_by' = 'ada'") == [(3,)]
    assert pipeline.tasks_sent() == ["fetch-content"] * 3
    pipeline.sent.clear()
    pipeline.serve("/a", "the queue")
    pipeline.run("ingest-oneoff", url=pipeline.at("/a"), priority="high")
    assert [options["priority"] for _, _, options in pipeline.sent] == [20]
    pipeline.drain()
    assert [(task, options["priority"]) for task, _, options in pipeline.sent] == [("analyze-story", 20)]
    pipeline.run("ingest-oneoff", url=pipeline.at("/b"))
    assert pipeline.sent[-1][2]["priority"] is None


def test_asking_twice_changes_nothing_but_tries_again_what_failed(pipeline: Pipeline) -> None:
    pipeline.run("ingest-oneoff", url=pipeline.at("/a"))
    pipeline.drain()
    assert pipeline.outcomes() == {"not_found": 1}
    pipeline.serve("/a", "the queue")
    first = pipeline.run("ingest-oneoff", url=pipeline.at("/a"))
    assert first["outcome"] == "queued"
    assert pipeline.run("ingest-oneoff", url=pipeline.at("/a?utm_source=x"))["raw_item_id"] == first["raw_item_id"]
    assert len(pipeline.sent) == 1
    pipeline.drain()
    before = pipeline.snapshot()
    again = pipeline.run("ingest-oneoff", url=pipeline.at("/a"))
    assert (again["outcome"], again["story_id"]) == ("stored", str(pipeline.query("SELECT id FROM stories")[0][0]))
    assert pipeline.snapshot() == before
    assert pipeline.tasks_sent() == ["analyze-story"]


@pytest.mark.parametrize(
    "url",
    ["no address", "x", "ftp://a/", "file:///etc/passwd", "http://", "http://a b/", "http://[", "http://a:99999/",
     "http://user:secret@a.example/"],
)  # fmt: skip
def test_what_is_no_address_is_rejected_in_words(pipeline: Pipeline, url: str) -> None:
    with pytest.raises(Reject, match="expected an") as caught:
        pipeline.run("ingest-oneoff", url=url)
    assert "secret" not in str(caught.value)
    assert pipeline.query("SELECT count(*) FROM sources") == [(0,)]


LONG = "An uploaded text says this in many words. " * 12


@pytest.fixture
def source(pipeline: Pipeline) -> UUID:
    return pipeline.add_source("https://uploads.example", "upload")


def test_five_items_with_a_broken_and_a_double_end_in_an_outcome(pipeline: Pipeline, source: UUID) -> None:
    pipeline.serve("/a", "the queue")
    items = [
        {"externalId": "1", "title": "Given", "text": LONG},
        {"externalId": "2", "title": "Fetched", "url": pipeline.at("/a")},
        {"externalId": "3", "title": "The same", "text": LONG.upper()},
        {"externalId": "4", "title": "Broken"},
        {"externalId": "5", "title": "Short", "text": "Too short."},
    ]
    result = pipeline.run("ingest-from-upload", sourceId=source, items=items, uploadedBy="ada")
    assert result == {"outcome": "taken", "queued": 4, "known": 0, "broken": 1}
    pipeline.drain()
    assert pipeline.outcomes() == {"stored": 2, "duplicate": 1, "no_url": 1, "too_short": 1}
    assert pipeline.query("SELECT count(*) FROM raw_items WHERE status = 'pending'") == [(0,)]
    origins = "SELECT title, text_origin FROM stories JOIN content_details USING (content_id) ORDER BY title"
    assert pipeline.query(origins) == [("Fetched", "page"), ("Given", "upload")]


def test_a_large_upload_is_taken_by_reference_and_a_missing_one_is_rejected(pipeline: Pipeline, source: UUID) -> None:
    items = [{"externalId": str(n), "text": f"Number {n}. " + LONG} for n in range(450)]
    upload = uploads.save(pipeline.conn, source, [*items, {"title": "without an id"}], "ada")
    result = pipeline.run("ingest-from-upload", source_id=source, upload_id=upload)
    assert (result["queued"], result["broken"]) == (450, 1)
    assert result["unreadable"] == ["item 450: externalId"]
    assert sum(len(payload["raw_item_ids"]) for _, payload, _ in pipeline.sent) == 450
    assert max(len(payload["raw_item_ids"]) for _, payload, _ in pipeline.sent) == 20
    with pytest.raises(Reject, match="expected an upload"):
        pipeline.run("ingest-from-upload", source_id=source, upload_id=uuid4())
    with pytest.raises(Reject, match="expected a source"):
        pipeline.run("ingest-from-upload", source_id=uuid4(), items=[{"external_id": "1", "text": "x"}])


def test_what_an_uploader_says_is_no_feeds_content_and_no_address_an_outcome(pipeline: Pipeline, source: UUID) -> None:
    items = [{"external_id": url, "url": url} for url in ("not an address", "javascript:alert(1)")]
    pipeline.run("ingest-from-upload", source_id=source, items=items)
    assert (pipeline.outcomes(), pipeline.sent) == ({"invalid_url": 2}, [])
    item: dict[str, Any] = {"externalId": "a\x00b", "title": "t\x00", "text": "\x00" + LONG}
    pipeline.run("ingest-from-upload", source_id=source, items=[item])
    pipeline.drain()
    assert pipeline.outcomes() == {"invalid_url": 2, "stored": 1}
    pipeline.serve("/x", Answer(status=403))
    pipeline.sent.clear()
    item = {"externalId": "1", "url": pipeline.at("/x"), "metadata": {"content": LONG, "priority": 99}}
    pipeline.run("ingest-from-upload", source_id=source, items=[item])
    assert [options["priority"] for _, _, options in pipeline.sent] == [None]
    pipeline.drain()
    assert pipeline.outcomes() == {"invalid_url": 2, "stored": 1, "forbidden": 1}


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
