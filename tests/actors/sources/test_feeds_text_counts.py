"""If a page fails or is cut off, the text in the feed is used instead. The text of a recording is its transcript."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from actors.engine.article.transcript import spoken
from tests.actors.scripted_site import Answer, page, paragraphs, rss
from tests.actors.sources.conftest import Pipeline
from tests.each import cases

FULL = {"content": paragraphs("what the feed says in full")}
FAILS, ITSELF = Answer(status=500), Answer(page("A", paragraphs("the page itself")))
STATE = """SELECT o.outcome, d.text_origin FROM item_outcomes o JOIN stories s ON s.id = o.story_id
    JOIN content_details d USING (content_id)"""


@pytest.fixture
def fetch(pipeline: Pipeline) -> Callable[..., list[tuple[str, str]]]:
    """Fetch an item whose feed has the full text, once for each answer of its page. Return its outcome and text origin."""

    def run(*answers: Answer, metadata: Any = FULL) -> list[tuple[Any, ...]]:
        for answer in answers:
            pipeline.serve("/a", answer)
            if ids := pipeline.fetches():
                pipeline.sent = [job for job in pipeline.sent if job[0] != "fetch-content"]
                pipeline.run("fetch-content", raw_item_ids=ids[0])
            else:
                pipeline.fetch(pipeline.add_item("/a", title="A", metadata=metadata))
        return pipeline.query(STATE)

    return run


def test_a_feeds_article_is_a_story_until_the_page_replaces_it(pipeline: Pipeline, fetch: Any) -> None:
    choice = "SELECT text_choice FROM content_details"
    assert fetch(FAILS) == [("retrying", "feed")]
    assert pipeline.query(choice)[0][0].startswith("feed: the page is unavailable (fetch_failed: ")
    assert pipeline.tasks_sent() == ["analyze-story", "fetch-content"]
    before = pipeline.query("SELECT id FROM stories")
    fetch(FAILS)
    assert pipeline.tasks_sent() == ["analyze-story", "fetch-content"], "an equal text is analysed once"
    assert fetch(ITSELF) == [("stored", "page")]
    assert "is unavailable" not in (pipeline.query(choice)[0][0] or "")
    assert pipeline.tasks_sent() == ["analyze-story", "analyze-story"]
    assert pipeline.query("SELECT id FROM stories") == before
    assert pipeline.query("SELECT count(*) FROM contents WHERE text_body LIKE '%%the page itself%%'") == [(1,)]
    pipeline.query("UPDATE item_outcomes SET outcome = 'queued'")
    pipeline.serve("/a", FAILS)
    pipeline.fetch(*(row[0] for row in pipeline.query("SELECT id FROM raw_items")))
    assert pipeline.query(STATE) == [("retrying", "page")], "a text of the page is not replaced by the feed's"


@pytest.mark.parametrize(
    ("then", "ended"),
    [(Answer(page("A", FULL["content"])), ("stored", "page")), (Answer(status=404), ("retracted", "feed"))],
    ids=["with the feed's text", "withdrawn"],
)
def test_a_page_without_news_changes_no_text(pipeline: Pipeline, fetch: Any, then: Answer, ended: Any) -> None:
    assert fetch(FAILS, then) == [ended]
    assert pipeline.tasks_sent() == ["analyze-story"]


@pytest.mark.parametrize(
    ("metadata", "origin"), [(FULL, "feed"), ({"description": paragraphs("a teaser", 3)}, "description")]
)
def test_a_page_that_never_comes_leaves_the_feeds(pipeline: Pipeline, fetch: Any, metadata: Any, origin: str) -> None:
    pipeline.settings["fetch-content"] = {"attempts": 3}
    assert len(fetch(FAILS, metadata=metadata)) == (origin == "feed")
    assert fetch(FAILS, FAILS) == [("stored", origin)]
    assert pipeline.tasks_sent() == ["analyze-story"]
    assert pipeline.query("SELECT status FROM raw_items") == [("completed",)]


WORDS = [f"Guest {n} says that release {n} of the queue was measured at {n * 7} milliseconds." for n in range(1, 7)]
SRT = "\r\n\r\n".join(f"{n}\r\n00:00:0{n},000 --> 00:00:0{n + 1},000\r\n{one}" for n, one in enumerate(WORDS))
VTT = "WEBVTT - A title\n\nNOTE\nfor nobody --> really\n\nSTYLE\n::cue {}\n\n" + "\n\n".join(
    f"intro\n00:0{n}.000 --> 00:0{n + 1}.000 align:start\n<v.loud Ada Lovelace>{one}</v>" for n, one in enumerate(WORDS)
)
JSON = json.dumps({"version": "1.0.0", "segments": [{"speaker": "Ada", "startTime": 0, "body": one} for one in WORDS]})
TEXT = " ".join(WORDS)
TOLD = """SELECT o.outcome, d.text_origin, c.text_body, s.primary_url FROM item_outcomes o JOIN stories s ON s.id = o.story_id
    JOIN contents c ON c.id = s.content_id JOIN content_details d USING (content_id)"""


@cases(
    "given words",
    (SRT, TEXT), (VTT, f"Ada Lovelace: {TEXT}"), (JSON, f"Ada: {TEXT}"), (f"\ufeff{SRT}", TEXT),
    ("00:01.000 --> 00:02.000\nOne &amp; <i>two</i>\nthree\n\n00:02.000 --> 00:03.000\nthree\n{\\an8}four", "One & two three four"),
    ("WEBVTT", ""), ('{"segments": [{"body": 1}, 2, {"speaker": "B"}]}', "B:"), ('{"segments": 1}', None), ("{", None),
    ("[1]", None), ("A page --> with arrows", None), ("<html>", None), ("", None),
)  # fmt: skip
def test_the_words_of_each_form_are_read(given: str, words: str | None) -> None:
    assert spoken(given) == words


def test_paragraphs_end_with_a_sentence_or_a_speaker_and_none_is_endless() -> None:
    long = "\n\n".join(f"00:01.000 --> 00:02.000\n{one}" for one in WORDS * 5)
    assert spoken(long) == "\n\n".join(" ".join((WORDS * 5)[at : at + 7]) for at in range(0, 30, 7))
    endless = "\n\n".join(f"00:01.000 --> 00:02.000\nword {n} of many" for n in range(1000))
    assert max(map(len, (spoken(f"WEBVTT\n\n{endless}") or "").split("\n\n"))) < 2100
    turns = spoken(json.dumps({"segments": [{"speaker": one, "body": "Yes."} for one in ("A", "A", "B", "A")]}))
    assert turns == "A: Yes. Yes.\n\nB: Yes.\n\nA: Yes."


def episode(pipeline: Pipeline, extra: str = "") -> None:
    notes = f"<description><![CDATA[{paragraphs('the notes', 3)}]]></description>"
    sound = f'<enclosure url="{pipeline.at("/1.mp3")}" type="audio/mpeg"/>'
    pipeline.serve("/feed", Answer(rss(("1", "Episode 1", pipeline.at("/1")), extra=f"{sound}{notes}{extra}")))


@cases(
    "tag answer text",
    ('<podcast:transcript url="/1.srt" type="application/srt"/>', Answer(SRT, content_type="application/octet-stream"), TEXT),
    ('<podcast:transcript url="/t" type="application/json"/>', Answer(JSON, content_type="application/json"), f"Ada: {TEXT}"),
    ('<media:subTitle href="/1.srt" type="application/srt" lang="en"/>', Answer(SRT, content_type="text/plain"), TEXT),
    ('<podcast:transcript url="/t.html" type="text/html"/>', Answer(page("T", f"<p>{TEXT}</p>")), TEXT),
    ('<podcast:transcript url="/t.pdf" type="application/pdf"/>', Answer("%PDF", content_type="application/pdf"), ""),
)  # fmt: skip
def test_an_episode_is_a_story_in_its_words_or_notes(pipeline: Pipeline, tag: str, answer: Answer, text: str) -> None:
    episode(pipeline, tag)
    pipeline.serve(tag.split('"')[1], answer)
    pipeline.bring(pipeline.add_source("/feed", "podcast"))
    ((outcome, origin, told, url),) = pipeline.query(TOLD)
    ((choice,),) = pipeline.query("SELECT text_choice FROM content_details")
    assert (outcome, url) == ("stored", pipeline.at("/1"))
    if text:
        assert (origin, told) == ("transcript", text)
    else:
        assert choice.startswith("description: the transcript is unavailable (unsupported_type: ")


def test_a_transcript_that_comes_later_replaces_the_notes_and_one_that_is_away_is_awaited(pipeline: Pipeline) -> None:
    source = pipeline.add_source("/feed", "podcast")

    def poll() -> list[tuple[object, ...]]:
        pipeline.poll(source)
        ids = pipeline.fetches()
        pipeline.sent.clear()
        for one in ids:
            pipeline.run("fetch-content", raw_item_ids=one)
        return [row[:2] for row in pipeline.query(TOLD)]

    episode(pipeline)
    assert poll() == [("stored", "description")]
    episode(pipeline, '<podcast:transcript url="/1.srt" type="application/srt"/>')
    pipeline.serve("/1.srt", Answer(status=500))
    assert poll() == [("retrying", "description")]
    pipeline.serve("/1.srt", Answer(SRT, content_type="application/srt"))
    pipeline.drain()
    assert poll() == [("stored", "transcript")]


def test_a_video_on_a_page_is_read_by_its_captions(pipeline: Pipeline) -> None:
    tracks = '<video><track kind="chapters" src="c.vtt"><track src="de.vtt"><track kind="captions" src="en.vtt" default></video>'
    pipeline.serve("/talk", f"<p>Watch.</p>{tracks}")
    pipeline.serve("/en.vtt", Answer(VTT, content_type="text/vtt"))
    pipeline.serve("/article", paragraphs("the article") + tracks)
    pipeline.fetch(pipeline.add_item("/talk"), pipeline.add_item("/article"))
    told = {(origin, url) for _, origin, _, url in pipeline.query(TOLD)}
    assert told == {("transcript", pipeline.at("/talk")), ("page", pipeline.at("/article"))}
    assert pipeline.site.times("/en.vtt") == 1
