"""Podcasts and videos are read in their own words, where there is a transcript."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from actors.engine.article.transcript import spoken
from tests.actors.scripted_site import Answer, Site, page, paragraphs, rss
from tests.actors.sources.conftest import Pipeline

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
    pipeline.run("ingest-source", source_id=add_source(f"{site.url}/feed", "podcast"))
    pipeline.drain()
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
    pipeline.run("ingest-source", source_id=add_source(f"{site.url}/feed", "podcast"))
    pipeline.drain()
    ((origin, choice),) = pipeline.query("SELECT text_origin, text_choice FROM content_details")
    assert origin == "description"
    assert choice.startswith("description: the transcript cannot be had (unsupported_type: ")


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
