"""Pages and feeds that exceed the limits of the readers fail at once with a stated reason, and are not tried again."""

from collections.abc import Iterator

import pytest

from actors.engine import reading
from actors.engine.readers.pool import Readers
from actors.engine.readers.server import Limits
from tests.actors.scripted_site import Answer, paragraphs
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


def test_an_unreadable_page_or_text_of_a_feed_holds_up_no_other(pipeline: Pipeline) -> None:
    for path, answer in (("/costly", COSTLY), ("/fine", "the queue"), ("/forbidden", Answer(status=403))):
        pipeline.serve(path, answer)
    nothing = {"content": COSTLY}
    told = {**nothing, "description": paragraphs("what the feed says")}
    more = [pipeline.add_item(None, metadata=nothing), pipeline.add_item("/forbidden", metadata=told)]
    pipeline.fetch(pipeline.add_item("/costly"), pipeline.add_item("/fine"), *more)
    assert pipeline.outcomes() == {"unreadable": 2, "stored": 2}
    assert pipeline.tasks_sent() == ["analyze-story"] * 2
    assert pipeline.site.times("/costly") == 1
    ended = "SELECT status, detail FROM raw_items JOIN item_outcomes ON raw_item_id = id WHERE outcome = 'unreadable'"
    said = "cannot be read: it takes more than 0.5 s of CPU"
    assert sorted(pipeline.query(ended)) == [
        ("failed", f"{pipeline.at('/costly')} {said}"),
        ("failed", f"the text {said}"),
    ]


def test_a_feed_ends_as_unreadable_and_its_source_backs_off(pipeline: Pipeline) -> None:
    categories = "".join(f"<category>{number}</category>" for number in range(20_000))
    feed = f"<rss version='2.0'><channel><item><title>t</title>{categories}</item></channel></rss>"
    pipeline.serve("/feed", Answer(feed, content_type="application/rss+xml"))
    result = pipeline.poll()
    assert (result["outcome"], result["next_check_in_s"]) == ("unreadable", 3600)
    assert pipeline.query("SELECT status FROM source_health") == [("error",)]
