"""Titles, dates and authors taken from pages."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from actors.engine.article.titles import page_title
from actors.engine.pages import read_page
from tests.actors.scripted_site import paragraphs

if TYPE_CHECKING:
    from actors.engine.contract import ContentItem

URL = "https://www.daily-news.example/a-story"


def read(head: str = "", body: str = "", url: str = URL) -> ContentItem:
    html = f"<html><head>{head}</head><body><article>{body}{paragraphs('the queue')}</article></body></html>"
    return read_page(html.encode(), url)


def linked(**data: object) -> str:
    return f'<script type="application/ld+json">{json.dumps({"@type": "NewsArticle", **data})}</script>'


@pytest.mark.parametrize(
    ("declared", "headings", "site"),
    [
        ("A story of queues | Daily News", [], "Daily News"),
        ("Daily News: more » A story of queues", ["A story of queues"], "Daily News"),
        ("A story of queues - Daily News - daily-news.example", [], "Daily News"),
        ("A story of queues — DailyNews", [], ""),
        ("Queues, a story of", ["Daily News", "A story of queues"], "Daily News"),
        ("", ["A story of queues"], ""),
    ],
)
def test_a_title_comes_without_the_site(declared: str, headings: list[str], site: str) -> None:
    assert page_title([declared], headings, site, URL) == "A story of queues"


@pytest.mark.parametrize("declared", ["WordPress.com", "Daily News", "daily-news.example"])
def test_the_name_of_the_site_is_no_title_where_there_is_a_heading(declared: str) -> None:
    url = "https://daily-news.example/a" if "." not in declared else f"https://blog.{declared.lower()}/a"
    assert page_title([declared], [declared, "A story of queues"], "Daily News", url) == "A story of queues"
    assert page_title([declared], [], "Daily News", url) == declared


def test_a_heading_that_has_nothing_to_do_with_the_declared_title_is_none() -> None:
    assert page_title(["A story of queues"], ["Your cart is empty", "Blog"], "", URL) == "A story of queues"
    assert page_title(["Rust - a language"], [], "Daily News", URL) == "Rust - a language"


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (linked(datePublished="2026-11-01T10:00:00+02:00"), ""),
        ('<meta name="parsely-pub-date" content="2026-11-01T08:00:00Z">', ""),
        ('<meta name="w-published-date" content="2026-11-01T08:00:00Z">', ""),
        (
            '<meta property="article:modified_time" content="2026-12-01"><meta name="dc.date" content="2026-11-01T08:00Z">',
            "",
        ),
        ("", '<time itemprop="datePublished" datetime="2026-11-01T08:00:00Z">Sunday</time>'),
        ("", '<p>Updated <time>today</time></p><time class="published">1 November 2026, 8:00 am</time>'),
    ],
)
def test_a_date_is_read_wherever_the_page_says_it(head: str, body: str) -> None:
    assert read(head, body).published_at == datetime(2026, 11, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize("body", ["<span>1. November 2026</span>", "<p>Posted on: Nov 1, 2026</p>"])
def test_a_date_that_stands_alone_in_the_text_is_the_pages(body: str) -> None:
    assert read(body=body).published_at == datetime(2026, 11, 1, tzinfo=UTC)
    assert read(body=f"{body}<p>2 November 2026</p>").published_at is None


def test_a_date_that_something_casts_doubt_on_is_none() -> None:
    built = linked(datePublished="2026-06-17", dateModified="2026-06-17")
    assert read(built).published_at == datetime(2026, 6, 17, tzinfo=UTC)
    assert read(built + '<meta name="updated" content="2026-09-18">').published_at is None
    dated = linked(datePublished="2026-06-17")
    assert read(dated, url="https://daily-news.example/2025/03/a-story").published_at is None
    assert read(dated, url="https://daily-news.example/2026/06/a-story").published_at is not None
    assert (
        read(linked(datePublished="0001-01-01"), url="https://daily-news.example/2026/06/a-story").published_at is None
    )
    assert read(
        f"{linked(headline='Other', datePublished='2020-01-01')}{linked(headline='Queues', datePublished='2026-06-17')}"
        "<title>Queues</title>"
    ).published_at == datetime(2026, 6, 17, tzinfo=UTC)
    far = "<h1>Queues</h1>" + "<p>filler</p>" * 80 + "<p>2 November 2026</p>"
    assert read(body=far).published_at is None
    assert read(body=far + "<p>2 November 2026</p>").published_at is not None


def test_of_several_days_the_one_near_the_heading_is_the_pages() -> None:
    teasers = "<p>filler</p>" * 30 + "<p>2 November 2026</p><p>3 November 2026</p>"
    body = f"<h1>A heading</h1><p>1 November 2026</p>{teasers}"
    assert read(body=body).published_at == datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize("path", ["2026/11/01/story", "blog/2026-11-01-story", "blog/2026-11-01"])
def test_the_address_may_name_the_day(path: str) -> None:
    assert read(url=f"https://a.example/{path}").published_at == datetime(2026, 11, 1, tzinfo=UTC)


def test_dates_that_contradict_each_other_by_days_are_none() -> None:
    head = linked(datePublished="2020-01-01")
    assert read(head, '<time datetime="2026-11-01">1 November</time>').published_at is None
    assert read(head, "<h1>A heading</h1><p>1 November 2026</p>").published_at is None
    assert read(head, "<h1>A heading</h1><p>1 January 2020</p><p>1 November 2026</p>").published_at is not None


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (linked(author={"@type": "Person", "name": "Ada Lovelace"}), "Ada Lovelace"),
        (linked(author=[{"@type": "Organization", "name": "Acme"}, {"name": "Ada &amp; Bob"}]), "Ada & Bob"),
        ('<meta name="author" content="By Ada Lovelace">', "Ada Lovelace"),
        ('<meta property="article:author" content="https://social.example/ada">', None),
        ('<meta name="author" content="admin">', None),
        ('<meta name="author" content="page.head.author">', None),
    ],
)
def test_the_address_of_a_profile_and_a_name_of_a_program_are_no_author(head: str, name: str | None) -> None:
    assert named(read(head)) == name


def named(item: ContentItem) -> str | None:
    return item.author.name if item.author else None


@pytest.mark.parametrize(
    "byline",
    [
        "<p>By Ada Lovelace</p>",
        "<p>Written by Ada Lovelace, Senior Editor</p>",
        "<div>Von Ada Lovelace | 3. Mai 2026</div>",
        '<a href="/authors/ada">Ada Lovelace</a>',
        '<span class="byline-author">Ada Lovelace</span>',
        '<div class="meta"><span>by <b>Ada Lovelace</b></span><span>May 3, 2026</span></div>',
    ],
)
def test_a_byline_near_the_heading_names_the_author(byline: str) -> None:
    company = '<meta property="og:site_name" content="Acme"><meta name="author" content="Acme Staff">'
    assert named(read(company, f"<h1>A story</h1>{byline}")) == "Ada Lovelace"


def test_a_team_or_company_is_the_author_where_no_person_is_named() -> None:
    assert named(read('<meta name="author" content="Acme Staff">')) == "Acme Staff"
    assert named(read(linked(author={"@type": "Organization", "name": "Acme"}))) == "Acme"
    assert named(read(body="<h1>A story</h1><p>By clicking here you agree to more</p><p>Read by millions</p>")) is None
