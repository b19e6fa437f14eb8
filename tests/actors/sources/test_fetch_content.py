from contextlib import closing
from typing import Any

import pytest

from actors.engine import reading
from actors.engine.client import HttpEngine
from actors.engine.contract import ContentItem
from actors.engine.readers.pool import Readers
from actors.engine.readers.server import Limits
from tests.actors.raw_server import nobody
from tests.actors.scripted_site import Answer, as_json, page, paragraphs
from tests.actors.sources.conftest import Pipeline
from tests.each import cases
from zeke_jobs import Defer

ORIGINS = "SELECT title, text_origin, text_choice FROM stories JOIN content_details USING (content_id) ORDER BY title"


def test_a_page_becomes_a_story_whose_analysis_is_sent_and_running_it_again_fetches_nothing(pipeline: Pipeline) -> None:
    code = "<pre><code>x = 1\ny = 2</code></pre>"
    items = [pipeline.fetched("/a", paragraphs("the queue") + code, title="As the feed says")]
    assert pipeline.outcomes() == {"stored": 1}
    ((story, *told),) = pipeline.query("SELECT id, title, kind, primary_url FROM stories")
    assert told == ["As the feed says", "article", pipeline.at("/a")]
    assert [job[:2] for job in pipeline.sent] == [("analyze-story", {"story_id": str(story), "trigger": "auto"})]
    details = (
        "text_body, language_code, markdown, text_origin FROM contents JOIN content_details ON content_id = contents.id"
    )
    ((text, language, markdown, origin),) = pipeline.query(f"SELECT {details}")
    assert "Paragraph 3 says" in text
    assert (language, origin, "```" in markdown) == ("en", "page", True)
    assert pipeline.query("SELECT status FROM raw_items") == [("completed",)]
    items.append(pipeline.fetched("/empty", "<p></p>"))
    before, asked = pipeline.snapshot(), len(pipeline.site.asked)
    assert pipeline.run("fetch-content", raw_item_ids=items) == {"outcomes": {}, "left_alone": 2}
    assert (pipeline.snapshot(), len(pipeline.sent), len(pipeline.site.asked)) == (before, 1, asked)


@cases(
    "answer outcome status",
    (Answer(status=404), "not_found", "failed"),
    (Answer(page("Short", "<p>Too little.</p>")), "too_short", "skipped"),
    (Answer(page("Pay", "<p>Subscribe to continue reading.</p>")), "paywall", "skipped"),
    (Answer(b"%PDF-1.7", content_type="application/pdf"), "unsupported_type", "skipped"),
    (Answer(status=302, headers={"Location": "http://10.0.0.1/"}), "blocked_address", "failed"),
    (Answer("x", headers={"Content-Length": "90000000"}), "too_large", "failed"),
)
def test_each_end_of_an_item_has_a_status(pipeline: Pipeline, answer: Answer, outcome: str, status: str) -> None:
    pipeline.serve("/a", answer)
    pipeline.fetch(pipeline.add_item("/a"))
    assert pipeline.outcomes() == {outcome: 1}
    assert pipeline.query("SELECT status FROM raw_items") == [(status,)]
    assert pipeline.query("SELECT length(detail) > 5, decided_at IS NOT NULL FROM item_outcomes") == [(True, True)]
    assert pipeline.sent == []


def test_what_may_pass_is_tried_again_alone_up_to_an_end(pipeline: Pipeline) -> None:
    # In an earlier version, one failed item made the whole batch run again; a partly processed item was never retried.
    for n in range(3):
        pipeline.serve(f"/{n}", Answer(status=500) if n == 1 else f"thing {n}")
    ids = [pipeline.add_item(f"/{n}") for n in range(3)]
    assert pipeline.fetch(*ids) == {"stored": 2, "retrying": 1}
    waits = []
    while again := [job for job in pipeline.sent if job[0] == "fetch-content"]:
        pipeline.sent.clear()
        ((task, payload, options),) = again
        assert payload == {"raw_item_ids": [str(ids[1])]}
        waits.append(options["delay"].total_seconds())
        pipeline.run(task, **payload)
    assert waits == [minutes * 60 for minutes in (5, 10, 20, 40, 80, 160, 320)]
    assert [pipeline.site.times(f"/{n}") for n in range(3)] == [1, 8, 1]
    assert pipeline.outcomes() == {"stored": 2, "fetch_failed": 1}
    assert pipeline.query("SELECT status FROM raw_items WHERE id = %s", ids[1]) == [("failed",)]


def test_an_engine_that_is_away_costs_no_item_an_attempt(pipeline: Pipeline) -> None:
    pipeline.engine = HttpEngine(nobody())
    pipeline.settings["fetch-content"] = {"engine_wait": "2m"}
    ids = [pipeline.add_item(f"https://a.example/{n}") for n in range(2)]
    for _ in range(9):
        with pytest.raises(Defer, match=r"the Engine at .* cannot be reached"):
            pipeline.fetch(*ids)
    assert pipeline.query("SELECT until > zeke_jobs.now() + interval '90 seconds' FROM rests") == [(True,)]
    assert pipeline.outcomes() == {"queued": 2}
    assert pipeline.query("SELECT sum(attempts) FROM item_outcomes") == [(0,)]
    assert pipeline.sent == []


