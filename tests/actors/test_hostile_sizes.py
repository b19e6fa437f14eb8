"""Foreign input may have any size: work that grew with its square would take minutes to hours here."""

from contextlib import suppress

import pytest

from actors.ai.gate import names
from actors.ai.gate.evidence import Evidence
from actors.ai.gate.quotations import place
from actors.ai.markdown import blocks
from actors.ai.openai import answers
from actors.ai.openai.client import wait_seconds
from actors.ai.sentences import sentences
from actors.engine.canonical import canonical_url
from actors.engine.feeds import read_feed
from actors.engine.text import decode
from actors.insights.selection import Selection, highlights
from tests.actors.growth import LINEAR, growth
from tests.actors.scripted_site import rss

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


@pytest.mark.parametrize("run", [".", "…", "?!"])
def test_a_sentence_of_nothing_but_stops(run: str) -> None:
    text = run * (MANY // len(run)) + "x"
    assert [each.text for each in sentences(text)] == [text]


@pytest.mark.parametrize("line", ["```{}`", "~~~{}`", "# a{}a", "#{}a"])
@pytest.mark.parametrize("filling", ["a", " ", "~", "#"])
def test_a_line_that_is_almost_a_fence_or_a_heading(line: str, filling: str) -> None:
    document = line.format(filling * MANY)
    assert all(document[block.start : block.end] == block.text for block in blocks(document))


def test_a_sentence_of_nothing_but_pictures() -> None:
    picture = "![](replace/x)"
    document = "You see `nothing` but " + picture * 60_000 + " pictures here."
    assert highlights(document, Selection()) == []


@pytest.mark.parametrize("url", ["https://a.example" + "/amp" * MANY, "https://" + "m." * MANY + "a.example/"])
def test_an_address_longer_than_any_address(url: str) -> None:
    assert canonical_url(url) == url


def test_a_quote_of_thousands_of_words_that_almost_stands_there() -> None:
    def quoted(words: int) -> tuple[str, str]:
        return "a  " * (5 * words), "a " * words + "b"

    assert growth(quoted, lambda given: place(*given), 400) < LINEAR


@pytest.mark.parametrize("said", ["“It is so,” said Bob. ", "“It is so, said Bob. "])
def test_speech_that_never_ends(said: str) -> None:
    assert len(highlights(said * (MANY // len(said)), Selection())) <= 6


@pytest.mark.parametrize("name", ["punycode", "idna", "utf-7", "unicode-escape"])
def test_a_page_in_an_encoding_that_is_none_of_the_web(name: str) -> None:
    content_type = f"text/html; charset={name}"
    assert growth(lambda size: b"a" * size, lambda body: decode(body, content_type), 20_000) < LINEAR
    assert decode(b"+ADw-a\\x41 b", content_type) == "+ADw-a\\x41 b"


def test_a_header_of_nothing_but_white_space_behind_its_charset() -> None:
    assert growth(lambda size: "text/html; charset=" + " " * size, lambda header: decode(b"a", header), 5_000) < LINEAR


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
