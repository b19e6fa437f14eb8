import threading
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from actors.engine.client import HttpEngine
from actors.engine.contract import ContentItem
from actors.sources.source import FirstFetch
from tests.actors.scripted_site import Answer, Asked, as_json, channel, rss
from tests.actors.sources.conftest import Pipeline, at_once
from tests.each import cases
from zeke_jobs import Defer


def test_a_feed_brings_its_items_and_a_second_reading_none(pipeline: Pipeline) -> None:
    pipeline.serve_feed(3)
    result = pipeline.poll(reason="schedule")
    assert result == {"outcome": "read", "items": 3, "new": 3, "edited": 0, "backlog": 0}
    assert pipeline.tasks_sent() == ["fetch-content"]
    assert len(pipeline.sent[0][1]["raw_item_ids"]) == 3
    assert pipeline.poll(reason="schedule") == {"outcome": "not_due"}, "redelivered"
    assert pipeline.site.times("/feed") == 1
    before = pipeline.snapshot()
    assert pipeline.poll()["new"] == 0
    assert pipeline.tasks_sent() == ["fetch-content"]
    assert pipeline.snapshot() == before


def test_a_new_source_brings_its_newest_and_states_the_rest(pipeline: Pipeline) -> None:
    now = datetime.now(UTC)
    _, tag, old = pipeline.serve_feed(3, start=100, date=now - timedelta(days=30)).partition("<item>")
    recent = pipeline.serve_feed(12, date=now - timedelta(days=1)).removesuffix("</channel></rss>")
    pipeline.serve("/feed", Answer(recent + tag + old))
    result = pipeline.poll(reason="schedule")
    assert (result["new"], result["backlog"]) == (10, 5)
    assert pipeline.outcomes() == {"queued": 10, "backlog": 5}
    assert pipeline.query("SELECT count(*) FROM raw_items WHERE status = 'skipped'") == [(5,)]
    pipeline.serve_feed(30, date=now - timedelta(days=20))
    assert pipeline.poll()["new"] == 18
    for more, new in (({}, 10), ({"within": "7d"}, 0)):
        pipeline.query("DELETE FROM sources")
        pipeline.serve_feed(12, date=now - timedelta(days=400))
        pipeline.settings["ingest-source"] = {"first_fetch": more}
        assert pipeline.poll(pipeline.add_source("/feed"))["new"] == new


def test_a_new_source_brings_its_newest_entries_and_those_without_a_date() -> None:
    now = datetime(2026, 11, 25, tzinfo=UTC)
    entries = [ContentItem(id=str(days), published_at=now - timedelta(days=days)) for days in (3, 1, 2)]
    entries.append(ContentItem(id="undated"))
    assert FirstFetch(items=2).newest(entries, now) == {"undated", "1"}
    assert FirstFetch(within=timedelta(hours=50)).newest(entries, now) == {"undated", "1", "2"}


def test_a_backfill_brings_what_was_left_out_newest_first(pipeline: Pipeline) -> None:
    pipeline.serve_feed(14)
    pipeline.settings["ingest-source"] = {"first_fetch": {"items": 1}}
    assert pipeline.poll(reason="schedule")["backlog"] == 13
    newest = "external_id = (SELECT max(external_id) FROM raw_items)"
    pipeline.query(f"UPDATE raw_items SET published_at = now() WHERE {newest}")
    pipeline.sent.clear()
    result = pipeline.poll(backfill=4)
    assert (result["backfilled"], result["backlog_left"]) == (4, 9)
    assert pipeline.outcomes() == {"queued": 5, "backlog": 9}
    assert [len(payload["raw_item_ids"]) for _, payload, _ in pipeline.sent] == [4]
    assert pipeline.poll(backfill=100)["backlog_left"] == 0
    assert pipeline.poll(backfill=100)["backfilled"] == 0


def test_an_edited_entry_is_read_again_and_a_page_that_returned_is_updated(pipeline: Pipeline) -> None:
    for n in range(2):
        pipeline.serve(f"/{n}", f"thing {n}")
    pipeline.serve_feed(2)
    pipeline.bring()
    pipeline.serve("/feed", Answer(pipeline.serve_feed(2).replace("Title 1", "Corrected: title 1")))
    pipeline.serve("/1", "a corrected thing")
    result = pipeline.poll()
    assert (result["new"], result["edited"]) == (0, 1)
    pipeline.drain()
    assert pipeline.outcomes() == {"stored": 1, "updated": 1}
    assert pipeline.query("SELECT title FROM stories ORDER BY title") == [("Corrected: title 1",), ("Title 0",)]
    assert pipeline.query("SELECT count(*) FROM contents WHERE text_body LIKE '%%a corrected thing%%'") == [(1,)]
    for outcome, answer in (("retracted", Answer(status=404)), ("updated", "the thing")):
        pipeline.serve_feed(1, title=f"It is {outcome}")
        pipeline.serve("/0", answer)
        pipeline.bring()
        assert pipeline.query("SELECT outcome FROM item_outcomes ORDER BY decided_at DESC LIMIT 1") == [(outcome,)]


