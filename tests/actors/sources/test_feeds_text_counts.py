"""The text in a feed replaces a page that fails or is cut off, and a transcript stands for a recording."""

import json
import socket
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from actors.engine.article.transcript import spoken
from tests.actors.scripted_site import Answer, Site, page, paragraphs, rss
from tests.actors.sources.conftest import Pipeline

FULL = {"content": paragraphs("what the feed says in full")}
FAILS, ITSELF = Answer(status=500), Answer(page("A", paragraphs("the page itself")))
STATE = """SELECT o.outcome, d.text_origin FROM item_outcomes o JOIN contents c USING (raw_item_id)
    JOIN content_details d ON d.content_id = c.id JOIN stories s ON s.content_id = c.id AND s.id = o.story_id"""


@pytest.fixture
def fetch(pipeline: Pipeline, site: Site, add_item: Any) -> Callable[..., list[tuple[str, str]]]:
    """Fetch an item whose feed has the full text, once for each answer of its page; return outcomes and text origins."""

    def run(*answers: Answer, metadata: Any = FULL) -> list[tuple[str, str]]:
        for answer in answers:
            site.pages["/a"] = answer
            again(pipeline) if pipeline.sent else pipeline.fetch(
                add_item(f"{site.url}/a", title="A", metadata=metadata)
            )
        return state(pipeline)

    return run


def again(pipeline: Pipeline) -> None:
    """Run the queued job of fetch-content."""
    (place,) = (place for place, (task, _, _) in enumerate(pipeline.sent) if task == "fetch-content")
    pipeline.run("fetch-content", **pipeline.sent.pop(place)[1])


def state(pipeline: Pipeline) -> list[Any]:
    return pipeline.query(STATE)


def test_a_feeds_article_is_a_story_until_the_page_replaces_it(pipeline: Pipeline, site: Site, fetch: Any) -> None:
    choice = "SELECT text_choice FROM content_details"
    assert fetch(FAILS) == [("retrying", "feed")]
    assert pipeline.query(choice)[0][0].startswith("feed: the page is unavailable (fetch_failed: ")
    assert pipeline.tasks_sent() == ["analyze-story", "fetch-content"]
    before = pipeline.query("SELECT id FROM stories")
    again(pipeline)
    assert pipeline.tasks_sent() == ["analyze-story", "fetch-content"], "an equal text is analysed once"
    site.pages["/a"] = ITSELF
    again(pipeline)
    assert state(pipeline) == [("stored", "page")]
    assert "is unavailable" not in (pipeline.query(choice)[0][0] or "")
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


WORDS = [f"Guest {n} says that release {n} of the queue was measured at {n * 7} milliseconds." for n in range(1, 7)]
SRT = "\r\n\r\n".join(f"{n}\r\n00:00:0{n},000 --> 00:00:0{n + 1},000\r\n{one}" for n, one in enumerate(WORDS))
VTT = "WEBVTT - A title\n\nNOTE\nfor nobody --> really\n\nSTYLE\n::cue {}\n\n" + "\n\n".join(
    f"intro\n00:0{n}.000 --> 00:0{n + 1}.000 align:start\n<v.loud Ada Lovelace>{one}</v>" for n, one in enumerate(WORDS)
)
JSON = json.dumps({"version": "1.0.0", "segments": [{"speaker": "Ada", "startTime": 0, "body": one} for one in WORDS]})
TEXT = " ".join(WORDS)
TOLD = """SELECT o.outcome, d.text_origin, c.text_body, s.primary_url FROM item_outcomes o JOIN stories s ON s.id = o.story_id
    JOIN contents c ON c.id = s.content_id JOIN content_details d USING (content_id)"""


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (SRT, TEXT), (VTT, f"Ada Lovelace: {TEXT}"), (JSON, f"Ada: {TEXT}"), (f"\ufeff{SRT}", TEXT),
        ("00:01.000 --> 00:02.000\nOne &amp; <i>two</i>\nthree\n\n00:02.000 --> 00:03.000\nthree\n{\\an8}four", "One & two three four"),
        ("WEBVTT", ""), ('{"segments": [{"body": 1}, 2, {"speaker": "B"}]}', "B:"), ('{"segments": 1}', None), ("{", None),
        ("[1]", None), ("A page --> with arrows", None), ("<html>", None), ("", None),
    ],
)  # fmt: skip
def test_the_words_of_each_form_are_read(given: str, words: str | None) -> None:
    assert spoken(given) == words


