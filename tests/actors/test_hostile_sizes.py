"""Foreign input may have any size: work that grew with its square would take minutes to hours here."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from actors.ai.gate import names
from actors.ai.gate.evidence import Evidence
from actors.ai.gate.quotations import place
from actors.ai.lexrank import similarity
from actors.ai.markdown import blocks
from actors.ai.openai import answers
from actors.ai.openai.client import wait_seconds
from actors.ai.sentences import sentences
from actors.engine.canonical import canonical_url
from actors.engine.contract import EngineError
from actors.engine.feeds import read_feed
from actors.engine.pages import read_page
from actors.engine.text import decode
from actors.insights.code import code_candidates
from actors.insights.selection import Selection, highlights
from tests.actors.growth import LINEAR, growth
from tests.actors.scripted_site import rss

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.ai.lexrank import Vector

MANY = 500_000
URL = "https://feeds.example/news.xml"

pytestmark = pytest.mark.timeout(20)


def test_a_title_of_nothing_but_brackets() -> None:
    title = "<![CDATA[" + "<" * MANY + "]]>"
    source = read_feed(rss(("g", title, "https://a.example/1")).encode(), URL)
    assert len((source.items or [])[0].title) <= 500


@pytest.mark.parametrize("mark", ["<", "<b"])
def test_the_name_of_a_feed_of_nothing_but_markup(mark: str) -> None:
    body = f"<rss version='2.0'><channel><title><![CDATA[{mark * (MANY // len(mark))}]]></title></channel></rss>"
    assert len(read_feed(body.encode(), URL).name) <= 500


def test_a_head_that_never_ends() -> None:
    for head in (b"\n<!ENTITY ", b"\n<!DOCTYPE ", b"\n"):
        with pytest.raises(EngineError, match="its first element"):
            read_feed(head * (MANY // len(head)) + rss(("g", "t", "https://a.example/1")).encode(), URL)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("entry", ["<item/>", "<entry/>", "<ITEM>", "<x:item></x:item>"])
def test_a_feed_of_more_entries_than_any_feed_has(entry: str, encoding: str) -> None:
    body = f"<rss version='2.0' xmlns:x='http://purl.org/rss/1.0/'><channel>{entry * MANY}</channel></rss>"
    with pytest.raises(EngineError, match="entries") as caught:
        read_feed(body.encode(encoding), URL)
    assert caught.value.code == "too_large"


@pytest.mark.parametrize("run", [".", "…", "?!"])
def test_a_sentence_of_nothing_but_stops(run: str) -> None:
    text = run * (MANY // len(run)) + "x"
    assert [each.text for each in sentences(text)] == [text]


@pytest.mark.parametrize("line", ["```{}`", "~~~{}`", "# a{}a", "#{}a"])
@pytest.mark.parametrize("filling", ["a", " ", "~", "#"])
def test_a_line_that_is_almost_a_fence_or_a_heading(line: str, filling: str) -> None:
    document = line.format(filling * MANY)
    assert all(document[block.start : block.end] == block.text for block in blocks(document))


def test_code_of_nothing_but_empty_lines() -> None:
    document = "```\n#\n" + "\n" * MANY + "x\n```"
    assert len(code_candidates(blocks(document), 1, 2000)) == 1


def test_a_sentence_of_nothing_but_pictures() -> None:
    picture = "![](replace/x)"
    document = "You see `nothing` but " + picture * 60_000 + " pictures here."
    assert highlights(document, Selection()) == []


@pytest.mark.parametrize("url", ["https://a.example" + "/amp" * MANY, "https://" + "m." * MANY + "a.example/"])
def test_an_address_longer_than_any_address(url: str) -> None:
    assert canonical_url(url) == url


def test_no_more_candidates_are_compared_than_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0

    def counted(left: Vector, right: Vector) -> float:
        nonlocal compared
        compared += 1
        return similarity(left, right)

    monkeypatch.setattr("actors.insights.selection.similarity", counted)
    sentences = [f"Reading batch{n} took {n + 2} ms in run{n} of team{n}." for n in range(2_000)]
    found: Sequence[object] = highlights("\n\n".join(sentences), Selection())
    assert len(found) == 6
    assert compared < 2_000


def test_a_quote_of_thousands_of_words_that_almost_stands_there() -> None:
    def quoted(words: int) -> tuple[str, str]:
        return "a  " * (5 * words), "a " * words + "b"

    assert growth(quoted, lambda given: place(*given), 400) < LINEAR


@pytest.mark.parametrize("said", ["“It is so,” said Bob. ", "“It is so, said Bob. "])
def test_speech_that_never_ends(said: str) -> None:
    assert len(highlights(said * (4 * MANY // len(said)), Selection())) <= 6


@pytest.mark.parametrize("name", ["punycode", "idna", "utf-7", "unicode-escape"])
def test_a_page_in_an_encoding_that_is_none_of_the_web(name: str) -> None:
    content_type = f"text/html; charset={name}"
    assert growth(lambda size: b"a" * size, lambda body: decode(body, content_type), 20_000) < LINEAR
    assert decode(b"+ADw-a\\x41 b", content_type) == "+ADw-a\\x41 b"


def test_a_header_of_nothing_but_white_space_behind_its_charset() -> None:
    assert growth(lambda size: "text/html; charset=" + " " * size, lambda header: decode(b"a", header), 5_000) < LINEAR


def refused(read: Callable[[], object]) -> str:
    with pytest.raises(EngineError) as caught:
        read()
    return caught.value.code


@pytest.mark.parametrize("attribute", ["a{}=x", "a{}='<x>'", 'data-a{}="x y"', "a{}"])
def test_a_tag_of_more_attributes_than_any_tag_has(attribute: str) -> None:
    def attributes(count: int) -> str:
        return " ".join(attribute.format(number) for number in range(count))

    def page(count: int) -> bytes:
        return f"<html><body><p {attributes(count)}>x</p></body></html>".encode()

    def feed(count: int) -> bytes:
        item = f"<item {attributes(count)}><title>t</title></item>"
        return f"<rss version='2.0'><channel>{item}</channel></rss>".encode()

    for make, read in ((page, read_page), (feed, read_feed)):
        assert growth(make, lambda body, read=read: refused(lambda: read(body, URL)), 25_000) < LINEAR  # type: ignore[misc]
        assert refused(lambda make=make, read=read: read(make(25_000), URL)) == "too_large"  # type: ignore[misc]
        read(make(200), URL)


@pytest.mark.parametrize("base", ["xml:base", "base", "XML:BASE"])
def test_a_feed_whose_bases_are_nested(base: str) -> None:
    def nested(count: int) -> bytes:
        bases = f"<a {base}='http://x.example/'>" + f"<a {base}='b/'>" * count
        return f"<rss version='2.0'><channel><item><title>t</title>{bases}{'</a>' * (count + 1)}</item></channel></rss>".encode()

    assert growth(nested, lambda body: read_feed(body, URL), 1_500) < LINEAR


@pytest.mark.parametrize("name", ["punycode", "unicode_escape", "idna", "undefined"])
@pytest.mark.parametrize("where", ["header", "declaration"])
def test_a_feed_in_an_encoding_that_is_none_of_the_web(name: str, where: str) -> None:
    declaration = f"<?xml version='1.0' encoding='{name}'?>" if where == "declaration" else ""
    header = f"application/xml; charset={name}" if where == "header" else "application/xml"
    feed = f"{declaration}<rss version='2.0'><channel><item><title>t\\x41</title></item></channel></rss>"

    def read(body: bytes) -> None:
        with suppress(EngineError):
            read_feed(body, URL, content_type=header)

    assert growth(lambda size: feed.encode() + b"a" * size, read, 20_000) < LINEAR
    if where == "header":
        assert [item.title for item in read_feed(feed.encode(), URL, content_type=header).items or []] == ["t\\x41"]
    else:
        assert refused(lambda: read_feed(feed.encode(), URL, content_type=header)) == "not_a_feed"


@pytest.mark.parametrize(
    "mark", ["<think>", "</think>", "<think>{", "{</think>", "<think></think>", "{<thinking>", "{"]
)
def test_a_models_answer_of_nothing_but_marks(mark: str) -> None:
    def attempt(answer: str) -> None:
        with suppress(ValueError):
            answers.read(answers.BriefAnswer, answer)

    assert growth(lambda size: mark * (size // len(mark)), attempt, 4_000) < LINEAR


def test_a_providers_header_of_nothing_but_digits() -> None:
    def read_header(value: str) -> None:
        wait_seconds({"x-ratelimit-reset-tokens": value, "x-ratelimit-remaining-tokens": "0"})

    assert growth(lambda size: "1" * size + "x", read_header, 2_000) < LINEAR


def test_a_story_of_one_word_of_capitals() -> None:
    assert names.unknown("They said that the IMF agreed.", Evidence(("A" * MANY,), "")) == "IMF"
