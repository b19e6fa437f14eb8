"""While a page fails, the feed's text counts: its story is there at once, and the page's text replaces it."""

import socket
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from tests.actors.scripted_site import Answer, Site, page, paragraphs
from tests.actors.sources.conftest import Pipeline

FULL = {"content": paragraphs("what the feed says in full")}
STATE = """SELECT o.outcome, d.text_origin, d.text_choice, o.story_id = s.id
    FROM item_outcomes o JOIN contents c USING (raw_item_id) JOIN content_details d ON d.content_id = c.id
    JOIN stories s ON s.content_id = c.id"""


def fail(pipeline: Pipeline, times: int = 1) -> None:
    """Run the fetches that wait, one after another."""
    for _ in range(times):
        places = [place for place, (task, _, _) in enumerate(pipeline.sent) if task == "fetch-content"]
        _, payload, _ = pipeline.sent.pop(places[0])
        pipeline.run("fetch-content", **payload)


def test_a_feeds_article_is_a_story_until_the_page_replaces_it(pipeline: Pipeline, site: Site, add_item: Any) -> None:
    answers = iter([Answer(status=500), Answer(status=500), Answer(page("A", paragraphs("the page itself")))])
    site.pages["/a"] = lambda _: next(answers)
    item = add_item(f"{site.url}/a", title="A", metadata=FULL)
    pipeline.run("fetch-content", raw_item_ids=[item])
    ((outcome, origin, choice, is_its_own),) = pipeline.query(STATE)
    assert (outcome, origin, is_its_own) == ("retrying", "feed", True)
    assert choice.startswith("feed: the page cannot be had (fetch_failed: ")
    assert pipeline.tasks_sent() == ["analyze-story", "fetch-content"]
    before = pipeline.query("SELECT id FROM stories")
    fail(pipeline)
    assert pipeline.tasks_sent() == ["analyze-story", "fetch-content"], "an equal text is analysed once"
    fail(pipeline)
    ((outcome, origin, choice, is_its_own),) = pipeline.query(STATE)
    assert (outcome, origin, is_its_own) == ("stored", "page", True)
    assert "cannot be had" not in (choice or "")
    assert pipeline.tasks_sent() == ["analyze-story", "analyze-story"]
    assert pipeline.query("SELECT id FROM stories") == before
    assert pipeline.query("SELECT count(*) FROM contents WHERE text_body LIKE '%%the page itself%%'") == [(1,)]


def test_a_page_with_the_feeds_text_is_no_news(pipeline: Pipeline, site: Site, add_item: Any) -> None:
    answers = iter([Answer(status=500), Answer(page("A", FULL["content"]))])
    site.pages["/a"] = lambda _: next(answers)
    pipeline.run("fetch-content", raw_item_ids=[add_item(f"{site.url}/a", title="A", metadata=FULL)])
    fail(pipeline)
    assert [row[:2] for row in pipeline.query(STATE)] == [("stored", "page")]
    assert pipeline.tasks_sent() == ["analyze-story"]


@pytest.mark.parametrize("metadata", [FULL, {"description": paragraphs("a teaser", 3)}])
def test_a_page_that_never_comes_leaves_the_feeds(
    pipeline: Pipeline, site: Site, add_item: Callable[..., UUID], metadata: dict[str, Any]
) -> None:
    site.pages["/a"] = Answer(status=500)
    pipeline.settings["fetch-content"] = {"attempts": 3}
    pipeline.run("fetch-content", raw_item_ids=[add_item(f"{site.url}/a", title="A", metadata=metadata)])
    is_teaser = "description" in metadata
    assert len(pipeline.query(STATE)) == (0 if is_teaser else 1)
    fail(pipeline, 2)
    origin = "description" if is_teaser else "feed"
    assert [row[:2] for row in pipeline.query(STATE)] == [("stored", origin)]
    assert pipeline.tasks_sent() == ["analyze-story"]
    assert pipeline.query("SELECT status FROM raw_items") == [("completed",)]


def test_a_story_from_its_page_is_not_replaced_by_its_feed(pipeline: Pipeline, site: Site, add_item: Any) -> None:
    answers = iter([Answer(page("A", paragraphs("the page itself"))), Answer(status=500)])
    site.pages["/a"] = lambda _: next(answers)
    item = add_item(f"{site.url}/a", title="A", metadata=FULL)
    for _ in range(2):
        pipeline.query("UPDATE item_outcomes SET outcome = 'queued'")
        pipeline.run("fetch-content", raw_item_ids=[item])
    assert [row[:2] for row in pipeline.query(STATE)] == [("retrying", "page")]


def test_a_withdrawn_page_is_not_replaced_by_its_feed(pipeline: Pipeline, site: Site, add_item: Any) -> None:
    answers = iter([Answer(status=500), Answer(status=404)])
    site.pages["/a"] = lambda _: next(answers)
    pipeline.run("fetch-content", raw_item_ids=[add_item(f"{site.url}/a", title="A", metadata=FULL)])
    fail(pipeline)
    assert [row[:2] for row in pipeline.query(STATE)] == [("retracted", "feed")]


def test_of_a_host_that_cannot_be_reached_all_articles_of_the_feed_count(pipeline: Pipeline, add_item: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dead = f"http://127.0.0.1:{listener.getsockname()[1]}"
    texts = [paragraphs(f"what the feed says of number {n * 7919}") for n in range(3)]
    ids = [add_item(f"{dead}/{n}", title=f"N{n}", metadata={"content": text}) for n, text in enumerate(texts)]
    pipeline.run("fetch-content", raw_item_ids=ids)
    assert [row[:2] for row in pipeline.query(STATE)] == [("retrying", "feed")] * 3
