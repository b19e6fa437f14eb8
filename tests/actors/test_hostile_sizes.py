"""Input from outside may have any size. Code with quadratic time would need minutes or hours for these inputs."""

import time
from collections.abc import Callable
from contextlib import suppress
from itertools import product
from typing import Any

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
from tests.actors.engine.conftest import entry
from tests.each import cases

LINEAR = 8
"""Work on four times as much takes four times as long where it is linear, and sixteen times where it is quadratic."""


def growth(make: Callable[[int], Any], work: Callable[[Any], object], size: int) -> float:
    """Return how many times longer ``work`` takes for an input of four times ``size``."""
    small, large = make(size), make(4 * size)

    def ratio() -> float:
        return min(_seconds(work, large) for _ in range(3)) / min(_seconds(work, small) for _ in range(5))

    # A high ratio is measured again, because other processes can evict the data from the processor's cache.
    first = ratio()
    return first if first < LINEAR else min(first, ratio(), ratio())


def _seconds(work: Callable[[Any], object], material: Any) -> float:
    start = time.thread_time()
    work(material)
    return time.thread_time() - start


MANY = 500_000
pytestmark = pytest.mark.timeout(20)


def test_a_title_or_a_name_of_a_feed_of_nothing_but_markup() -> None:
    assert len(entry(title="<![CDATA[" + "<" * MANY + "]]>").title) <= 500
    for mark in ("<", "<b"):
        body = f"<rss version='2.0'><channel><title><![CDATA[{mark * (MANY // len(mark))}]]></title></channel></rss>"
        assert len(read_feed(body.encode(), "https://feeds.example/news.xml").name) <= 500


def test_a_sentence_of_nothing_but_stops_and_a_line_that_is_almost_a_fence_or_a_heading() -> None:
    for run in (".", "…", "?!"):
        text = run * (MANY // len(run)) + "x"
        assert [each.text for each in sentences(text)] == [text]
    for line, filling in product(("```{}`", "~~~{}`", "# a{}a", "#{}a"), "a ~#"):
        document = line.format(filling * MANY)
        assert all(document[block.start : block.end] == block.text for block in blocks(document))


def test_addresses_pictures_speech_and_capitals_without_end() -> None:
    for url in ("https://a.example" + "/amp" * MANY, "https://" + "m." * MANY + "a.example/"):
        assert canonical_url(url) == url
    assert highlights("You see `nothing` but " + "![](replace/x)" * 60_000 + " pictures here.", Selection()) == []
    for said in ("“It is so,” said Bob. ", "“It is so, said Bob. "):
        assert len(highlights(said * (MANY // len(said)), Selection())) <= 6
    assert names.unknown("They said that the IMF agreed.", Evidence(("A" * MANY,), "")) == "IMF"


CODECS = ["punycode", "idna", "utf-7", "rot13", "hex", "unicode_escape", "cp037", "undefined"]
MARKS = ["<think>", "</think>", "<think>{", "{</think>", "<think></think>", "{<thinking>", "{"]


def attempt(answer: str) -> None:
    with suppress(ValueError):
        answers.read(answers.BriefAnswer, answer)


@cases(
    "make work size",
    pytest.param(lambda n: ("a  " * (5 * n), "a " * n + "b"), lambda told: place(*told), 400, id="almost a quotation"),
    *(
        pytest.param(lambda n: b"a" * n, lambda body, name=name: decode(body, f"text/html; charset={name}"), 20_000, id=name)
        for name in CODECS
    ),
    pytest.param(lambda n: "text/html; charset=" + " " * n, lambda header: decode(b"a", header), 5_000, id="spaces"),
    *(pytest.param(lambda n, mark=mark: mark * (n // len(mark)), attempt, 4_000, id=mark) for mark in MARKS),
    pytest.param(lambda n: {"x-ratelimit-reset-tokens": "1" * n + "x"}, wait_seconds, 2_000, id="digits of a header"),
)  # fmt: skip
def test_work_grows_with_the_size_alone(make: Callable[[int], Any], work: Callable[[Any], object], size: int) -> None:
    assert growth(make, work, size) < LINEAR


def test_a_page_in_an_encoding_that_is_none_of_the_web_is_read_as_it_is() -> None:
    assert {decode(b"+ADw-a\\x41 b", f"text/html; charset={name}") for name in CODECS} == {"+ADw-a\\x41 b"}
