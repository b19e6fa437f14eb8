"""A page without a feed can be a source, and so can a mailbox."""

import re
from typing import Any

import pytest

from actors.engine import Settings
from actors.engine.contract import EngineError
from actors.engine.discovery.links import selected_links, with_selector
from tests.actors.engine.test_newsletters import SECRET, letter
from tests.actors.imap_server import ImapServer
from tests.actors.scripted_site import Answer, Asked, page, paragraphs
from tests.actors.sources.conftest import Pipeline

URL = "https://a.example/news/"


def links(markup: str, selector: str = "h2 a", most: int = 300) -> list[tuple[str, str]]:
    found = selected_links(markup.encode(), with_selector(URL, selector), max_entries=most)
    return [(item.url, item.title) for item in found.items or []]


@pytest.mark.parametrize(
    ("href", "url"),
    [
        ("one", "https://a.example/news/one"), ("/one", "https://a.example/one"), ("//b.example/x", "https://b.example/x"),
        ("?page=2#top", "https://a.example/news/?page=2"), ("javascript:alert(1)", None), ("mailto:a@b.example", None),
        ("data:text/html,x", None), ("#top", None), ("", None), ("./", None), ("http://[::1", None), ("ftp://a.example/x", None),
    ],
)  # fmt: skip
def test_only_addresses_of_other_pages_are_links(href: str, url: str | None) -> None:
    found = links(f'<h2><a href="{href}">A title</a></h2><h2><a href="/sure">Sure</a></h2>')
    assert found == [*([(url, "A title")] if url else []), ("https://a.example/sure", "Sure")]


def test_each_link_counts_once_in_the_pages_order_up_to_the_limit_and_without_one_the_selector_is_named() -> None:
    twice = '<h2><a href="/{0}?utm_source=x{0}">T{0}</a></h2><h2><a href="/{0}">again</a></h2>'
    many = "".join(map(twice.format, range(900)))
    assert links(many, most=5) == [(f"https://a.example/{n}?utm_source=x{n}", f"T{n}") for n in range(5)]
    assert len(links(many)) == 300
    around = '<base href="/base/"><a href="x"><h2>A  card</h2></a><div class=c><p>Lead</p><a href="y">more</a></div>'
    assert links(around, "h2, .c") == [("https://a.example/base/x", "A card"), ("https://a.example/base/y", "Leadmore")]
    for markup, count in (("<p>x</p>", "no"), ("<h2><a>x</a></h2>" * 3, "3"), ('<h2><a href="#x">x</a></h2>', "1")):
        with pytest.raises(EngineError, match=rf"'h2 a' finds {count} elements, and no link to a page") as caught:
            links(markup)
        assert caught.value.code == "not_a_feed"


def test_a_page_is_polled_like_a_feed_and_order_is_no_news(pipeline: Pipeline) -> None:
    order = [3, 2, 1]

    def index(asked: Asked) -> Answer:
        if asked.headers.get("if-none-match") == f'"{order}"':
            return Answer(status=304)
        entries = "".join(f'<h2><a href="/{n}">{n}: {len(pipeline.site.asked)} comments</a></h2>' for n in order)
        return Answer(page("The news", entries), headers={"ETag": f'"{order}"'})

    pipeline.site.pages["/news"] = index
    for n in range(1, 5):
        pipeline.serve(f"/{n}", Answer(page(f"Own title {n}", paragraphs(f"the queue of {n}"))))
    pipeline.settings["ingest-source"] = {"first_fetch": {"items": 2}}
    source = pipeline.add_source(with_selector(pipeline.at("/news"), "h2 a"), "page")

    def poll() -> Any:
        result = pipeline.poll(source)
        pipeline.drain()
        return {name: result.get(name) for name in ("outcome", "new", "edited", "backlog")}

    assert poll() == {"outcome": "read", "new": 2, "edited": 0, "backlog": 1}
    assert poll()["outcome"] == "not_modified"
    order[:] = [1, 3, 2]
    assert poll() == {"outcome": "read", "new": 0, "edited": 0, "backlog": 0}
    order[:] = [4, 1, 3, 2]
    assert poll() == {"outcome": "read", "new": 1, "edited": 0, "backlog": 0}
    assert pipeline.query("SELECT title FROM stories ORDER BY 1") == [(f"Own title {n}",) for n in (2, 3, 4)]
    assert pipeline.query("SELECT name FROM sources") == [("The news",)]
    order.clear()
    assert poll()["outcome"] == "not_a_feed"
    assert pipeline.query("SELECT status FROM source_health") == [("error",)]


def test_a_page_that_moved_keeps_its_selector(pipeline: Pipeline) -> None:
    pipeline.serve("/old", Answer(status=301, headers={"Location": "/new"}))
    pipeline.serve("/new", '<h2><a href="1">One</a></h2>')
    found = pipeline.engine.fetch_source(with_selector(pipeline.at("/old"), "h2 > a"))
    assert found.moved_to == with_selector(pipeline.at("/new"), "h2 > a")
    assert [item.url for item in found.items or []] == [pipeline.at("/1")]
    assert re.search("#select=h2%20%3E%20a$", found.moved_to)
    assert [one.url for one in pipeline.engine.discover(found.id).feeds] == [found.moved_to]


def test_each_message_is_one_story_of_its_web_view_or_text(pipeline: Pipeline) -> None:
    view = f"<a href='{pipeline.site.url}/%s'>View online</a>"
    pipeline.serve("/one", "the view")
    pipeline.serve("/wall", Answer(status=403))
    with ImapServer(password=SECRET) as imap:
        imap.folders["News"] = {
            1: letter(1, link=view % "one"),
            2: letter(2, body=paragraphs("the mail")),
            3: letter(3, link=view % "wall", body=paragraphs("what the wall hides")),
            4: letter(4, link=view % "expired", body=paragraphs("what is no longer on the web")),
        }
        mailbox = {"host": "127.0.0.1", "port": imap.port, "security": "none", "user": "ada", "password": SECRET}
        settings = {"allow_networks": ["127.0.0.0/8"], "mailboxes": {"mine": mailbox}}
        pipeline.engine = Settings.model_validate(settings).open()
        source = pipeline.add_source("imap://mine/News", "newsletter")
        assert pipeline.run("ingest-pull")["sources"] == 1
        pipeline.drain()
        imap.validity = 7
        assert pipeline.poll(source)["new"] == 0
        assert imap.fetched() == [1, 2, 3, 4] * 2
        polled = pipeline.query("SELECT interval_seconds FROM source_polling")
        del imap.folders["News"]
        assert pipeline.poll(source)["outcome"] == "not_found"
    told = """SELECT s.title, d.text_origin, d.author, c.language_code FROM stories s JOIN contents c ON c.id = s.content_id
      JOIN content_details d USING (content_id) ORDER BY 1"""
    assert pipeline.query(told) == [(f"Letter {n}", "page" if n == 1 else "feed", "Ada", "en") for n in range(1, 5)]
    assert pipeline.query("SELECT name FROM sources") == [("News",)]
    assert polled == [(3600,)], "not by the dates of the letters that are new"
    assert pipeline.query("SELECT status, message LIKE 'not_found:%%News%%' FROM source_health") == [("error", True)]
