"""Pages and feeds that exceed the limits of the readers fail at once with a stated reason, and are not tried again."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

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


def test_an_unreadable_page_or_text_of_a_feed_holds_up_no_other(pipeline: Pipeline, site: Site, add_item: Any) -> None:
    site.pages["/costly"] = Answer(page("Costly", COSTLY))
    site.pages["/fine"] = Answer(page("Fine", paragraphs("the queue")))
    site.pages["/forbidden"] = Answer(status=403)
    costly, fine, nothing = add_item(f"{site.url}/costly"), add_item(f"{site.url}/fine"), {"content": COSTLY}
    told = {**nothing, "description": paragraphs("what the feed says")}
    more = [add_item(None, metadata=nothing), add_item(f"{site.url}/forbidden", metadata=told)]
    pipeline.fetch(costly, fine, *more)
    assert pipeline.outcomes() == {"unreadable": 2, "stored": 2}
    assert pipeline.tasks_sent() == ["analyze-story"] * 2
    assert site.times("/costly") == 1
    ended = "SELECT status, detail FROM raw_items JOIN item_outcomes ON raw_item_id = id WHERE outcome = 'unreadable'"
    said = "cannot be read: it takes more than 0.5 s of CPU"
    assert sorted(pipeline.query(ended)) == [("failed", f"{site.url}/costly {said}"), ("failed", f"the text {said}")]


def test_a_feed_ends_as_unreadable_and_its_source_backs_off(pipeline: Pipeline, site: Site, source: UUID) -> None:
    categories = "".join(f"<category>{number}</category>" for number in range(20_000))
    feed = f"<rss version='2.0'><channel><item><title>t</title>{categories}</item></channel></rss>"
    site.pages["/feed"] = Answer(feed, content_type="application/rss+xml")
    result = pipeline.poll(source)
    assert (result["outcome"], result["next_check_in_s"]) == ("unreadable", 3600)
    assert pipeline.query("SELECT status FROM source_health") == [("error",)]
