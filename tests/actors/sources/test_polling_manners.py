"""The pipeline asks sources and hosts only as often as they allow. A fault of one feed or item delays no other."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg2 import DataError

from actors.cli.app import run
from actors.engine import Settings
from actors.engine.contract import ContentSource
from tests.actors.database import execute
from tests.actors.raw_server import nobody
from tests.actors.scripted_site import Answer, Asked, Site, atom, page, paragraphs
from tests.actors.sources.conftest import Pipeline
from zeke_jobs import Defer
from zeke_jobs.testing import FakeContext, set_clock


def test_a_feed_is_asked_conditionally_with_what_it_sent_unless_that_could_not_be_read(pipeline: Pipeline) -> None:
    pipeline.serve("/feed", Answer("<html>maintenance</html>", headers={"ETag": '"bad"'}))
    assert pipeline.poll()["outcome"] == "not_a_feed"
    assert pipeline.query("SELECT etag FROM source_polling") == [(None,)]
    # An earlier version polled the feed every 5 minutes without If-None-Match and If-Modified-Since.
    stamp, body = "Fri, 20 Nov 2026 10:00:00 GMT", pipeline.serve_feed(1)

    def answer(asked: Asked) -> Answer:
        if asked.headers.get("if-none-match") == 'W/"odd tag"' and asked.headers.get("if-modified-since") == stamp:
            return Answer(status=304, headers={"ETag": 'W/"second"'})
        return Answer(body, headers={"ETag": 'W/"odd tag"', "Last-Modified": stamp})

    pipeline.site.pages["/feed"] = answer
    pipeline.poll()
    assert pipeline.poll()["outcome"] == "not_modified"
    assert pipeline.query("SELECT etag, last_modified FROM source_polling") == [('W/"second"', stamp)]
    assert pipeline.query("SELECT status FROM source_health") == [("ok",)]


@pytest.mark.parametrize(
    ("status", "outcome", "health"),
    [(404, "not_found", "error"), (500, "fetch_failed", "warn"), (429, "rate_limited", "warn")],
)
def test_a_feed_that_cannot_be_read_backs_off(pipeline: Pipeline, status: int, outcome: str, health: str) -> None:
    pipeline.serve("/feed", Answer(status=status))
    assert [pipeline.poll()["next_check_in_s"] // 3600 for _ in range(7)] == [1, 2, 4, 8, 16, 24, 24]
    assert pipeline.poll()["outcome"] == outcome
    assert pipeline.query("SELECT is_active FROM sources") == [(True,)]
    assert pipeline.query("SELECT status, last_error_at IS NOT NULL FROM source_health") == [("error", True)]
    pipeline.query("UPDATE source_polling SET failures = 0")
    pipeline.poll()
    assert pipeline.query("SELECT status FROM source_health") == [(health,)]
    pipeline.serve_feed(1)
    pipeline.poll(reason="retry")
    assert pipeline.query("SELECT failures FROM source_polling") == [(0,)]
    seen = "SELECT status, message, last_success_at IS NOT NULL, last_error_at IS NOT NULL FROM source_health"
    assert pipeline.query(seen) == [("ok", None, True, True)]


def test_a_job_without_work_leaves_its_source_free_and_one_gone_twice_is_off(pipeline: Pipeline) -> None:
    source, queued = pipeline.source, "SELECT count(queued_at) FROM source_polling"
    pipeline.run("ingest-pull")
    pipeline.query("UPDATE source_polling SET next_check_at = zeke_jobs.now() + interval '1 minute'")
    assert pipeline.poll(source, "schedule") == {"outcome": "not_due"}
    assert pipeline.query(queued) == [(0,)]
    pipeline.query("UPDATE source_polling SET next_check_at = zeke_jobs.now()")
    assert pipeline.run("ingest-pull")["sources"] == 1
    pipeline.query("UPDATE sources SET is_active = false")
    assert pipeline.poll(reason="schedule") == {"outcome": "inactive"}
    assert pipeline.query(queued) == [(0,)]
    pipeline.query("UPDATE sources SET is_active = true")
    for reason in ("schedule", "manual"):
        pipeline.serve("/feed", Answer(status=500))  # Another failure begins the count anew.
        assert pipeline.poll()["outcome"] == "fetch_failed"
        pipeline.query("UPDATE source_polling SET next_check_at = zeke_jobs.now()")
        pipeline.serve("/feed", Answer(status=410))
        assert pipeline.poll(reason=reason) == {"outcome": "gone", "switched_off": False}
    assert pipeline.poll() == {"outcome": "gone", "switched_off": True}
    assert pipeline.query("SELECT is_active FROM sources") == [(False,)]
    assert "switched off" in pipeline.query("SELECT message FROM source_health")[0][0]
    assert pipeline.poll() == {"outcome": "inactive"}


def test_a_source_moves_after_a_redirect_was_seen_for_long_and_a_handle_is_looked_up_once(pipeline: Pipeline) -> None:
    pipeline.source = pipeline.add_source("/old")
    pipeline.serve("/old", Answer(status=301, headers={"Location": "/feed"}))
    pipeline.serve_feed(1)
    for _ in range(4):
        pipeline.poll()
    assert pipeline.query("SELECT url FROM sources") == [(pipeline.at("/old"),)]
    pipeline.query("UPDATE source_polling SET moved_since = moved_since - interval '25 hours'")
    pipeline.poll()
    assert pipeline.query("SELECT url FROM sources") == [(pipeline.at("/feed"),)]
    before = pipeline.snapshot()
    pipeline.poll()
    assert pipeline.snapshot() == before
    # A YouTube handle is looked up once; later polls read the feed of its channel.
    channel = f"https://www.youtube.com/feeds/videos.xml?channel_id=UC{'a' * 22}"
    asked: list[str] = []

    class Youtube:
        def fetch_source(self, url: str, *_: object) -> ContentSource:
            asked.append(url)
            return ContentSource(id=url, url=channel, source_type="youtube", items=[])

    pipeline.engine = Youtube()
    source = pipeline.add_source("https://www.youtube.com/@name", "youtube_channel")
    for _ in range(2):
        assert pipeline.poll(source)["outcome"] == "read"
    assert asked == ["https://www.youtube.com/@name", channel]


def test_a_source_is_asked_as_often_as_it_publishes_or_as_rarely_as_it_wishes(pipeline: Pipeline) -> None:
    body = pipeline.serve_feed(14, date=datetime.now(UTC) - timedelta(days=1))
    pipeline.serve("/feed", Answer(body, headers={"Cache-Control": "public, max-age=60"}))
    pipeline.poll()
    assert pipeline.query("SELECT interval_seconds FROM source_polling") == [(12 * 3600,)]
    wait = "SELECT extract(epoch FROM next_check_at - zeke_jobs.now())::int / 60 FROM source_polling"
    assert pipeline.query(wait)[0][0] >= 60
    pipeline.serve("/feed", Answer(pipeline.serve_feed(200), headers={"Cache-Control": "max-age=18000"}))
    pipeline.poll()
    assert pipeline.query(wait)[0][0] in {299, 300}


TEXT = "A text that is long enough to be a story, with a number of its own: {0}. " * 10


def test_a_source_that_fails_unforeseen_backs_off(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline.engine = object()  # The method that reads a source is missing.
    with pytest.raises(AttributeError):
        pipeline.poll(reason="schedule")
    assert pipeline.query("SELECT failures, next_check_at > zeke_jobs.now() FROM source_polling") == [(1, True)]
    ((status, message),) = pipeline.query("SELECT status, message FROM source_health")
    assert status == "error"
    assert "ingest-source failed: " in message
    assert pipeline.poll(reason="schedule") == {"outcome": "not_due"}
    assert run(["sources", "health"]) == 0
    assert "ingest-source failed" in capsys.readouterr().out


def edited(pipeline: Pipeline, updated: str) -> int:
    """Poll a feed whose entry has this update time; return the number of edits seen."""
    pipeline.serve("/1", "a thing")
    entry = f'<id>1</id><title>t</title><link href="{pipeline.at("/1")}"/><updated>{updated}</updated>'
    pipeline.serve("/feed", Answer(atom(entry)))
    found: int = pipeline.poll()["edited"]
    pipeline.drain()
    return found


@pytest.mark.parametrize("shift", [timedelta(0), timedelta(hours=3)])
def test_an_update_in_the_future_is_no_edit_until_then(pipeline: Pipeline, shift: timedelta) -> None:
    began = datetime.now(UTC).replace(microsecond=0)

    def poll(after: timedelta, updated: datetime) -> int:
        set_clock(pipeline.conn, began + after)
        return edited(pipeline, updated.isoformat())

    hour = timedelta(hours=1)
    poll(0 * hour, began + 2 * hour)
    assert pipeline.outcomes() == {"stored": 1}
    assert poll(1 * hour, began + 2 * hour + shift) == 0
    assert poll(2 * hour, began + 4 * hour) == 0
    assert poll(3 * hour, began + 5 * hour) == 0
    assert poll(6 * hour, began + 5 * hour) == 1, "it has come, and is another one than when the text was read"
    assert poll(7 * hour, began + 5 * hour) == 0
    # If an entry came with a date in the far future, the correction of this date counts as one edit.
    pipeline.query("""UPDATE raw_items SET metadata = metadata || '{"updated": "2099-01-01T00:00:00+00:00"}'""")
    assert [poll(8 * hour, began + many * hour) for many in (999_999, 999_999, 7, 7)] == [0, 0, 1, 0]


def test_an_item_that_cannot_be_stored_holds_up_no_other(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(3):
        pipeline.serve(f"/{n}", f"thing {n}")
    ids = [pipeline.add_item(f"/{n}", title=f"T{n}") for n in range(3)]

    def stumble(tx: Any, item: Any, *rest: Any) -> Any:
        if item.id == ids[0]:
            execute(tx, "SELECT 3600000000::integer")
        return file_text(tx, item, *rest)

    from actors.sources.filing import file_text

    monkeypatch.setattr("actors.sources.content.file_text", stumble)
    with pytest.raises(DataError):
        pipeline.fetch(*ids)
    assert pipeline.outcomes() == {"queued": 1, "stored": 2}


def test_an_identity_or_address_of_any_length_is_brought_in_once(pipeline: Pipeline) -> None:
    long = "".join(map(str, range(1_000)))
    given = [{"externalId": one, "text": TEXT.format(one)} for one in (f"{long}a", f"{long}b", "short")]
    source = pipeline.add_source("https://a.example/uploads", "upload")
    for count in ("queued", "known"):
        assert pipeline.run("ingest-from-upload", source_id=source, items=given)[count] == 3
    first, again = (pipeline.run("ingest-oneoff", url=f"https://a.example/page?signature={long}") for _ in range(2))
    assert first["outcome"] == "queued"
    assert again["raw_item_id"] == first["raw_item_id"]


@pytest.fixture
def pages(pipeline: Pipeline) -> Pipeline:
    """Serve a feed with three pages."""
    for n in range(3):
        pipeline.serve(f"/{n}", f"the queue of {n}")
    pipeline.serve_feed(3)
    return pipeline


def test_a_feed_and_pages_of_its_host_are_asked_under_one_lease_and_robots_txt_is_not(pages: Pipeline) -> None:
    pages.bring()
    assert [context.leased for context in pages.contexts] == [[f"host/{pages.host}"]] * 2
    assert pages.outcomes() == {"stored": 3}
    assert {asked.path for asked in pages.site.asked} == {"/feed", "/0", "/1", "/2"}


def test_a_host_that_another_job_asks_is_left_alone_until_that_has_ended(pages: Pipeline) -> None:
    item = pages.add_item("/0")
    pages.taken_leases = [f"host/{pages.host}"]
    for task, payload in (("ingest-source", {"source_id": pages.source}), ("fetch-content", {"raw_item_ids": [item]})):
        with pytest.raises(Defer):
            pages.run(task, **payload)
    assert pages.site.asked == []
    assert pages.outcomes() == {"queued": 1}, "no attempt is counted"
    text = "What was uploaded is not fetched, whoever asks the host of its address at this moment. " * 4
    assert pages.fetch(pages.add_item("/1", metadata={"text": text})) == {"stored": 1}
    pages.taken_leases = []
    assert pages.fetch(item) == {"stored": 1}


@pytest.mark.parametrize("first", ["ingest-source", "fetch-content"])
def test_a_host_that_asks_for_less_is_asked_by_no_other_job_until_then(pages: Pipeline, first: str) -> None:
    for path in ("/feed", "/a"):
        pages.serve(path, Answer(status=503, headers={"Retry-After": "900"}))
    jobs: dict[str, dict[str, Any]] = {
        "ingest-source": {"source_id": pages.source, "reason": "manual"},
        "fetch-content": {"raw_item_ids": [pages.add_item("/a")]},
    }
    with Site() as elsewhere:
        elsewhere.pages["/c"] = Answer(page("C", paragraphs("another site")))
        waits, other = pages.add_item("/0"), pages.add_item(f"{elsewhere.url}/c")
        pages.run(first, **jobs.pop(first))
        for task, asked in (*jobs.items(), ("fetch-content", {"raw_item_ids": [waits]})):
            with pytest.raises(Defer, match=r"is left alone until .* answers 503") as caught:
                pages.run(task, **asked)
            assert isinstance(caught.value.until, datetime)
            assert timedelta(minutes=14) < caught.value.until - datetime.now(UTC) < timedelta(minutes=16)
        assert len(pages.site.asked) == 1
        assert pages.fetch(other) == {"stored": 1}
    pages.query("UPDATE rests SET until = zeke_jobs.now()")
    assert pages.fetch(waits) == {"stored": 1}


def test_an_unreachable_host_is_asked_once_and_all_articles_of_its_feed_count(pages: Pipeline) -> None:
    dead = nobody()
    told = [{"content": paragraphs(f"what the feed says of number {n * 7919}")} for n in range(3)]
    ids = [pages.add_item(f"{dead}/{n}", title=f"T{n}", metadata=one) for n, one in enumerate(told)]
    assert pages.fetch(*ids) == {"retrying": 3}
    assert pages.query("SELECT text_origin FROM content_details") == [("feed",)] * 3
    tried = "SELECT count(*) FROM item_outcomes WHERE attempts = 1 AND detail LIKE '%%no connection%%'"
    assert pages.query(tried) == [(3,)]
    with pytest.raises(Defer, match=r"is left alone until .* no connection"):
        pages.poll(pages.add_source(f"{dead}/feed"))


def rule(pipeline: Pipeline, **given: Any) -> None:
    settings = {"allow_networks": ["127.0.0.0/8"], "sites": {pipeline.host: given}}
    pipeline.engine = Settings.model_validate(settings).open()


def test_no_page_is_fetched_where_the_feed_is_enough(pages: Pipeline) -> None:
    rule(pages, feed_is_enough=True)
    pages.serve_feed(1, extra=f"<description><![CDATA[{paragraphs('the whole article', 2)}]]></description>")
    pages.bring()
    assert pages.site.times("/0") == 0
    ((origin, choice),) = pages.query("SELECT text_origin, text_choice FROM content_details")
    assert (origin, choice) == ("description", "description: the rule of its site says that it is enough")
    pages.fetch(pages.add_item("/0", metadata={"description": "Too short."}))
    assert pages.site.times("/0") == 1


def test_a_host_with_a_pause_is_asked_again_only_after_it(pages: Pipeline) -> None:
    rule(pages, pause="1h")
    ids = [pages.add_item(f"/{n}") for n in range(3)]
    for asked in (1, 2, 3):
        with pytest.raises(Defer, match="its rule has a pause") if asked < 3 else nullcontext():
            pages.fetch(*ids)
        assert len(pages.site.asked) == asked
        pages.query("UPDATE rests SET until = zeke_jobs.now()")
    assert pages.outcomes() == {"stored": 3}
    assert pages.query("SELECT DISTINCT attempts FROM item_outcomes") == [(0,)]


def test_a_host_that_may_be_asked_more_has_more_leases(pages: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    leases: list[tuple[Any, ...]] = []
    lease = FakeContext.lease

    def record(ctx: FakeContext, *given: Any) -> Any:
        leases.append(given)
        return lease(ctx, *given)

    monkeypatch.setattr(FakeContext, "lease", record)
    rule(pages, at_once=3)
    pages.serve_feed(7)
    pages.poll(reason="schedule")
    sent = [(options["key"], len(payload["raw_item_ids"])) for _, payload, options in pages.sent]
    assert sent == [(pages.host, 3), (f"{pages.host}#1", 3), (f"{pages.host}#2", 1)]
    pages.drain()
    assert leases == [(f"host/{pages.host}", 3)] * 4
