import json
import socket
from typing import Any

import pytest

from actors.engine.client import HttpEngine
from actors.engine.contract import ContentItem
from actors.engine.local import LocalEngine
from tests.actors.scripted_site import Answer, Site, page, paragraphs
from tests.actors.sources.conftest import Pipeline
from zeke_jobs import Defer

ORIGINS = "SELECT title, text_origin, text_choice FROM stories JOIN content_details USING (content_id) ORDER BY title"


def test_a_page_becomes_a_story_and_its_analysis_is_sent(pipeline: Pipeline, site: Site, fetched: Any) -> None:
    fetched("/a", paragraphs("the queue") + "<pre><code>x = 1\ny = 2</code></pre>", title="As the feed says")
    assert pipeline.outcomes() == {"stored": 1}
    ((story, title, kind, url),) = pipeline.query("SELECT id, title, kind, primary_url FROM stories")
    assert (title, kind, url) == ("As the feed says", "article", f"{site.url}/a")
    sent = [(task, payload) for task, payload, _ in pipeline.sent]
    assert sent == [("analyze-story", {"story_id": str(story), "trigger": "auto"})]
    ((text, language, markdown, origin),) = pipeline.query(
        "SELECT text_body, language_code, markdown, text_origin FROM contents JOIN content_details ON content_id = contents.id"
    )
    assert "Paragraph 3 says" in text
    assert (language, origin) == ("en", "page")
    assert "```" in markdown
    assert pipeline.query("SELECT status FROM raw_items") == [("completed",)]


def test_running_it_again_changes_nothing_and_fetches_nothing(pipeline: Pipeline, site: Site, fetched: Any) -> None:
    ids = [fetched("/a", paragraphs("the queue")), fetched("/empty", "")]
    before, sent, asked = pipeline.snapshot(), len(pipeline.sent), len(site.asked)
    assert pipeline.run("fetch-content", raw_item_ids=ids) == {"outcomes": {}, "left_alone": 2}
    assert (pipeline.snapshot(), len(pipeline.sent), len(site.asked)) == (before, sent, asked)


@pytest.mark.parametrize(
    ("answer", "outcome", "status"),
    [
        (Answer(status=404), "not_found", "failed"),
        (Answer(status=410), "gone", "failed"),
        (Answer(status=403), "forbidden", "failed"),
        (Answer(page("Short", "<p>Too little.</p>")), "too_short", "skipped"),
        (Answer(page("Pay", "<p>Subscribe to continue reading.</p>")), "paywall", "skipped"),
        (Answer(page("Cookies", "<p>Before you continue, accept all cookies.</p>")), "consent", "skipped"),
        (Answer(b"%PDF-1.7", content_type="application/pdf"), "unsupported_type", "skipped"),
        (Answer(""), "no_text", "skipped"),
        (Answer(status=302, headers={"Location": "http://10.0.0.1/"}), "blocked_address", "failed"),
        (Answer(status=302, headers={"Location": "/a"}), "too_many_redirects", "failed"),
        (Answer("x", headers={"Content-Length": "90000000"}), "too_large", "failed"),
    ],
)
def test_each_end_of_an_item_is_stated_and_has_a_status(
    pipeline: Pipeline, site: Site, add_item: Any, answer: Answer, outcome: str, status: str
) -> None:
    site.pages["/a"] = answer
    pipeline.fetch(add_item(f"{site.url}/a"))
    assert pipeline.outcomes() == {outcome: 1}
    assert pipeline.query("SELECT status FROM raw_items") == [(status,)]
    assert pipeline.query("SELECT length(detail) > 5, decided_at IS NOT NULL FROM item_outcomes") == [(True, True)]
    assert pipeline.sent == []


def test_what_may_pass_is_tried_again_alone_up_to_an_end(pipeline: Pipeline, site: Site, add_item: Any) -> None:
    # In an earlier version one failure repeated the whole batch, and a partly processed item could not be retried.
    for n in (0, 2):
        site.pages[f"/{n}"] = Answer(page(f"Page {n}", paragraphs(f"thing {n}")))
    site.pages["/1"] = Answer(status=500)
    ids = [add_item(f"{site.url}/{n}") for n in range(3)]
    assert pipeline.fetch(*ids) == {"stored": 2, "retrying": 1}
    waits = []
    while again := [(payload, options) for task, payload, options in pipeline.sent if task == "fetch-content"]:
        pipeline.sent.clear()
        ((payload, options),) = again
        assert payload == {"raw_item_ids": [str(ids[1])]}
        waits.append(options["delay"].total_seconds())
        pipeline.run("fetch-content", **payload)
    assert waits == [minutes * 60 for minutes in (5, 10, 20, 40, 80, 160, 320)]
    assert [site.times(f"/{n}") for n in range(3)] == [1, 8, 1]
    assert pipeline.outcomes() == {"stored": 2, "fetch_failed": 1}
    assert pipeline.query("SELECT status FROM raw_items WHERE id = %s", ids[1]) == [("failed",)]


