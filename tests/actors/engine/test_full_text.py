"""The whole article is extracted without the rest of its page. A page that withholds it, as by a paywall, is refused."""

import json
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from actors.demo import sample_site
from actors.engine.article.full_text import SHORT, Reading, Said, Way, choose, looks_cut, plain_text, without_furniture
from actors.engine.contract import EngineError
from actors.engine.pages import html_to_text, parse_page, read_page
from actors.engine.text import letters
from tests.actors.engine.conftest import failure
from tests.actors.engine.wall_pages import WALLS
from tests.actors.scripted_site import page, paragraphs
from tests.each import cases

URL = "https://news.example/a-story"
ARTICLE = " ".join(f"Sentence {n} of the article says something of its own." for n in range(40))
BYLINE = "By Ada Lovelace and Alan Turing, correspondents, in Hallin on Monday, 30 November 2026"
WAYS: tuple[Way, ...] = ("trafilatura", "readability", "structured")
TEASERS = " ".join(f"Another story, number {n}, is only told of here." for n in range(40))
LINES = [f"Sentence {n} says {n} things of {n} parts in {n} words." for n in range(130)]
START, WHOLE = ARTICLE[: len(ARTICLE) // 3], " ".join(LINES)


@cases(
    "found way reason",
    pytest.param([START, ARTICLE], "readability", "has 3.0 times the words and holds it", id="cut"),
    pytest.param([START, START, ARTICLE], "structured", "has 3.0 times the words and holds it", id="both cut"),
    pytest.param([" ".join(LINES[:40] + LINES[65:]), WHOLE], "trafilatura", "no other", id="without a few lines"),
    pytest.param([" ".join(LINES[:40] + LINES[85:]), WHOLE], "readability", "looks cut", id="without sections"),
    pytest.param([f"{TEASERS[:400]} {ARTICLE}", ARTICLE], "readability", "has more around it", id="more around it"),
    pytest.param([f"{ARTICLE[:900]} {TEASERS[:150]}", ARTICLE[:900]], "readability", "has more around it", id="more below"),
    pytest.param([TEASERS[:700], ARTICLE], "readability", "words outside", id="the neighbours alone"),
    pytest.param([ARTICLE, " ".join([TEASERS] * 3)], "trafilatura", "no other", id="more of other stories"),
    pytest.param([BYLINE, ARTICLE[: SHORT - 1]], "readability", "the longest of short readings", id="short ones"),
    pytest.param(["", ""], "trafilatura", "no reading has a text", id="none"),
)  # fmt: skip
def test_the_reading_with_the_whole_article_and_nothing_else_is_taken(found: list[str], way: Way, reason: str) -> None:
    taken, said = choose([Reading(one, text, str) for one, text in zip(WAYS, found, strict=False)])
    assert taken.way == way
    assert reason in said


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(5, 40), st.booleans()), min_size=1, max_size=3))
def test_whatever_the_readings_are_none_looks_cut_beside_another(pieces: list[tuple[int, int, bool]]) -> None:
    sentences, others = ARTICLE.split(". "), TEASERS.split(". ")
    found = [
        Reading(way, ". ".join([*sentences[start : start + size], *(others[:size] if more else [])]), str)
        for way, (start, size, more) in zip(WAYS, pieces, strict=False)
    ]
    taken, _ = choose(found)
    assert not any(looks_cut(taken.said, one.said) for one in found if len(one.text) >= SHORT)


@pytest.mark.parametrize("entry", [one for one in sample_site.entries() if not one.missing], ids=lambda one: one.slug)
def test_no_page_is_cut_to_less_than_half_while_a_reading_has_it(entry: Any) -> None:
    html = sample_site.render("https://news.example", datetime(2026, 11, 25, tzinfo=UTC))[entry.path].encode()
    written = files("actors.demo").joinpath(f"site/articles/{entry.slug}.html").read_text(encoding="utf-8")
    truth = Said(plain_text(parse_page(f"<html><body>{written}</body></html>")))
    assert Said(read_page(html, URL).text or "").holds(truth) > 0.75


