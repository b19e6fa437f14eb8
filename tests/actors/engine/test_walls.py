"""A page that blocks an article, such as a paywall, gets its own outcome; an article about such pages does not."""

from pathlib import Path

import pytest

from actors.engine.contract import EngineError
from actors.engine.pages import read_page
from tests.actors.engine.conftest import failure
from tests.actors.engine.wall_pages import WALLS
from tests.actors.scripted_site import page, paragraphs

URL = "https://news.example/a-story"


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
TEXT = paragraphs("the bridge", 2)
PLACES = {
    "named": page("{}", TEXT),
    "said": page("A title", "<p>Some words stand here, {} at their end.</p>"),
    "offered": page("A title", f"{TEXT}<div>{{}}</div>"),
}


@pytest.mark.parametrize(("code", "place"), SAID)
def test_what_a_wall_says_in_each_language_is_known_at_its_place(code: str, place: str) -> None:
    found = {phrase: outcome(PLACES[place].replace("{}", phrase)) for phrase in SAID[code, place]}
    assert {phrase: said for phrase, said in found.items() if said != code} == {}
    assert outcome(PLACES[place].replace("{}", "The bridge")) in {"", "too_short"}


OFFER, BLOCKED = "<p>Subscribe to continue.</p>", "<p>You have been blocked.</p>"
ARTICLE = '<meta property="og:type" content="article">'
LOGIN = "<form><input type=password></form>"
CHINESE = ("<p>" + "市政府在星期一宣布北部的桥梁将关闭到明年五月因为工程师发现了四十条裂缝。" * 2 + "</p>") * 10


def free(said: str) -> str:
    return f'<script type="application/ld+json">{{"@type": "NewsArticle", "isAccessibleForFree": {said}}}</script>'


def text(size: int) -> str:
    """Make paragraphs with ``size`` characters."""
    return "".join(f"<p>{f'Sentence {n} of the bridge says it.':.<100}</p>" for n in range(size // 100))


@pytest.mark.parametrize(
    ("body", "head", "code"),
    [
        pytest.param(text(1200) + OFFER, "", "paywall", id="an offer below a short text"),
        pytest.param(text(2300) + OFFER, "", "", id="an offer below a long one"),
        pytest.param(text(1700) + OFFER, "", "paywall", id="an offer below what may be a teaser"),
        pytest.param(OFFER + text(900), "", "paywall", id="an offer above a short text"),
        pytest.param(OFFER + text(1700), "", "", id="an offer above what may be a teaser"),
        pytest.param(OFFER + text(900), ARTICLE, "", id="an offer above an article"),
        pytest.param(text(900) + OFFER, ARTICLE, "paywall", id="an offer below a teaser"),
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
        pytest.param(text(400) + LOGIN, ARTICLE, "", id="a login beside an article"),
    ],
)  # fmt: skip
def test_how_much_a_page_shows_and_where_tells_a_wall_from_an_article(body: str, head: str, code: str) -> None:
    assert outcome(page("A title", body, head)) == code


def outcome(html: str) -> str:
    """Return the outcome of a refused page, or an empty text if the page is accepted."""
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
    assert outcome(page("A note on robots", about + paragraphs("captchas", 2), ARTICLE)) == ""
