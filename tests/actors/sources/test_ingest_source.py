import json
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from actors.engine.client import HttpEngine
from tests.actors.scripted_site import Answer, Asked, Site, channel, page, paragraphs, rss
from tests.actors.sources.conftest import Pipeline, at_once
from zeke_jobs import Defer


def feed(site: Site, count: int, *, start: int = 0, title: str = "Title", date: datetime | None = None) -> str:
    extra = f"<pubDate>{format_datetime(date or datetime.now(UTC))}</pubDate>"
    entries = [(f"guid-{n}", f"{title} {n}", f"{site.url}/article/{n}") for n in range(start, start + count)]
    return rss(*entries, extra=extra)


def test_a_feed_brings_its_items_and_a_second_reading_none(pipeline: Pipeline, site: Site, source: UUID) -> None:
    site.pages["/feed"] = Answer(feed(site, 3), content_type="application/rss+xml")
    result = pipeline.run("ingest-source", source_id=source)
    assert result == {"outcome": "read", "items": 3, "new": 3, "edited": 0, "backlog": 0}
    assert pipeline.tasks_sent() == ["fetch-content"]
    assert len(pipeline.sent[0][1]["raw_item_ids"]) == 3
    assert pipeline.run("ingest-source", source_id=source) == {"outcome": "not_due"}, "redelivered"
    assert site.times("/feed") == 1
    before = pipeline.snapshot()
    assert pipeline.poll(source)["new"] == 0
    assert pipeline.tasks_sent() == ["fetch-content"]
    assert pipeline.snapshot() == before


def test_items_are_sent_in_batches_of_twenty_of_one_host(pipeline: Pipeline, site: Site, source: UUID) -> None:
    site.pages["/feed"] = Answer(feed(site, 45))
    pipeline.settings["ingest-source"] = {"first_fetch": {"items": 100}}
    pipeline.poll(source)
    assert [len(payload["raw_item_ids"]) for _, payload, _ in pipeline.sent] == [20, 20, 5]
    assert {options["key"] for _, _, options in pipeline.sent} == {site.url.removeprefix("http://")}


def test_a_new_source_brings_its_newest_and_states_the_rest(pipeline: Pipeline, site: Site, source: UUID) -> None:
    now = datetime.now(UTC)
    _, tag, old = feed(site, 3, start=100, date=now - timedelta(days=30)).partition("<item>")
    recent = feed(site, 12, date=now - timedelta(days=1)).removesuffix("</channel></rss>")
    site.pages["/feed"] = Answer(recent + tag + old)
    result = pipeline.run("ingest-source", source_id=source)
    assert (result["new"], result["backlog"]) == (10, 5)
    assert pipeline.outcomes() == {"queued": 10, "backlog": 5}
    assert pipeline.query("SELECT count(*) FROM raw_items WHERE status = 'skipped'") == [(5,)]
    site.pages["/feed"] = Answer(feed(site, 30, date=now - timedelta(days=20)))
    assert pipeline.poll(source)["new"] == 18


@pytest.mark.parametrize(("more", "new"), [({}, 10), ({"within": "7d"}, 0)])
def test_a_new_source_whose_items_are_old_shows_them_unless_told_otherwise(
    pipeline: Pipeline, site: Site, source: UUID, more: dict[str, str], new: int
) -> None:
    site.pages["/feed"] = Answer(feed(site, 12, date=datetime.now(UTC) - timedelta(days=400)))
    pipeline.settings["ingest-source"] = {"first_fetch": more}
    assert pipeline.run("ingest-source", source_id=source)["new"] == new


def test_a_backfill_brings_what_was_left_out_newest_first(pipeline: Pipeline, site: Site, source: UUID) -> None:
    site.pages["/feed"] = Answer(feed(site, 14))
    pipeline.settings["ingest-source"] = {"first_fetch": {"items": 1}}
    assert pipeline.run("ingest-source", source_id=source)["backlog"] == 13
    pipeline.query(
        "UPDATE raw_items SET published_at = now() WHERE external_id = (SELECT max(external_id) FROM raw_items)"
    )
    pipeline.sent.clear()
    result = pipeline.poll(source, backfill=4)
    assert (result["backfilled"], result["backlog_left"]) == (4, 9)
    assert pipeline.outcomes() == {"queued": 5, "backlog": 9}
    assert [len(payload["raw_item_ids"]) for _, payload, _ in pipeline.sent] == [4]
    assert pipeline.poll(source, backfill=100)["backlog_left"] == 0
    assert pipeline.poll(source, backfill=100)["backfilled"] == 0


def test_an_edited_entry_is_read_again_and_no_other(pipeline: Pipeline, site: Site, source: UUID) -> None:
    for n in range(2):
        site.pages[f"/article/{n}"] = Answer(page(f"Title {n}", paragraphs(f"thing {n}")))
    site.pages["/feed"] = Answer(feed(site, 2))
    pipeline.bring(source)
    site.pages["/feed"] = Answer(feed(site, 2).replace("Title 1", "Corrected: title 1"))
    site.pages["/article/1"] = Answer(page("Corrected", paragraphs("a corrected thing")))
    result = pipeline.poll(source)
    assert (result["new"], result["edited"]) == (0, 1)
    pipeline.drain()
    assert pipeline.outcomes() == {"stored": 1, "updated": 1}
    assert pipeline.query("SELECT title FROM stories ORDER BY title") == [("Corrected: title 1",), ("Title 0",)]
    assert pipeline.query("SELECT count(*) FROM contents WHERE text_body LIKE '%%a corrected thing%%'") == [(1,)]