def test_the_pages_own_data_stand_in_where_its_markup_shows_the_beginning_alone_or_nothing() -> None:
    lines = [f"<p>Paragraph {n} has a sentence of its own, and it is about topic {n * 7}.</p>" for n in range(30)]
    data = json.dumps({"@type": "NewsArticle", "articleBody": html_to_text("\n".join(lines))[0]})
    head = f'<script type="application/ld+json">{data}</script>'
    drawn = f'<html><head>{head}</head><body><div id="app"></div></body></html>'  # by scripts
    for html in (page("t", "".join(lines[:8]), head), drawn):
        item = read_page(html.encode(), URL)
        assert (item.text_origin, "Paragraph 29 has" in (item.text or "")) == ("structured", True)


def test_html_that_is_all_content_becomes_markdown_with_nothing_left_out() -> None:
    tree = parse_page(
        "<html><body><div><h2>Head</h2><p>One\n line <b>bold</b>.</p><ul><li>First</li><li>Second</li></ul>"
        "<pre>x = 1\n  y = 2</pre>tail<script>no()</script><!-- no --></div></body></html>"
    )
    assert plain_text(tree) == "Head\n\nOne line bold.\n\nFirst\n\nSecond\n\nx = 1\n  y = 2\ntail"
    marked = plain_text(tree, marked=True)
    assert [one for one in ("## Head", "- First", "```\nx = 1\n  y = 2\n```", "tail") if one not in marked] == []


STORY = (
    "The council of Velm closed the bridge on Monday, because engineers had found forty cracks in its northern pillar.\n\n"
    "It opens again in May, the mayor said, and until then the ferry carries people and bicycles without a fare.\n\nNobody was hurt."
)


@cases(
    "more",
    "{title}\n\n{story}",
    "# {title}\n\n{story}",
    "{story}\n\nSubscribe to our newsletter and get the news every morning.",
    "{story}\n\n- Fire in the town hall\n- A new school for Velm",
    "{story}\n\nDas könnte Sie interessieren: abonnieren Sie uns.\n\n----------\n\n© 2026 The Velm Post",
)
def test_what_stands_above_and_below_an_article_is_left_out(more: str) -> None:
    text = more.format(title="Velm closes its bridge", story=STORY)
    links = {letters("Fire in the town hall"), letters("A new school for Velm")}
    assert without_furniture(text, {letters("Velm closes its bridge")}, links, 20) == STORY
    # A line that leads to another article is left out, unless the rest would be too short for a story.
    told = STORY.replace("\n\nNobody", "\n\nRelated: A new school for Velm\n\nNobody")
    assert without_furniture(told, set(), set(), 20) == told.replace("Related: A new school for Velm\n", "")
    text = f"{STORY}\n\nSign up for the course, and follow us on the way."
    assert without_furniture(text, set(), set(), 10_000) == text


@pytest.mark.parametrize("kind", WALLS)
def test_a_page_that_is_no_article_ends_in_an_outcome_of_its_own(kind: str) -> None:
    code, html = WALLS[kind]
    error = failure(read_page, html.encode(), URL, "text/html; charset=utf-8")
    assert (error.code, error.transient) == (code, False)
    assert str(error).startswith(f"{URL}: the ")


#: Phrases of blocking pages in many languages, by outcome and by place in the page; each phrase tests one pattern.
PARTS = Path(__file__).with_name("wall_words.txt").read_text(encoding="utf-8").split("\n\n")
SAID = {
    tuple(head.strip("[]").split()): [phrase for line in lines for phrase in line.split(" | ")]
    for head, *lines in map(str.splitlines, PARTS)
}
TWO = paragraphs("the bridge", 2)
PLACES = {
    "named": page("{}", TWO),
    "said": page("A title", "<p>Some words stand here, {} at their end.</p>"),
    "offered": page("A title", f"{TWO}<div>{{}}</div>"),
}


