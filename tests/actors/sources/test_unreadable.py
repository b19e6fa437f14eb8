"""Pages and feeds beyond the limits of reading end at once with a stated reason, and are not tried again."""

from collections.abc import Iterator
from typing import Any

import pytest

from actors.engine import reading
from actors.engine.readers.pool import Readers
from actors.engine.readers.server import Limits
from tests.actors.scripted_site import Answer, Site, page, paragraphs
from tests.actors.sources.conftest import Pipeline

COSTLY = "".join(f"<p {' '.join(f'a{number}=x' for number in range(9_900))}>{tag}</p>" for tag in range(20))


@pytest.fixture(scope="module")
def hurried() -> Iterator[Readers]:
    found = Readers("actors.engine.reading", Limits(cpu=0.5))
    yield found
    found.close()


@pytest.fixture(autouse=True)
def short_of_time(hurried: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_readers", hurried)


def test_a_page_ends_as_unreadable_and_holds_up_no_other(pipeline: Pipeline, site: Site, add_item: Any) -> None:
    site.pages["/costly"] = Answer(page("Costly", COSTLY))
    site.pages["/fine"] = Answer(page("Fine", paragraphs("the queue")))
    items = [add_item(f"{site.url}/{name}") for name in ("costly", "fine")]
    pipeline.fetch(*items)
    assert pipeline.outcomes() == {"unreadable": 1, "stored": 1}
    assert pipeline.tasks_sent() == ["analyze-story"]
    assert site.times("/costly") == 1
    ended = "SELECT status, detail FROM raw_items JOIN item_outcomes ON raw_item_id = id WHERE outcome = 'unreadable'"
    assert pipeline.query(ended) == [("failed", f"{site.url}/costly cannot be read: it takes more than 0.5 s of CPU")]


def test_a_feed_ends_as_unreadable_and_its_source_backs_off(pipeline: Pipeline, site: Site, add_source: Any) -> None:
    categories = "".join(f"<category>{number}</category>" for number in range(20_000))
    feed = f"<rss version='2.0'><channel><item><title>t</title>{categories}</item></channel></rss>"
    site.pages["/feed"] = Answer(feed, content_type="application/rss+xml")
    result = pipeline.run("ingest-source", source_id=add_source(f"{site.url}/feed"))
    assert (result["outcome"], result["next_check_in_s"]) == ("unreadable", 3600)
    assert pipeline.query("SELECT status FROM source_health") == [("error",)]
    assert pipeline.sent == []


def test_what_the_feed_says_of_an_item_is_bounded_as_well(pipeline: Pipeline, site: Site, add_item: Any) -> None:
    told = {"content": COSTLY, "description": paragraphs("what the feed says")}
    stood_in = add_item(f"{site.url}/gone-by-now", metadata=told)
    site.pages["/gone-by-now"] = Answer(status=403)
    nothing = add_item(None, metadata={"content": COSTLY})
    pipeline.fetch(stood_in, nothing)
    assert pipeline.outcomes() == {"stored": 1, "unreadable": 1}
    assert pipeline.query("SELECT raw_item_id FROM item_outcomes WHERE outcome = 'unreadable'") == [(nothing,)]
