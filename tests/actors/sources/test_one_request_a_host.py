"""The pipeline sends a host one request at a time, unless the rule of the site allows more."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from actors import waiting
from actors.engine import Settings
from tests.actors.raw_server import nobody
from tests.actors.scripted_site import Answer, Site, page, paragraphs
from tests.actors.sources.conftest import Pipeline
from zeke_jobs import Defer
from zeke_jobs.testing import FakeContext


@pytest.fixture(autouse=True)
def three(pipeline: Pipeline) -> None:
    """Serve a feed with three pages."""
    for n in range(3):
        pipeline.serve(f"/{n}", f"the queue of {n}")
    pipeline.serve_feed(3)


def test_a_feed_and_pages_of_its_host_are_asked_under_one_lease_and_robots_txt_is_not(pipeline: Pipeline) -> None:
    pipeline.bring()
    assert [context.leased for context in pipeline.contexts] == [[f"host/{pipeline.host}"]] * 2
    assert pipeline.outcomes() == {"stored": 3}
    assert {asked.path for asked in pipeline.site.asked} == {"/feed", "/0", "/1", "/2"}
    docs = " ".join((Path(__file__).parents[3] / "docs" / "engine.md").read_text().split())
    assert "robots.txt is not read" in docs


def test_a_host_that_another_job_asks_is_left_alone_until_that_has_ended(pipeline: Pipeline) -> None:
    item = pipeline.add_item("/0")
    pipeline.taken_leases = [f"host/{pipeline.host}"]
    for task, payload in (
        ("ingest-source", {"source_id": pipeline.source}),
        ("fetch-content", {"raw_item_ids": [item]}),
    ):
        with pytest.raises(Defer):
            pipeline.run(task, **payload)
    assert pipeline.site.asked == []
    assert pipeline.outcomes() == {"queued": 1}, "no attempt is counted"
    text = "What was uploaded is not fetched, whoever asks the host of its address at this moment. " * 4
    assert pipeline.fetch(pipeline.add_item("/1", metadata={"text": text})) == {"stored": 1}
    pipeline.taken_leases = []
    assert pipeline.fetch(item) == {"stored": 1}


@pytest.mark.parametrize("first", ["ingest-source", "fetch-content"])
def test_a_host_that_asks_for_less_is_asked_by_no_other_job_until_then(pipeline: Pipeline, first: str) -> None:
    for path in ("/feed", "/a"):
        pipeline.serve(path, Answer(status=503, headers={"Retry-After": "900"}))
    jobs: dict[str, dict[str, Any]] = {
        "ingest-source": {"source_id": pipeline.source, "reason": "manual"},
        "fetch-content": {"raw_item_ids": [pipeline.add_item("/a")]},
    }
    with Site() as elsewhere:
        elsewhere.pages["/c"] = Answer(page("C", paragraphs("another site")))
        waits, other = pipeline.add_item("/0"), pipeline.add_item(f"{elsewhere.url}/c")
        pipeline.run(first, **jobs.pop(first))
        for task, asked in (*jobs.items(), ("fetch-content", {"raw_item_ids": [waits]})):
            with pytest.raises(Defer, match=r"is left alone until .* answers 503") as caught:
                pipeline.run(task, **asked)
            assert isinstance(caught.value.until, datetime)
            assert timedelta(minutes=14) < caught.value.until - datetime.now(UTC) < timedelta(minutes=16)
        assert len(pipeline.site.asked) == 1
        assert pipeline.fetch(other) == {"stored": 1}
    pipeline.query("UPDATE rests SET until = zeke_jobs.now()")
    assert pipeline.fetch(waits) == {"stored": 1}


def test_a_host_rests_as_long_as_it_asked_at_most_but_a_day(handler_context: Any, conn: Connection) -> None:
    for seconds in (30 * 86_400, 60):
        waiting.rest(handler_context(), "host/a.example", seconds, "busy")
        ((who, until, why),) = [row.values() for row in waiting.now(conn)]
        assert (who, why) == ("host/a.example", "busy")
        assert timedelta(hours=23) < until - datetime.now(UTC) < timedelta(hours=25)
    assert waiting.now(conn, ["host/b.example"]) == []


def test_an_unreachable_host_is_asked_once(pipeline: Pipeline) -> None:
    dead = nobody()
    assert pipeline.fetch(*(pipeline.add_item(f"{dead}/{n}") for n in range(3))) == {"retrying": 3}
    tried = "SELECT count(*) FROM item_outcomes WHERE attempts = 1 AND detail LIKE '%%no connection%%'"
    assert pipeline.query(tried) == [(3,)]
    with pytest.raises(Defer, match=r"is left alone until .* no connection"):
        pipeline.poll(pipeline.add_source(f"{dead}/feed"))


def rule(pipeline: Pipeline, **given: Any) -> None:
    settings = {"allow_networks": ["127.0.0.0/8"], "sites": {pipeline.host: given}}
    pipeline.engine = Settings.model_validate(settings).open()


def test_no_page_is_fetched_where_the_feed_is_enough(pipeline: Pipeline) -> None:
    rule(pipeline, feed_is_enough=True)
    pipeline.serve_feed(1, extra=f"<description><![CDATA[{paragraphs('the whole article', 2)}]]></description>")
    pipeline.bring()
    assert pipeline.site.times("/0") == 0
    ((origin, choice),) = pipeline.query("SELECT text_origin, text_choice FROM content_details")
    assert (origin, choice) == ("description", "description: the rule of its site says that it is enough")
    pipeline.fetch(pipeline.add_item("/0", metadata={"description": "Too short."}))
    assert pipeline.site.times("/0") == 1


def test_a_host_with_a_pause_is_asked_again_only_after_it(pipeline: Pipeline) -> None:
    rule(pipeline, pause="1h")
    ids = [pipeline.add_item(f"/{n}") for n in range(3)]
    for asked in (1, 2, 3):
        with pytest.raises(Defer, match="its rule has a pause") if asked < 3 else nullcontext():
            pipeline.fetch(*ids)
        assert len(pipeline.site.asked) == asked
        pipeline.query("UPDATE rests SET until = zeke_jobs.now()")
    assert pipeline.outcomes() == {"stored": 3}
    assert pipeline.query("SELECT DISTINCT attempts FROM item_outcomes") == [(0,)]


def test_a_host_that_may_be_asked_more_has_more_leases(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    leases: list[tuple[Any, ...]] = []
    lease = FakeContext.lease

    def record(ctx: FakeContext, *given: Any) -> Any:
        leases.append(given)
        return lease(ctx, *given)

    monkeypatch.setattr(FakeContext, "lease", record)
    rule(pipeline, at_once=3)
    pipeline.serve_feed(7)
    pipeline.poll(reason="schedule")
    sent = [(options["key"], len(payload["raw_item_ids"])) for _, payload, options in pipeline.sent]
    assert sent == [(pipeline.host, 3), (f"{pipeline.host}#1", 3), (f"{pipeline.host}#2", 1)]
    pipeline.drain()
    assert leases == [(f"host/{pipeline.host}", 3)] * 4
