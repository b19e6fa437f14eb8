import json
import os
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from actors.engine.client import HttpEngine
from actors.engine.local import LocalEngine
from tests.actors.scripted_site import Answer, Asked, Site, page, paragraphs, rss
from tests.actors.sources.conftest import Pipeline
from tests.lab.quality import corpora
from zeke_jobs import Defer
from zeke_jobs.postgres.pool import connect

DEEP = bool(os.environ.get("ZEKE_TEST_DEEP"))
CORPUS = corpora.CORPUS / "feeds"


def feed(site: Site, count: int, *, start: int = 0, title: str = "Title", date: datetime | None = None) -> str:
    extra = f"<pubDate>{format_datetime(date or datetime.now(UTC))}</pubDate>"
    entries = [(f"guid-{n}", f"{title} {n}", f"{site.url}/article/{n}") for n in range(start, start + count)]
    return rss(*entries, extra=extra)


def test_a_feed_brings_its_items_and_a_second_reading_none(pipeline: Pipeline, site: Site, add_source: Any) -> None:
    site.pages["/feed"] = Answer(feed(site, 3), content_type="application/rss+xml")
    source = add_source(f"{site.url}/feed")
    result = pipeline.run("ingest-source", source_id=source)
    assert result == {"outcome": "read", "items": 3, "new": 3, "edited": 0, "backlog": 0}
    assert pipeline.tasks_sent() == ["fetch-content"]
    assert len(pipeline.sent[0][1]["raw_item_ids"]) == 3
    before = pipeline.snapshot()
    again = pipeline.run("ingest-source", source_id=source, reason="manual")
    assert again["new"] == 0
    assert pipeline.tasks_sent() == ["fetch-content"]
    assert pipeline.snapshot() == before


def test_a_redelivered_job_of_the_schedule_does_not_poll_again(pipeline: Pipeline, site: Site, add_source: Any) -> None:
    site.pages["/feed"] = Answer(feed(site, 1))
    source = add_source(f"{site.url}/feed")
    pipeline.run("ingest-source", source_id=source)
    assert pipeline.run("ingest-source", source_id=source) == {"outcome": "not_due"}
    assert site.times("/feed") == 1


def test_items_are_sent_in_batches_of_twenty_of_one_host(pipeline: Pipeline, site: Site, add_source: Any) -> None:
    site.pages["/feed"] = Answer(feed(site, 45))
    pipeline.settings["ingest-source"] = {"first_fetch": {"items": 100}}
    pipeline.run("ingest-source", source_id=add_source(f"{site.url}/feed"))
    assert [len(payload["raw_item_ids"]) for _, payload, _ in pipeline.sent] == [20, 20, 5]
    assert {options["key"] for _, _, options in pipeline.sent} == {site.url.removeprefix("http://")}


def test_a_new_source_brings_its_newest_and_states_the_rest(pipeline: Pipeline, site: Site, add_source: Any) -> None:
    now = datetime.now(UTC)
    old = [(f"old-{n}", "Old", f"{site.url}/old/{n}") for n in range(3)]
    body = feed(site, 12, date=now - timedelta(days=1)).replace(
        "</channel>",
        rss(*old, extra=f"<pubDate>{format_datetime(now - timedelta(days=30))}</pubDate>")
        .split("</description>")[1]
        .split("</channel>")[0]
        + "</channel>",
    )
    site.pages["/feed"] = Answer(body)
    source = add_source(f"{site.url}/feed")
    result = pipeline.run("ingest-source", source_id=source)
    assert (result["new"], result["backlog"]) == (10, 5)
    assert pipeline.outcomes() == {"queued": 10, "backlog": 5}
    assert pipeline.query("SELECT count(*) FROM raw_items WHERE status = 'skipped'") == [(5,)]
    site.pages["/feed"] = Answer(feed(site, 30, date=now - timedelta(days=20)))
    assert pipeline.run("ingest-source", source_id=source, reason="manual")["new"] == 18


def test_a_new_source_whose_items_are_old_shows_them(pipeline: Pipeline, site: Site, add_source: Any) -> None:
    site.pages["/feed"] = Answer(feed(site, 12, date=datetime.now(UTC) - timedelta(days=400)))
    source = add_source(f"{site.url}/feed")
    assert pipeline.run("ingest-source", source_id=source)["new"] == 10
    pipeline.settings["ingest-source"] = {"first_fetch": {"items": 10, "within": "7d"}}
    other = add_source(f"{site.url}/feed?again")
    site.pages["/feed?again"] = site.pages["/feed"]
    assert pipeline.run("ingest-source", source_id=other)["new"] == 0


