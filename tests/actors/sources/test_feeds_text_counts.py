"""While a page fails, the feed's text counts: its story is there at once, and the page's text replaces it."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.actors.scripted_site import Answer, Site, page, paragraphs
from tests.actors.sources.conftest import Pipeline

FULL = {"content": paragraphs("what the feed says in full")}
FAILS, ITSELF = Answer(status=500), Answer(page("A", paragraphs("the page itself")))
STATE = """SELECT o.outcome, d.text_origin FROM item_outcomes o JOIN contents c USING (raw_item_id)
    JOIN content_details d ON d.content_id = c.id JOIN stories s ON s.content_id = c.id AND s.id = o.story_id"""


@pytest.fixture
def fetch(pipeline: Pipeline, site: Site, add_item: Any) -> Callable[..., list[tuple[str, str]]]:
    """Fetches an item that a feed tells in full, as often as its page has answers; gives its outcome and the origin of its text."""

    def run(*answers: Answer, metadata: Any = FULL) -> list[tuple[str, str]]:
        for answer in answers:
            site.pages["/a"] = answer
            again(pipeline) if pipeline.sent else pipeline.fetch(
                add_item(f"{site.url}/a", title="A", metadata=metadata)
            )
        return state(pipeline)

    return run


def again(pipeline: Pipeline) -> None:
    """Run the fetch that waits."""
    (place,) = (place for place, (task, _, _) in enumerate(pipeline.sent) if task == "fetch-content")
    pipeline.run("fetch-content", **pipeline.sent.pop(place)[1])


def state(pipeline: Pipeline) -> list[Any]:
    return pipeline.query(STATE)


def test_a_feeds_article_is_a_story_until_the_page_replaces_it(pipeline: Pipeline, site: Site, fetch: Any) -> None:
    choice = "SELECT text_choice FROM content_details"
    assert fetch(FAILS) == [("retrying", "feed")]
    assert pipeline.query(choice)[0][0].startswith("feed: the page cannot be had (fetch_failed: ")
    assert pipeline.tasks_sent() == ["analyze-story", "fetch-content"]
    before = pipeline.query("SELECT id FROM stories")
    again(pipeline)
    assert pipeline.tasks_sent() == ["analyze-story", "fetch-content"], "an equal text is analysed once"
    site.pages["/a"] = ITSELF
    again(pipeline)
    assert state(pipeline) == [("stored", "page")]
    assert "cannot be had" not in (pipeline.query(choice)[0][0] or "")
    assert pipeline.tasks_sent() == ["analyze-story", "analyze-story"]
    assert pipeline.query("SELECT id FROM stories") == before
    assert pipeline.query("SELECT count(*) FROM contents WHERE text_body LIKE '%%the page itself%%'") == [(1,)]


def test_a_page_with_the_feeds_text_is_no_news(pipeline: Pipeline, fetch: Any) -> None:
    assert fetch(FAILS, Answer(page("A", FULL["content"]))) == [("stored", "page")]
    assert pipeline.tasks_sent() == ["analyze-story"]


@pytest.mark.parametrize(
    ("metadata", "origin"), [(FULL, "feed"), ({"description": paragraphs("a teaser", 3)}, "description")]
)
def test_a_page_that_never_comes_leaves_the_feeds(pipeline: Pipeline, fetch: Any, metadata: Any, origin: str) -> None:
    pipeline.settings["fetch-content"] = {"attempts": 3}
    assert len(fetch(FAILS, metadata=metadata)) == (origin == "feed")
    again(pipeline)
    again(pipeline)
    assert state(pipeline) == [("stored", origin)]
    assert pipeline.tasks_sent() == ["analyze-story"]
    assert pipeline.query("SELECT status FROM raw_items") == [("completed",)]


def test_a_story_from_its_page_is_not_replaced_by_its_feed(pipeline: Pipeline, site: Site, fetch: Any) -> None:
    fetch(ITSELF)
    pipeline.query("UPDATE item_outcomes SET outcome = 'queued'")
    site.pages["/a"] = FAILS
    pipeline.fetch(*(row[0] for row in pipeline.query("SELECT id FROM raw_items")))
    assert state(pipeline) == [("retrying", "page")]


def test_a_withdrawn_page_is_not_replaced_by_its_feed(fetch: Any) -> None:
    assert fetch(FAILS, Answer(status=404)) == [("retracted", "feed")]


def test_of_a_host_that_cannot_be_reached_all_articles_of_the_feed_count(pipeline: Pipeline, add_item: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dead = f"http://127.0.0.1:{listener.getsockname()[1]}"
    texts = [paragraphs(f"what the feed says of number {n * 7919}") for n in range(3)]
    pipeline.fetch(*(add_item(f"{dead}/{n}", title=f"N{n}", metadata={"content": one}) for n, one in enumerate(texts)))
    assert state(pipeline) == [("retrying", "feed")] * 3
