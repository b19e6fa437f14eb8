from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from actors.engine.article import full_text
from actors.engine.article.agreement import Said
from actors.engine.article.full_text import Reading, choose
from actors.engine.article.plain import plain_text
from actors.engine.pages import html_to_text, parse_page, read_page
from tests.actors.scripted_site import page, paragraphs

if TYPE_CHECKING:
    from actors.engine.article.full_text import Way

URL = "https://news.example/a-story"
ARTICLE = " ".join(f"Sentence {n} of the article says something of its own." for n in range(40))
TEASERS = " ".join(f"Another story, number {n}, is only told of here." for n in range(40))


def reading(way: Way, text: str) -> Reading:
    return Reading(way, text, lambda: text)


def chosen(*found: Reading) -> tuple[Way | None, str]:
    taken, reason = choose(list(found))
    return (taken.way if taken else None), reason


def test_the_reading_is_taken_with_which_the_others_agree_most() -> None:
    way, reason = chosen(
        reading("precise", ARTICLE),
        reading("balanced", f"{ARTICLE} {TEASERS[:300]}"),
        reading("generous", f"{ARTICLE} {TEASERS[:900]}"),
        reading("readability", ARTICLE),
    )
    assert way == "precise"
    assert reason == "the others agree with it most (4 readings)"


def test_where_two_readings_stand_against_two_the_precise_one_is_taken() -> None:
    longer = f"{ARTICLE} {TEASERS[:500]}"
    ways = (reading("balanced", longer), reading("precise", ARTICLE), reading("generous", longer))
    assert chosen(*ways, reading("readability", ARTICLE))[0] == "precise"


@pytest.mark.parametrize("whole", ["generous", "readability", "structured"])
def test_a_reading_that_looks_cut_is_never_taken(whole: Way) -> None:
    start = ARTICLE[: len(ARTICLE) // 3]
    ways: tuple[Way, ...] = ("precise", "balanced", "generous", "readability")
    cut = [reading(way, start) for way in ways if way != whole]
    way, reason = chosen(*cut, reading(whole, ARTICLE))
    assert way == whole
    assert reason == "precise looks cut: it has 3.0 times the words and holds it"


def test_a_longer_text_of_another_article_takes_no_place() -> None:
    way, _ = chosen(
        reading("precise", ARTICLE[:600]), reading("balanced", ARTICLE[:600]), reading("generous", TEASERS * 2)
    )
    assert way == "precise"


def test_of_short_readings_the_longest_is_taken() -> None:
    way, reason = chosen(reading("precise", ""), reading("structured", "A short note, and no more."))
    assert (way, reason) == ("structured", "the longest of short readings")
    assert chosen(reading("precise", "")) == (None, "no reading has a text")


def test_a_language_without_spaces_is_compared_by_characters() -> None:
    text = "队列在数据库提交之后才通知下一个工作进程"
    assert Said(text).size == len(text)
    assert Said(text).holds(Said(text[:10])) == 1
    assert Said(text).agreement(Said("今天的天气很好我们去公园散步吧")) == 0


def test_the_choice_comes_with_the_text() -> None:
    item = read_page(page("The scheduler", paragraphs("the new scheduler")).encode(), URL)
    assert item.text_choice is not None
    assert "agree with it most (4 readings)" in item.text_choice


def test_the_pages_own_data_stand_in_where_its_markup_shows_the_beginning_alone() -> None:
    body = "\n".join(
        f"<p>Paragraph {n} has a sentence of its own, and it is about topic {n * 7}.</p>" for n in range(30)
    )
    whole = html_to_text(body)[0]
    data = json.dumps({"@type": "NewsArticle", "articleBody": whole})
    shown = "".join(body.splitlines()[:8])
    html = page("t", shown, f'<script type="application/ld+json">{data}</script>')
    item = read_page(html.encode(), URL)
    assert item.text_origin == "structured"
    assert item.text is not None
    assert "Paragraph 29 has" in item.text


def test_a_page_that_takes_long_is_read_in_one_way_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full_text, "_ENOUGH", -1.0)
    tree = parse_page(page("t", paragraphs("the queue")))
    assert [one.way for one in full_text.readings(tree, URL, "")] == ["balanced"]
    monkeypatch.setattr(full_text, "_ENOUGH", 60.0)
    ways = [one.way for one in full_text.readings(tree, URL, "")]
    assert ways == ["balanced", "precise", "generous", "readability"]


def test_html_that_is_all_content_becomes_markdown_with_nothing_left_out() -> None:
    tree = parse_page(
        "<html><body><div><h2>Head</h2><p>One\n line <b>bold</b>.</p><ul><li>First</li><li>Second</li></ul>"
        "<pre>x = 1\n  y = 2</pre>tail<script>no()</script><!-- no --></div></body></html>"
    )
    assert plain_text(tree) == "Head\n\nOne line bold.\n\nFirst\n\nSecond\n\nx = 1\n  y = 2\ntail"
    marked = plain_text(tree, marked=True)
    for part in ("## Head", "- First", "```\nx = 1\n  y = 2\n```", "tail"):
        assert part in marked