@pytest.mark.parametrize(
    ("outcome", "again"),
    [
        *dict.fromkeys(
            ("stored", "updated", "retracted", "not_found", "forbidden", "fetch_failed", "timeout"), 1
        ).items(),
        *dict.fromkeys(("rate_limited", "engine_failed", "abandoned"), 1).items(),
        *dict.fromkeys(("queued", "retrying", "duplicate", "backlog", "blocked_address", "paywall"), 0).items(),
    ],
)
def test_an_edited_entry_is_read_again_also_where_its_page_could_not_be_had(
    pipeline: Pipeline, site: Site, source: UUID, outcome: str, again: int
) -> None:
    site.pages["/feed"] = Answer(feed(site, 1))
    pipeline.run("ingest-source", source_id=source)
    pipeline.query("UPDATE item_outcomes SET outcome = %s", outcome)
    site.pages["/feed"] = Answer(feed(site, 1, title="Corrected"))
    assert pipeline.poll(source)["edited"] == again


def test_a_story_whose_page_returned_is_no_longer_retracted(pipeline: Pipeline, site: Site, source: UUID) -> None:
    found = Answer(page("Title", paragraphs("the thing")))
    for outcome, answer in (("stored", found), ("retracted", Answer(status=404)), ("updated", found)):
        site.pages |= {"/feed": Answer(feed(site, 1, title=f"It is {outcome}")), "/article/0": answer}
        pipeline.bring(source)
        assert pipeline.outcomes() == {outcome: 1}


def test_an_engine_without_lists_of_items_is_a_stated_outcome(pipeline: Pipeline, site: Site, add_source: Any) -> None:
    answer = {"data": {"id": "1", "name": "Feed", "url": "u", "sourceType": "rss", "isActive": True}}
    site.pages["/source"] = Answer(json.dumps(answer), content_type="application/json")
    pipeline.engine = HttpEngine(site.url)
    result = pipeline.run("ingest-source", source_id=add_source("https://a.example/feed"))
    assert result["outcome"] == "engine_failed"
    assert "no list" in pipeline.query("SELECT message FROM source_health")[0][0]


@pytest.mark.parametrize(("more", "wait"), [({}, 60), ({"retryAfter": 0}, 60), ({"retryAfter": 7}, 7)])
def test_an_absent_engine_is_no_fault_of_a_source_and_is_asked_when_it_has_time(
    pipeline: Pipeline, site: Site, add_source: Any, more: dict[str, int], wait: int
) -> None:
    busy = {"error": "busy", "code": "engine_failed", "transient": True, **more}
    site.pages["/source"] = Answer(json.dumps(busy), status=503, content_type="application/json")
    pipeline.engine = HttpEngine(site.url)
    source = add_source("https://a.example/feed")
    with pytest.raises(Defer, match="busy") as caught:
        pipeline.run("ingest-source", source_id=source)
    assert caught.value.until == timedelta(seconds=wait)
    assert pipeline.query("SELECT count(*) FROM source_health") == [(0,)]


def test_a_source_that_does_not_exist_or_has_no_address_is_a_stated_outcome(pipeline: Pipeline) -> None:
    assert pipeline.run("ingest-source", source_id=uuid4()) == {"outcome": "no_such_source"}
    (source,) = pipeline.query("INSERT INTO sources (type) VALUES ('rss') RETURNING id")[0]
    for _ in range(2):
        assert pipeline.run("ingest-source", source_id=source)["outcome"] == "invalid_url"
    assert pipeline.query("SELECT status FROM source_health") == [("error",)]


def test_a_channel_of_youtube_brings_videos_without_pages(pipeline: Pipeline, site: Site, add_source: Any) -> None:
    description = "This video explains in detail how the queue works. " * 6
    site.pages["/feed"] = Answer(channel(description))
    pipeline.bring(add_source(f"{site.url}/feed", "youtube_channel"))
    assert [asked.path for asked in site.asked] == ["/feed"]
    assert pipeline.query("SELECT kind, title FROM stories") == [("video", "A video")]
    assert pipeline.query("SELECT text_origin FROM content_details") == [("description",)]


def test_a_podcast_brings_episodes_that_keep_their_length(pipeline: Pipeline, site: Site, add_source: Any) -> None:
    notes = "In this episode two people talk at length about queues, retries and what they learnt. " * 4
    sound = (
        f"<enclosure url='{site.url}/1.mp3' type='audio/mpeg' length='1'/><itunes:duration>1:02:03</itunes:duration>"
    )
    episode = f"<description>{notes}</description>{sound}"
    site.pages["/feed"] = Answer(rss(("e1", "Episode 1", f"{site.url}/episodes/1"), extra=episode))
    pipeline.bring(add_source(f"{site.url}/feed", "podcast"))
    assert [asked.path for asked in site.asked] == ["/feed"], "the audio is not fetched, nor a page that says less"
    assert pipeline.query(
        "SELECT s.kind, c.content_type, c.duration_seconds FROM stories s JOIN contents c ON c.id = s.content_id"
    ) == [("podcast", "audio", 3723)]


def test_two_polls_at_the_same_time_add_and_send_each_item_once(
    pipeline: Pipeline, site: Site, source: UUID, beside: Any
) -> None:
    together, body = threading.Barrier(2), feed(site, 5)

    def answer(_: Asked) -> Answer:
        together.wait()
        return Answer(body)

    site.pages["/feed"] = answer
    ended = at_once([lambda: beside("ingest-source", source_id=source)] * 2)
    sent = [one for _, jobs in ended for _, payload, _ in jobs for one in payload["raw_item_ids"]]
    assert len(sent) == len(set(sent)) == 5
    assert pipeline.outcomes() == {"queued": 5}