@cases(
    "outcome again",
    *((outcome, 1) for outcome in ("stored", "updated", "retracted", "not_found", "forbidden", "fetch_failed")),
    *((outcome, 1) for outcome in ("timeout", "rate_limited", "engine_failed", "abandoned")),
    *((outcome, 0) for outcome in ("queued", "retrying", "duplicate", "backlog", "blocked_address", "paywall")),
)
def test_an_edited_entry_is_read_again_also_without_its_page(pipeline: Pipeline, outcome: str, again: int) -> None:
    pipeline.serve_feed(1)
    pipeline.poll(reason="schedule")
    pipeline.query("UPDATE item_outcomes SET outcome = %s", outcome)
    pipeline.serve_feed(1, title="Corrected")
    assert pipeline.poll()["edited"] == again


def test_without_a_list_of_items_an_address_or_a_source_the_outcome_is_stated(pipeline: Pipeline) -> None:
    answer = {"data": {"id": "1", "name": "Feed", "url": "u", "sourceType": "rss", "isActive": True}}
    pipeline.serve("/source", as_json(answer))
    pipeline.engine = HttpEngine(pipeline.site.url)
    assert pipeline.poll()["outcome"] == "engine_failed"
    assert "no list" in pipeline.query("SELECT message FROM source_health")[0][0]
    assert pipeline.poll(uuid4()) == {"outcome": "no_such_source"}
    (source,) = pipeline.query("INSERT INTO sources (type) VALUES ('rss') RETURNING id")[0]
    for _ in range(2):
        assert pipeline.poll(source, "schedule")["outcome"] == "invalid_url"
    assert set(pipeline.query("SELECT status FROM source_health")) == {("warn",), ("error",)}


@pytest.mark.parametrize(("more", "wait"), [({}, 60), ({"retryAfter": 0}, 60), ({"retryAfter": 7}, 7)])
def test_an_absent_engine_is_asked_later(pipeline: Pipeline, more: dict[str, int], wait: int) -> None:
    busy = {"error": "busy", "code": "engine_failed", "transient": True, **more}
    pipeline.serve("/source", as_json(busy, 503))
    pipeline.engine = HttpEngine(pipeline.site.url)
    with pytest.raises(Defer, match="busy") as caught:
        pipeline.poll(reason="schedule")
    assert caught.value.until == timedelta(seconds=wait)
    with pytest.raises(Defer, match=r"engine is left alone until .* busy"):
        pipeline.poll(pipeline.add_source("https://b.example/feed"))
    assert len(pipeline.site.asked) == 1
    assert pipeline.query("SELECT count(*) FROM source_health") == [(0,)]


def test_a_channel_of_youtube_brings_videos_and_a_podcast_episodes_without_pages(pipeline: Pipeline) -> None:
    pipeline.serve("/feed", Answer(channel("This video explains in detail how the queue works. " * 6)))
    pipeline.bring(pipeline.add_source("/feed", "youtube_channel"))
    told = "SELECT kind, title, text_origin FROM stories JOIN content_details USING (content_id)"
    assert pipeline.query(told) == [("video", "A video", "description")]
    notes = "In this episode two people talk at length about queues, retries and what they learnt. " * 4
    sound = f"<enclosure url='{pipeline.at('/1.mp3')}' type='audio/mpeg' length='1'/>"
    extra = f"<description>{notes}</description>{sound}<itunes:duration>1:02:03</itunes:duration>"
    pipeline.serve("/cast", Answer(rss(("e1", "Episode 1", pipeline.at("/episodes/1")), extra=extra)))
    pipeline.bring(pipeline.add_source("/cast", "podcast"))
    asked = [asked.path for asked in pipeline.site.asked]
    assert asked == ["/feed", "/cast"], "the audio is not fetched, nor a page that says less"
    stored = "SELECT s.kind, c.content_type, c.duration_seconds FROM stories s JOIN contents c ON c.id = s.content_id"
    assert ("podcast", "audio", 3723) in pipeline.query(stored)


def test_two_polls_at_the_same_time_add_and_send_each_item_once(pipeline: Pipeline) -> None:
    together, body, source = threading.Barrier(2), pipeline.serve_feed(5), pipeline.source

    def answer(_: Asked) -> Answer:
        together.wait()
        return Answer(body)

    pipeline.site.pages["/feed"] = answer
    ended = at_once([lambda: pipeline.beside("ingest-source", source_id=source)] * 2)
    sent = [one for _, jobs in ended for _, payload, _ in jobs for one in payload["raw_item_ids"]]
    assert len(sent) == len(set(sent)) == 5
    assert pipeline.outcomes() == {"queued": 5}