@pytest.mark.parametrize(("code", "place"), SAID)
def test_what_a_wall_says_in_each_language_is_known_at_its_place(code: str, place: str) -> None:
    found = {phrase: outcome(PLACES[place].replace("{}", phrase)) for phrase in SAID[code, place]}
    assert {phrase: said for phrase, said in found.items() if said != code} == {}
    assert outcome(PLACES[place].replace("{}", "The bridge")) in {"", "too_short"}


OFFER, BLOCKED = "<p>Subscribe to continue.</p>", "<p>You have been blocked.</p>"
DECLARED = '<meta property="og:type" content="article">'
LOGIN = "<form><input type=password></form>"
CHINESE = ("<p>" + "市政府在星期一宣布北部的桥梁将关闭到明年五月因为工程师发现了四十条裂缝。" * 2 + "</p>") * 10


def free(said: str) -> str:
    return f'<script type="application/ld+json">{{"@type": "NewsArticle", "isAccessibleForFree": {said}}}</script>'


def text(size: int) -> str:
    """Make paragraphs with ``size`` characters."""
    return "".join(f"<p>{f'Sentence {n} of the bridge says it.':.<100}</p>" for n in range(size // 100))


@cases(
    "body head code",
    pytest.param(text(1200) + OFFER, "", "paywall", id="an offer below a short text"),
    pytest.param(text(2300) + OFFER, "", "", id="an offer below a long one"),
    pytest.param(text(1700) + OFFER, "", "paywall", id="an offer below what may be a teaser"),
    pytest.param(OFFER + text(900), "", "paywall", id="an offer above a short text"),
    pytest.param(OFFER + text(1700), "", "", id="an offer above what may be a teaser"),
    pytest.param(OFFER + text(900), DECLARED, "", id="an offer above an article"),
    pytest.param(text(900) + OFFER, DECLARED, "paywall", id="an offer below a teaser"),
    pytest.param(text(900) + OFFER, free("true"), "", id="an offer beside what is free"),
    pytest.param(text(900), free("false"), "paywall", id="a teaser of what is not free"),
    pytest.param(text(1400), free("false"), "", id="more of what is not free"),
    pytest.param(f"<nav>{OFFER}</nav>{text(900)}", "", "", id="an offer in the navigation"),
    pytest.param(CHINESE + "<p>会员专享</p>", "", "", id="a text of few signs"),
    pytest.param(text(1100) + BLOCKED, "", "blocked", id="a notice"),
    pytest.param(BLOCKED + text(1800), "", "", id="a notice above a text"),
    pytest.param(f"<h2>Access denied</h2>{text(400)}", "", "blocked", id="a heading"),
    pytest.param(f"<h2>Access denied</h2>{text(900)}", "", "", id="a heading in a text"),
    pytest.param(text(400) + LOGIN, "", "paywall", id="a login"),
    pytest.param(text(900) + LOGIN, "", "", id="a login beside a text"),
    pytest.param(text(400) + LOGIN, DECLARED, "", id="a login beside an article"),
)  # fmt: skip
def test_how_much_a_page_shows_and_where_tells_a_wall_from_an_article(body: str, head: str, code: str) -> None:
    assert outcome(page("A title", body, head)) == code


def outcome(html: str) -> str:
    """Return the reason why a page is refused, such as ``paywall``, or an empty string if it is accepted."""
    try:
        read_page(html.encode(), URL, "text/html; charset=utf-8")
    except EngineError as error:
        return error.code
    return ""


def test_an_article_about_walls_is_read() -> None:
    about = "<p>Sites ask: verify you are human. They say that you have been blocked, and want you to accept all cookies.</p>"
    assert outcome(page("Robots at the door", about + paragraphs("captchas", 20))) == ""
    for title in ("Maintenance of bridges is late", "The 404 best songs", "Consent in law", "Blocked roads open again"):
        assert outcome(page(title, paragraphs("a note", 3))) == ""
    assert outcome(page("A note on robots", about + paragraphs("captchas", 2), DECLARED)) == ""