def test_paragraphs_end_with_a_sentence_or_a_speaker_and_none_is_endless() -> None:
    long = "\n\n".join(f"00:01.000 --> 00:02.000\n{one}" for one in WORDS * 5)
    assert spoken(long) == "\n\n".join(" ".join((WORDS * 5)[at : at + 7]) for at in range(0, 30, 7))
    endless = (
        spoken("WEBVTT\n\n" + "\n\n".join(f"00:01.000 --> 00:02.000\nword {n} of many" for n in range(1000))) or ""
    )
    assert max(map(len, endless.split("\n\n"))) < 2100
    turns = spoken(json.dumps({"segments": [{"speaker": one, "body": "Yes."} for one in ("A", "A", "B", "A")]}))
    assert turns == "A: Yes. Yes.\n\nB: Yes.\n\nA: Yes."


def episode(site: Site, extra: str = "") -> None:
    notes = f"<description><![CDATA[{paragraphs('the notes', 3)}]]></description>"
    sound = f'<enclosure url="{site.url}/1.mp3" type="audio/mpeg"/>'
    site.pages["/feed"] = Answer(rss(("1", "Episode 1", f"{site.url}/1"), extra=f"{sound}{notes}{extra}"))


@pytest.mark.parametrize(
    ("tag", "answer", "text"),
    [
        ('<podcast:transcript url="/1.srt" type="application/srt"/>', Answer(SRT, content_type="application/octet-stream"), TEXT),
        ('<podcast:transcript url="/1.vtt" type="text/vtt"/>', Answer(VTT, content_type="text/vtt"), f"Ada Lovelace: {TEXT}"),
        ('<podcast:transcript url="/t" type="application/json"/>', Answer(JSON, content_type="application/json"), f"Ada: {TEXT}"),
        ('<media:subTitle href="/1.srt" type="application/srt" lang="en"/>', Answer(SRT, content_type="text/plain"), TEXT),
        ('<podcast:transcript url="/t.html" type="text/html"/>', Answer(page("T", f"<p>{TEXT}</p>")), TEXT),
    ],
)  # fmt: skip
def test_an_episode_is_a_story_in_its_own_words(
    pipeline: Pipeline, site: Site, add_source: Callable[..., UUID], tag: str, answer: Answer, text: str
) -> None:
    episode(site, tag)
    site.pages[tag.split('"')[1]] = answer
    pipeline.bring(add_source(f"{site.url}/feed", "podcast"))
    assert pipeline.query(TOLD) == [("stored", "transcript", text, f"{site.url}/1")]


def test_a_transcript_that_comes_later_replaces_the_notes_and_one_that_is_away_is_awaited(
    pipeline: Pipeline, site: Site, add_source: Callable[..., UUID]
) -> None:
    source = add_source(f"{site.url}/feed", "podcast")

    def told() -> list[tuple[object, ...]]:
        return [row[:2] for row in pipeline.query(TOLD)]

    def poll() -> list[tuple[object, ...]]:
        pipeline.poll(source)
        ((task, payload, _),) = [one for one in pipeline.sent if one[0] == "fetch-content"] or [("", {}, {})]
        pipeline.sent.clear()
        if task:
            pipeline.run(task, **payload)
        return told()

    episode(site)
    assert poll() == [("stored", "description")]
    episode(site, '<podcast:transcript url="/1.srt" type="application/srt"/>')
    site.pages["/1.srt"] = Answer(status=500)
    assert poll() == [("retrying", "description")]
    site.pages["/1.srt"] = Answer(SRT, content_type="application/srt")
    pipeline.drain()
    assert told() == [("stored", "transcript")]
    assert poll() == [("stored", "transcript")]


def test_without_a_transcript_the_notes_count_with_the_reason(pipeline: Pipeline, site: Site, add_source: Any) -> None:
    episode(site, '<podcast:transcript url="/1.pdf" type="application/pdf"/>')
    site.pages["/1.pdf"] = Answer("%PDF", content_type="application/pdf")
    pipeline.bring(add_source(f"{site.url}/feed", "podcast"))
    ((origin, choice),) = pipeline.query("SELECT text_origin, text_choice FROM content_details")
    assert origin == "description"
    assert choice.startswith("description: the transcript is unavailable (unsupported_type: ")


def test_a_video_on_a_page_is_read_by_its_captions(pipeline: Pipeline, site: Site, add_item: Any) -> None:
    tracks = '<video><track kind="chapters" src="c.vtt"><track src="de.vtt"><track kind="captions" src="en.vtt" default></video>'
    site.pages |= {
        "/talk": Answer(page("A talk", f"<p>Watch.</p>{tracks}")),
        "/en.vtt": Answer(VTT, content_type="text/vtt"),
    }
    site.pages["/article"] = Answer(page("An article", paragraphs("the article") + tracks))
    pipeline.fetch(add_item(f"{site.url}/talk"), add_item(f"{site.url}/article"))
    told = {(origin, url) for _, origin, _, url in pipeline.query(TOLD)}
    assert told == {("transcript", f"{site.url}/talk"), ("page", f"{site.url}/article")}
    assert site.times("/en.vtt") == 1