def test_an_engine_that_is_away_costs_no_item_an_attempt(pipeline: Pipeline, add_item: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    pipeline.engine = HttpEngine(f"http://127.0.0.1:{port}")
    pipeline.settings["fetch-content"] = {"engine_wait": "2m"}
    ids = [add_item(f"https://a.example/{n}") for n in range(2)]
    for _ in range(9):
        with pytest.raises(Defer, match=r"the Engine at .* cannot be reached"):
            pipeline.fetch(*ids)
    assert pipeline.query("SELECT until > zeke_jobs.now() + interval '90 seconds' FROM rests") == [(True,)]
    assert pipeline.outcomes() == {"queued": 2}
    assert pipeline.query("SELECT sum(attempts) FROM item_outcomes") == [(0,)]
    assert pipeline.sent == []


def test_a_host_that_asks_for_less_gets_no_rest_of_a_batch(pipeline: Pipeline, site: Site, add_item: Any) -> None:
    site.pages["/0"] = Answer(status=429, headers={"Retry-After": "900"})
    assert pipeline.fetch(*(add_item(f"{site.url}/{n}") for n in range(4))) == {"retrying": 1, "postponed": 3}
    assert len(site.asked) == 1
    delays = [(len(payload["raw_item_ids"]), options["delay"].total_seconds()) for _, payload, options in pipeline.sent]
    assert sorted(delays) == [(1, 900), (3, 900)]
    assert pipeline.query("SELECT attempts FROM item_outcomes ORDER BY 1") == [(0,), (0,), (0,), (1,)]


def test_a_fault_of_ours_holds_up_no_other_item_and_fails_the_job(
    pipeline: Pipeline, site: Site, add_item: Any, engine: LocalEngine
) -> None:
    class Broken:
        def fetch_item(self, url: str) -> ContentItem:
            if url.endswith("/bad"):
                raise RuntimeError("a bug")
            return engine.fetch_item(url)

    site.pages["/good"] = Answer(page("Good", paragraphs("goodness")))
    pipeline.engine = Broken()  # type: ignore[assignment]
    with pytest.raises(RuntimeError, match="a bug"):
        pipeline.fetch(add_item(f"{site.url}/bad"), add_item(f"{site.url}/good"))
    assert pipeline.outcomes() == {"queued": 1, "stored": 1}


def test_the_feeds_content_stands_in_for_a_page_behind_a_wall(pipeline: Pipeline, site: Site, add_item: Any) -> None:
    site.pages["/pay"] = Answer(page("Pay", "<p>Subscribe to continue reading.</p>"))
    site.pages["/forbidden"] = Answer(status=403)
    site.pages["/gone"] = Answer(status=410)
    said = (("/pay", "content"), ("/forbidden", "description"), ("/gone", "content"))
    told = [(path, {origin: paragraphs(f"what the feed says of {path}")}) for path, origin in said]
    outcomes = pipeline.fetch(*(add_item(f"{site.url}{path}", title=path, metadata=one) for path, one in told))
    assert outcomes == {"stored": 2, "gone": 1}
    assert [row[:2] for row in pipeline.query(ORIGINS)] == [("/forbidden", "description"), ("/pay", "feed")]


def test_a_page_that_looks_cut_beside_its_feed_gives_way(pipeline: Pipeline, fetched: Any) -> None:
    fetched("/cut", paragraphs("the beginning", 3), title="cut", metadata={"content": paragraphs("the beginning", 12)})
    fetched("/whole", paragraphs("all of it", 12), title="whole", metadata={"content": paragraphs("all of it", 10)})
    cut, whole = pipeline.query(ORIGINS)
    assert (cut[1], whole[1]) == ("feed", "page")
    assert cut[2].startswith("feed: the page's text looks cut, with ")
    assert "no other reading is better" in whole[2]


def test_an_engine_that_gives_no_text_makes_no_empty_story(pipeline: Pipeline, site: Site, add_item: Any) -> None:
    answer = {"id": "1", "title": "T", "description": "d", "url": "https://a.example/1"}
    answer |= {"sourceType": "blog", "contentType": "article"}
    site.pages["/ingest"] = Answer(json.dumps({"data": answer}), content_type="application/json")
    pipeline.engine = HttpEngine(site.url)
    told = add_item("https://a.example/1", metadata={"content": paragraphs("what the feed says")})
    assert pipeline.fetch(told, add_item("https://a.example/2")) == {"stored": 1, "no_text": 1}


def test_a_video_that_somebody_named_becomes_a_story_of_its_description(pipeline: Pipeline, add_item: Any) -> None:
    class Youtube:
        def fetch_item(self, url: str) -> ContentItem:
            words = "This video explains in detail how the queue works. " * (6 if url.endswith("1") else 1)
            return ContentItem(id=url, title="A video", url=url, content_type="video", description=words)

    pipeline.engine = Youtube()  # type: ignore[assignment]
    outcomes = pipeline.fetch(add_item("https://v.example/1"), add_item("https://v.example/2"))
    assert outcomes == {"stored": 1, "no_text": 1}
    assert pipeline.query("SELECT title FROM stories") == [("A video",)]