def test_a_backfill_brings_what_was_left_out_newest_first(pipeline: Pipeline, site: Site, add_source: Any) -> None:
    site.pages["/feed"] = Answer(feed(site, 14))
    pipeline.settings["ingest-source"] = {"first_fetch": {"items": 1}}
    source = add_source(f"{site.url}/feed")
    assert pipeline.run("ingest-source", source_id=source)["backlog"] == 13
    pipeline.query(
        "UPDATE raw_items SET published_at = now() WHERE external_id = (SELECT max(external_id) FROM raw_items)"
    )
    pipeline.sent.clear()
    result = pipeline.run("ingest-source", source_id=source, reason="manual", backfill=4)
    assert (result["backfilled"], result["backlog_left"]) == (4, 9)
    assert pipeline.outcomes() == {"queued": 5, "backlog": 9}
    assert [len(payload["raw_item_ids"]) for _, payload, _ in pipeline.sent] == [4]
    assert pipeline.run("ingest-source", source_id=source, reason="manual", backfill=100)["backlog_left"] == 0
    assert pipeline.run("ingest-source", source_id=source, reason="manual", backfill=100)["backfilled"] == 0


def test_an_edited_entry_is_read_again_and_no_other(pipeline: Pipeline, site: Site, add_source: Any) -> None:
    for n in range(2):
        site.pages[f"/article/{n}"] = Answer(page(f"Title {n}", paragraphs(f"thing {n}")))
    site.pages["/feed"] = Answer(feed(site, 2))
    source = add_source(f"{site.url}/feed")
    pipeline.run("ingest-source", source_id=source)
    pipeline.drain()
    site.pages["/feed"] = Answer(feed(site, 2).replace("Title 1", "Corrected: title 1"))
    site.pages["/article/1"] = Answer(page("Corrected", paragraphs("a corrected thing")))
    result = pipeline.run("ingest-source", source_id=source, reason="manual")
    assert (result["new"], result["edited"]) == (0, 1)
    pipeline.drain()
    assert pipeline.outcomes() == {"stored": 1, "updated": 1}
    assert pipeline.query("SELECT title FROM stories ORDER BY title") == [("Corrected: title 1",), ("Title 0",)]
    assert pipeline.query("SELECT count(*) FROM contents WHERE text_body LIKE '%%a corrected thing%%'") == [(1,)]


@pytest.mark.parametrize(
    ("outcome", "again"),
    [
        *dict.fromkeys(
            (
                "stored",
                "updated",
                "retracted",
                "not_found",
                "forbidden",
                "fetch_failed",
                "timeout",
                "rate_limited",
                "engine_failed",
                "abandoned",
            ),
            1,
        ).items(),
        *dict.fromkeys(("queued", "retrying", "duplicate", "backlog", "blocked_address", "paywall"), 0).items(),
    ],
)
def test_an_edited_entry_is_read_again_also_where_its_page_could_not_be_had(
    pipeline: Pipeline, site: Site, add_source: Callable[..., UUID], outcome: str, again: int
) -> None:
    site.pages["/feed"] = Answer(feed(site, 1))
    source = add_source(f"{site.url}/feed")
    pipeline.run("ingest-source", source_id=source)
    pipeline.query("UPDATE item_outcomes SET outcome = %s", outcome)
    site.pages["/feed"] = Answer(feed(site, 1, title="Corrected"))
    assert pipeline.run("ingest-source", source_id=source, reason="manual")["edited"] == again


def test_a_story_whose_page_returned_is_no_longer_retracted(pipeline: Pipeline, site: Site, add_source: Any) -> None:
    source, found = add_source(f"{site.url}/feed"), Answer(page("Title", paragraphs("the thing")))
    for title, answer in (("One", found), ("Two", Answer(status=404)), ("Three", found)):
        site.pages["/feed"] = Answer(feed(site, 1, title=title))
        site.pages["/article/0"] = answer
        pipeline.run("ingest-source", source_id=source, reason="manual")
        pipeline.drain()
        assert pipeline.outcomes() == {
            "retracted" if answer.status == 404 else "stored" if title == "One" else "updated": 1
        }


def test_an_engine_without_lists_of_items_is_a_stated_outcome(pipeline: Pipeline, site: Site, add_source: Any) -> None:
    answer = {"data": {"id": "1", "name": "Feed", "url": "u", "sourceType": "rss", "isActive": True}}
    site.pages["/source"] = Answer(json.dumps(answer), content_type="application/json")
    engine = HttpEngine(site.url)
    pipeline.engine = engine
    result = pipeline.run("ingest-source", source_id=add_source("https://a.example/feed"))
    assert result["outcome"] == "engine_failed"
    assert "no list" in pipeline.query("SELECT message FROM source_health")[0][0]


@pytest.mark.parametrize("more", [{}, {"retryAfter": 0}])
def test_an_absent_engine_is_no_fault_of_a_source(
    pipeline: Pipeline, site: Site, add_source: Callable[..., UUID], more: dict[str, int]
) -> None:
    busy = {"error": "busy", "code": "engine_failed", "transient": True, **more}
    site.pages["/source"] = Answer(json.dumps(busy), status=503, content_type="application/json")
    engine = HttpEngine(site.url)
    pipeline.engine = engine
    source = add_source("https://a.example/feed")
    with pytest.raises(Defer, match="busy") as caught:
        pipeline.run("ingest-source", source_id=source)
    assert caught.value.until == timedelta(minutes=1)
    assert pipeline.query("SELECT count(*) FROM source_health") == [(0,)]


