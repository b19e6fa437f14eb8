"""Rules for sites in the pipeline: the feed's text may be enough, and a host has its own pace."""

from contextlib import nullcontext
from typing import Any

import pytest

from actors.engine import Settings
from tests.actors.scripted_site import Answer, Site, page, paragraphs, rss
from tests.actors.sources.conftest import Pipeline
from zeke_jobs import Defer
from zeke_jobs.testing import FakeContext


def rule(pipeline: Pipeline, site: Site, **given: Any) -> None:
    sites = {site.url.removeprefix("http://"): given}
    pipeline.engine = Settings.model_validate({"allow_networks": ["127.0.0.0/8"], "sites": sites}).open()


def feed(site: Site, count: int, extra: str = "") -> None:
    for n in range(count):
        site.pages[f"/{n}"] = Answer(page(f"T{n}", paragraphs(f"the queue of {n}")))
    site.pages["/feed"] = Answer(rss(*((str(n), f"T{n}", f"{site.url}/{n}") for n in range(count)), extra=extra))


def test_no_page_is_fetched_where_the_feed_is_enough(
    pipeline: Pipeline, site: Site, add_source: Any, add_item: Any
) -> None:
    rule(pipeline, site, feed_is_enough=True)
    feed(site, 1, extra=f"<description><![CDATA[{paragraphs('the whole article', 2)}]]></description>")
    pipeline.run("ingest-source", source_id=add_source(f"{site.url}/feed"))
    pipeline.drain()
    assert site.times("/0") == 0
    ((origin, choice),) = pipeline.query("SELECT text_origin, text_choice FROM content_details")
    assert (origin, choice) == ("description", "description: the rule of its site says that it is enough")
    pipeline.fetch(add_item(f"{site.url}/0", metadata={"description": "Too short."}))
    assert site.times("/0") == 1


def test_a_host_with_a_pause_is_asked_again_only_after_it(pipeline: Pipeline, site: Site, add_item: Any) -> None:
    rule(pipeline, site, pause="1h")
    feed(site, 3)
    ids = [add_item(f"{site.url}/{n}") for n in range(3)]
    for asked in (1, 2, 3):
        with pytest.raises(Defer, match="its rule has a pause") if asked < 3 else nullcontext():
            pipeline.fetch(*ids)
        assert len(site.asked) == asked
        pipeline.query("UPDATE rests SET until = zeke_jobs.now()")
    assert pipeline.outcomes() == {"stored": 3}
    assert pipeline.query("SELECT DISTINCT attempts FROM item_outcomes") == [(0,)]


def test_a_host_that_may_be_asked_more_often_has_as_many_keys_and_leases(
    pipeline: Pipeline, site: Site, add_source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases: list[tuple[Any, ...]] = []
    lease = FakeContext.lease

    def record(ctx: FakeContext, *given: Any) -> Any:
        leases.append(given)
        return lease(ctx, *given)

    monkeypatch.setattr(FakeContext, "lease", record)
    pipeline.settings["ingest-source"] = {"first_fetch": {"items": 50}}
    place = site.url.removeprefix("http://")
    rule(pipeline, site, at_once=3)
    feed(site, 7)
    pipeline.run("ingest-source", source_id=add_source(f"{site.url}/feed"))
    sent = [(options["key"], len(payload["raw_item_ids"])) for _, payload, options in pipeline.sent]
    assert sent == [(place, 3), (f"{place}#1", 3), (f"{place}#2", 1)]
    pipeline.drain()
    assert leases == [(f"host/{place}", 3)] * 4