def test_a_host_that_asks_for_less_gets_no_rest_of_a_batch(pipeline: Pipeline) -> None:
    pipeline.serve("/0", Answer(status=429, headers={"Retry-After": "900"}))
    assert pipeline.fetch(*(pipeline.add_item(f"/{n}") for n in range(4))) == {"retrying": 1, "postponed": 3}
    assert len(pipeline.site.asked) == 1
    delays = [(len(payload["raw_item_ids"]), options["delay"].total_seconds()) for _, payload, options in pipeline.sent]
    assert sorted(delays) == [(1, 900), (3, 900)]
    assert pipeline.query("SELECT attempts FROM item_outcomes ORDER BY 1") == [(0,), (0,), (0,), (1,)]


class Engine:
    """This fake Engine raises an unexpected error for ``/bad``; any other address is a video without a transcript."""

    def fetch_item(self, url: str) -> ContentItem:
        if url.endswith("/bad"):
            raise RuntimeError("a bug")
        words = "This video explains in detail how the queue works. " * (1 if url.endswith("/short") else 6)
        return ContentItem(id=url, title="A video", url=url, content_type="video", description=words)


def test_a_fault_of_ours_holds_up_no_other_and_a_video_becomes_a_story_of_its_description(pipeline: Pipeline) -> None:
    pipeline.engine = Engine()
    with pytest.raises(RuntimeError, match="a bug"):
        pipeline.fetch(*(pipeline.add_item(f"https://v.example/{name}") for name in ("bad", "long", "short")))
    assert pipeline.outcomes() == {"queued": 1, "stored": 1, "no_text": 1}
    assert pipeline.query("SELECT title FROM stories") == [("A video",)]


def test_the_feeds_content_stands_in_for_a_page_behind_a_wall_or_one_that_looks_cut(pipeline: Pipeline) -> None:
    for name, words, of_page, of_feed in (("cut", "the beginning", 3, 12), ("whole", "all of it", 12, 10)):
        known: dict[str, Any] = {"title": name, "metadata": {"content": paragraphs(words, of_feed)}}
        pipeline.fetched(f"/{name}", paragraphs(words, of_page), **known)
    cut, whole = pipeline.query(ORIGINS)
    assert (cut[1], whole[1]) == ("feed", "page")
    assert cut[2].startswith("feed: the page's text looks cut, with ")
    assert "no other reading is better" in whole[2]
    pipeline.serve("/pay", "<p>Subscribe to continue reading.</p>")
    pipeline.serve("/forbidden", Answer(status=403))
    pipeline.serve("/gone", Answer(status=410))
    said = (("/pay", "content"), ("/forbidden", "description"), ("/gone", "content"))
    told = [(path, {origin: paragraphs(f"what the feed says of {path}")}) for path, origin in said]
    outcomes = pipeline.fetch(*(pipeline.add_item(path, title=path, metadata=one) for path, one in told))
    assert outcomes == {"stored": 2, "gone": 1}
    assert [row[:2] for row in pipeline.query(ORIGINS)][:2] == [("/forbidden", "description"), ("/pay", "feed")]


def test_an_engine_that_gives_no_text_makes_no_empty_story(pipeline: Pipeline) -> None:
    answer: dict[str, Any] = {"id": "1", "title": "T", "description": "d", "url": "https://a.example/1"}
    answer |= {"sourceType": "blog", "contentType": "article"}
    pipeline.serve("/ingest", as_json({"data": answer}))
    pipeline.engine = HttpEngine(pipeline.site.url)
    told = pipeline.add_item("https://a.example/1", metadata={"content": paragraphs("what the feed says")})
    assert pipeline.fetch(told, pipeline.add_item("https://a.example/2")) == {"stored": 1, "no_text": 1}


COSTLY = "".join(f"<p {' '.join(f'a{number}=x' for number in range(9_900))}>{tag}</p>" for tag in range(20))


def test_an_unreadable_page_or_text_of_a_feed_holds_up_no_other_and_a_feed_backs_off(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path, answer in (("/costly", COSTLY), ("/fine", "the queue"), ("/forbidden", Answer(status=403))):
        pipeline.serve(path, answer)
    nothing = {"content": COSTLY}
    told = {**nothing, "description": paragraphs("what the feed says")}
    more = [pipeline.add_item(None, metadata=nothing), pipeline.add_item("/forbidden", metadata=told)]
    categories = "".join(f"<category>{number}</category>" for number in range(20_000))
    feed = f"<rss version='2.0'><channel><item><title>t</title>{categories}</item></channel></rss>"
    pipeline.serve("/feed", Answer(feed, content_type="application/rss+xml"))
    with closing(Readers("actors.engine.reading", Limits(cpu=0.5))) as hurried:
        monkeypatch.setattr(reading, "_readers", hurried)
        pipeline.fetch(pipeline.add_item("/costly"), pipeline.add_item("/fine"), *more)
        result = pipeline.poll()
    assert pipeline.outcomes() == {"unreadable": 2, "stored": 2}
    assert pipeline.tasks_sent() == ["analyze-story"] * 2
    assert pipeline.site.times("/costly") == 1
    ended = "SELECT status, detail FROM raw_items JOIN item_outcomes ON raw_item_id = id WHERE outcome = 'unreadable'"
    said = "cannot be read: it takes more than 0.5 s of CPU"
    assert sorted(pipeline.query(ended)) == [
        ("failed", f"{pipeline.at('/costly')} {said}"),
        ("failed", f"the text {said}"),
    ]
    assert (result["outcome"], result["next_check_in_s"]) == ("unreadable", 3600)
    assert pipeline.query("SELECT status FROM source_health") == [("error",)]
