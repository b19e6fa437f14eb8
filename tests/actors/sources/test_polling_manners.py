from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from actors.engine.contract import ContentSource
from tests.actors.scripted_site import Answer, Asked, Site
from tests.actors.sources.conftest import Pipeline
from tests.actors.sources.test_ingest_source import feed


def test_a_feed_is_asked_conditionally_with_what_it_sent(pipeline: Pipeline, site: Site, source: UUID) -> None:
    # Earlier version: the feed was polled unconditionally every 5 minutes.
    stamp = "Fri, 20 Nov 2026 10:00:00 GMT"

    def answer(asked: Asked) -> Answer:
        if asked.headers.get("if-none-match") == 'W/"odd tag"' and asked.headers.get("if-modified-since") == stamp:
            return Answer(status=304, headers={"ETag": 'W/"second"'})
        return Answer(feed(site, 1), headers={"ETag": 'W/"odd tag"', "Last-Modified": stamp})

    site.pages["/feed"] = answer
    pipeline.poll(source)
    assert pipeline.poll(source)["outcome"] == "not_modified"
    assert pipeline.query("SELECT etag, last_modified FROM source_polling") == [('W/"second"', stamp)]
    assert pipeline.query("SELECT status FROM source_health") == [("ok",)]


def test_tags_of_an_answer_that_could_not_be_read_are_not_kept(pipeline: Pipeline, site: Site, source: UUID) -> None:
    site.pages["/feed"] = Answer("<html>maintenance</html>", headers={"ETag": '"bad"'})
    assert pipeline.poll(source)["outcome"] == "not_a_feed"
    assert pipeline.query("SELECT etag FROM source_polling") == [(None,)]


@pytest.mark.parametrize(
    ("status", "outcome", "health"),
    [
        (404, "not_found", "error"),
        (500, "fetch_failed", "warn"),
        (403, "forbidden", "error"),
        (429, "rate_limited", "warn"),
    ],
)
def test_a_feed_that_cannot_be_read_is_an_outcome_and_backs_off(
    pipeline: Pipeline, site: Site, source: UUID, status: int, outcome: str, health: str
) -> None:
    site.pages["/feed"] = Answer(status=status)
    waits = [pipeline.poll(source)["next_check_in_s"] // 3600 for _ in range(7)]
    assert waits == [1, 2, 4, 8, 16, 24, 24]
    assert pipeline.poll(source)["outcome"] == outcome
    assert pipeline.query("SELECT is_active FROM sources") == [(True,)]
    assert pipeline.query("SELECT status, last_error_at IS NOT NULL FROM source_health") == [("error", True)]
    pipeline.query("UPDATE source_polling SET failures = 0")
    pipeline.poll(source)
    assert pipeline.query("SELECT status FROM source_health") == [(health,)]
    site.pages["/feed"] = Answer(feed(site, 1))
    pipeline.run("ingest-source", source_id=source, reason="retry")
    assert pipeline.query("SELECT failures FROM source_polling") == [(0,)]
    seen = "SELECT status, message, last_success_at IS NOT NULL, last_error_at IS NOT NULL FROM source_health"
    assert pipeline.query(seen) == [("ok", None, True, True)]


def test_a_job_without_work_leaves_its_source_free(pipeline: Pipeline, source: UUID) -> None:
    queued = "SELECT count(queued_at) FROM source_polling"
    pipeline.run("ingest-pull")
    pipeline.query("UPDATE source_polling SET next_check_at = zeke_jobs.now() + interval '1 minute'")
    assert pipeline.run("ingest-source", source_id=source) == {"outcome": "not_due"}
    assert pipeline.query(queued) == [(0,)]
    pipeline.query("UPDATE source_polling SET next_check_at = zeke_jobs.now()")
    assert pipeline.run("ingest-pull")["sources"] == 1
    pipeline.query("UPDATE sources SET is_active = false")
    assert pipeline.run("ingest-source", source_id=source) == {"outcome": "inactive"}
    assert pipeline.query(queued) == [(0,)]


def test_a_source_that_is_gone_twice_is_switched_off(pipeline: Pipeline, site: Site, source: UUID) -> None:
    site.pages["/feed"] = Answer(status=410)
    assert pipeline.run("ingest-source", source_id=source) == {"outcome": "gone", "switched_off": False}
    assert pipeline.poll(source) == {"outcome": "gone", "switched_off": True}
    assert pipeline.query("SELECT is_active FROM sources") == [(False,)]
    assert "switched off" in pipeline.query("SELECT message FROM source_health")[0][0]
    assert pipeline.poll(source) == {"outcome": "inactive"}


def test_a_source_moves_after_a_redirect_was_seen_for_long(pipeline: Pipeline, site: Site, add_source: Any) -> None:
    site.pages["/old"] = Answer(status=301, headers={"Location": "/new"})
    site.pages["/new"] = Answer(feed(site, 1))
    source = add_source(f"{site.url}/old")
    for _ in range(4):
        pipeline.poll(source)
    assert pipeline.query("SELECT url FROM sources") == [(f"{site.url}/old",)]
    pipeline.query("UPDATE source_polling SET moved_since = moved_since - interval '25 hours'")
    pipeline.poll(source)
    assert pipeline.query("SELECT url FROM sources") == [(f"{site.url}/new",)]
    before = pipeline.snapshot()
    pipeline.poll(source)
    assert pipeline.snapshot() == before


def test_a_source_is_asked_as_often_as_it_publishes_and_the_servers_own_wish_only_makes_it_rarer(
    pipeline: Pipeline, site: Site, source: UUID
) -> None:
    body = feed(site, 14, date=datetime.now(UTC) - timedelta(days=1))
    site.pages["/feed"] = Answer(body, headers={"Cache-Control": "public, max-age=60"})
    pipeline.poll(source)
    assert pipeline.query("SELECT interval_seconds FROM source_polling") == [(12 * 3600,)]
    wait = "SELECT extract(epoch FROM next_check_at - zeke_jobs.now())::int / 60 FROM source_polling"
    assert pipeline.query(wait)[0][0] >= 60
    site.pages["/feed"] = Answer(feed(site, 200), headers={"Cache-Control": "max-age=18000"})
    pipeline.poll(source)
    assert pipeline.query(wait)[0][0] in {299, 300}


def test_a_handle_is_looked_up_once(pipeline: Pipeline, add_source: Any) -> None:
    channel = f"https://www.youtube.com/feeds/videos.xml?channel_id=UC{'a' * 22}"
    asked: list[str] = []

    class Youtube:
        def fetch_source(self, url: str, *_: object) -> ContentSource:
            asked.append(url)
            return ContentSource(id=url, url=channel, source_type="youtube", items=[])

    pipeline.engine = Youtube()  # type: ignore[assignment]
    source = add_source("https://www.youtube.com/@name", "youtube_channel")
    for _ in range(2):
        assert pipeline.poll(source)["outcome"] == "read"
    assert asked == ["https://www.youtube.com/@name", channel]