def test_a_source_that_does_not_exist_is_a_stated_outcome(pipeline: Pipeline) -> None:
    assert pipeline.run("ingest-source", source_id=uuid4()) == {"outcome": "no_such_source"}


def test_a_source_without_an_address_is_unhealthy(pipeline: Pipeline) -> None:
    (source,) = pipeline.query("INSERT INTO sources (type) VALUES ('rss') RETURNING id")[0]
    assert pipeline.run("ingest-source", source_id=source)["outcome"] == "invalid_url"
    assert pipeline.run("ingest-source", source_id=source)["outcome"] == "invalid_url"
    assert pipeline.query("SELECT status FROM source_health") == [("error",)]


def test_a_channel_of_youtube_brings_videos_without_pages(pipeline: Pipeline, site: Site, add_source: Any) -> None:
    description = "This video explains in detail how the queue works. " * 6
    site.pages["/feed"] = Answer(
        '<feed xmlns:yt="http://www.youtube.com/xml/schemas/2015" xmlns:media="http://search.yahoo.com/mrss/" '
        'xmlns="http://www.w3.org/2005/Atom"><title>Channel</title><entry><id>yt:video:abcdefghijk</id><yt:videoId>abcdefghijk'
        '</yt:videoId><title>A video</title><link rel="alternate" href="https://www.youtube.com/watch?v=abcdefghijk"/>'
        f"<media:group><media:description>{description}</media:description></media:group></entry></feed>"
    )
    pipeline.run("ingest-source", source_id=add_source(f"{site.url}/feed", "youtube_channel"))
    pipeline.drain()
    assert [asked.path for asked in site.asked] == ["/feed"]
    assert pipeline.query("SELECT kind, title FROM stories") == [("video", "A video")]
    assert pipeline.query("SELECT text_origin FROM content_details") == [("description",)]


def test_a_podcast_brings_episodes_that_keep_their_length(pipeline: Pipeline, site: Site, add_source: Any) -> None:
    notes = "In this episode two people talk at length about queues, retries and what they learnt. " * 4
    episode = (
        f"<description>{notes}</description><enclosure url='{site.url}/1.mp3' type='audio/mpeg' length='1'/>"
        "<itunes:duration>1:02:03</itunes:duration>"
    )
    site.pages["/feed"] = Answer(
        rss(("e1", "Episode 1", f"{site.url}/episodes/1"), extra=episode).replace(
            "<rss ", '<rss xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" '
        )
    )
    pipeline.run("ingest-source", source_id=add_source(f"{site.url}/feed", "podcast"))
    pipeline.drain()
    assert [asked.path for asked in site.asked] == ["/feed"], "the audio is not fetched, nor a page that says less"
    assert pipeline.query(
        "SELECT s.kind, c.content_type, c.duration_seconds FROM stories s JOIN contents c ON c.id = s.content_id"
    ) == [("podcast", "audio", 3723)]


@pytest.mark.timeout(300)
@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of feeds is not beside the repository")
def test_feeds_of_the_corpus_pass_and_a_second_run_adds_none(pipeline: Pipeline, site: Site, add_source: Any) -> None:
    paths = [path for path in sorted(CORPUS.rglob("*")) if path.is_file()][:: 1 if DEEP else 12]
    ids = []
    for place, path in enumerate(paths):
        site.pages[f"/{place}"] = Answer(path.read_bytes(), content_type="application/xml")
        ids.append(add_source(f"{site.url}/{place}"))
    for source in ids:
        assert pipeline.run("ingest-source", source_id=source)["outcome"] in {"read", "not_a_feed"}
    count = pipeline.query("SELECT count(*) FROM raw_items")
    assert count[0][0] > (1300 if DEEP else 75)
    sent = len(pipeline.sent)
    for source in ids:
        pipeline.run("ingest-source", source_id=source, reason="manual")
    assert pipeline.query("SELECT count(*) FROM raw_items") == count
    assert len(pipeline.sent) == sent
    assert sum(pipeline.outcomes().values()) == count[0][0]


def test_two_polls_at_the_same_time_add_and_send_each_item_once(
    database: str, pipeline: Pipeline, site: Site, engine: LocalEngine, add_source: Callable[..., UUID]
) -> None:
    together = threading.Barrier(2)
    body = feed(site, 5)

    def answer(_: Asked) -> Answer:
        together.wait()
        return Answer(body)

    site.pages["/feed"] = answer
    source = add_source(f"{site.url}/feed")
    sent: list[str] = []

    def work() -> None:
        with closing(connect(database)) as conn:
            worker = Pipeline(conn, engine)
            worker.run("ingest-source", source_id=source)
            sent.extend(one for _, payload, _ in worker.sent for one in payload["raw_item_ids"])

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sent) == len(set(sent)) == 5
    assert pipeline.outcomes() == {"queued": 5}
