"""The Engine finds the feed of any usual address, such as a home page. The pages are invented and served on loopback."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from actors.engine import Settings
from actors.engine.contract import ContentSource, EngineError
from actors.engine.discovery.addresses import of_known_site, typed
from actors.engine.fetch import Fetched, Fetcher
from actors.engine.local import LocalEngine
from tests.actors.engine.conftest import failure
from tests.actors.scripted_site import Answer, Site, atom, channel, page, rss
from tests.each import cases

CHANNEL = "UC" + "a1-_" * 5 + "zz"
ATOM = "application/atom+xml"
RSS = "application/rss+xml; charset=utf-8"


class ByName(Fetcher):
    """The fetcher asks the scripted site instead of any host: ``https://host/path`` becomes its page ``/host/path``."""

    site: Site

    def get(self, url: str, *arguments: Any, **named: Any) -> Fetched:
        parts = urlsplit(url)
        query = f"?{parts.query}" if parts.query else ""
        answer = super().get(f"{self.site.url}/{parts.netloc}{parts.path}{query}", *arguments, **named)
        real = answer.url.removeprefix(f"{self.site.url}/")
        return replace(answer, url=f"https://{real}", moved_to=f"https://{real}" if answer.moved_to else None)


@pytest.fixture
def find(site: Site) -> Callable[..., list[ContentSource]]:
    """Discover feeds among the given pages."""
    engine = LocalEngine(Settings.model_validate({"allow_networks": ["127.0.0.0/8"], "feed_timeout": "5s"}))
    fetcher = ByName(engine._fetcher.user_agent, engine._fetcher.allowed)
    fetcher.site = site
    engine._fetcher = fetcher

    def discover(text: str, pages: dict[str, str | Answer]) -> list[ContentSource]:
        site.pages = {
            f"/{address.removeprefix('https://')}": one if isinstance(one, Answer) else Answer(one, content_type=RSS)
            for address, one in pages.items()
        }
        return engine.discover(text).feeds

    return discover


def feed(title: str, *entries: str) -> str:
    return rss(*((entry, entry, f"https://a.example/{entry}") for entry in entries)).replace("A feed", title)


def by_atom(title: str, *entries: str) -> str:
    known = '<id>{0}</id><title>{0}</title><link href="https://a.example/{0}"/><updated>2026-11-20T10:00:00Z</updated>'
    return atom(*map(known.format, entries), title=title)


def link(href: str, title: str = "", kind: str = "application/rss+xml") -> str:
    return f'<link rel="alternate" type="{kind}" title="{title}" href="{href}">'


OTHERS = (
    '<link rel="alternate" type="application/json+oembed" href="/wp-json/oembed"><link rel="stylesheet" href="/s.css">'
)
COMMENTS = link("/comments/feed/", "A weblog &raquo; Comments Feed")
BLOG = page("A weblog", "<p>Hello</p>", link("/feed/", "A weblog &raquo; Feed") + COMMENTS + OTHERS)
PROFILE = page("Ada (@ada)", "<noscript>JavaScript</noscript>", link("https://social.example/@ada.rss", "Ada"))
APPLE = json.dumps({"resultCount": 1, "results": [{"kind": "podcast", "feedUrl": "https://cast.example/rss"}]})
AUDIO = '<enclosure url="https://cast.example/1.mp3" type="audio/mpeg" length="9"/>'
PODCAST = rss(("1", "First", "https://cast.example/1"), ("2", "Second", "https://cast.example/2"), extra=AUDIO)
YOUTUBE, APPLES = "www.youtube.com", "itunes.apple.com/lookup?entity=podcast&id=1234567"
CANONICAL = f'<html><link rel="canonical" href="https://{YOUTUBE}/channel/{CHANNEL}"></html>'
TWO_FORMS = page("T", "x", link("feed.atom", kind=ATOM) + link("feed.rss"))
LINKED = page("T", '<a href="rss.html">about</a><a href="/releases.rss">RSS</a>')
OF_ADA = {"social.example/@ada.rss": feed("Ada", "1")}

#: Each entry has the typed text, the address of the feed, and the pages; a page given as text has the content type of a
#: feed.
KINDS: dict[str, tuple[str, str, dict[str, str | Answer]]] = {
    "a feed": ("https://a.example/f", "a.example/f", {"a.example/f": Answer(feed("F", "1"))}),
    "a feed that is called a page": ("a.example/f", "a.example/f", {"a.example/f": Answer(by_atom("F", "1"))}),
    "a feed that moved": (
        "https://a.example/old", "a.example/new",
        {"a.example/old": Answer(status=301, headers={"Location": "/a.example/new"}), "a.example/new": feed("F", "1")},
    ),
    "a weblog": (
        "https://a.example/", "a.example/feed/",
        {"a.example/": Answer(BLOG), "a.example/feed/": feed("A weblog", "1", "2"), "a.example/comments/feed/": feed("Comments", "c")},
    ),
    "one feed in two forms": (
        "a.example", "a.example/feed.atom",
        {"a.example": Answer(TWO_FORMS), "a.example/": Answer(TWO_FORMS), "a.example/feed.rss": feed("T", "1", "2"),
         "a.example/feed.atom": Answer(by_atom("T", "1", "2"), content_type=ATOM)},
    ),
    "a page that names no feed": (
        "https://a.example/blog", "a.example/blog/rss",
        {"a.example/blog": Answer(page("T", "x")), "a.example/blog/rss": by_atom("T", "1"), "a.example/feed": feed("Other", "2")},
    ),
    "a page with a link to its feed": (
        "https://a.example/news/", "a.example/releases.rss",
        {"a.example/news/": Answer(LINKED), "a.example/releases.rss": feed("T", "1")},
    ),
    "a handle of YouTube": (
        "@ada", f"{YOUTUBE}/feeds/videos.xml?channel_id={CHANNEL}",
        {f"{YOUTUBE}/@ada": Answer(CANONICAL),
         f"{YOUTUBE}/feeds/videos.xml?channel_id={CHANNEL}": Answer(channel(title="Ada"), content_type="text/xml")},
    ),
    "a profile of Mastodon": (
        "https://social.example/@ada", "social.example/@ada.rss", {"social.example/@ada": Answer(PROFILE), **OF_ADA},
    ),
    "a profile that names no feed": (
        "@ada@social.example", "social.example/@ada.rss", {"social.example/@ada": Answer(page("Ada", "x")), **OF_ADA},
    ),
    "a repository elsewhere": (
        "https://gitlab.com/group/sub/engine/-/releases", "gitlab.com/group/sub/engine/-/tags?format=atom",
        {"gitlab.com/group/sub/engine/-/tags?format=atom": by_atom("Tags", "v1")},
    ),
    "a podcast's page": (
        "https://cast.example/show", "cast.example/rss",
        {"cast.example/show": Answer(page("Cast", "x", link("/rss"))), "cast.example/rss": PODCAST},
    ),
    "a podcast in a directory": (
        "https://podcasts.apple.com/us/podcast/cast/id1234567", "cast.example/rss",
        {APPLES: Answer(APPLE, content_type="text/javascript"), "cast.example/rss": PODCAST},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_the_feed_behind_an_address_is_found_and_read(kind: str, find: Callable[..., list[ContentSource]]) -> None:
    text, url, pages = KINDS[kind]
    (found,) = find(text, pages)
    kinds = {"a handle of YouTube": "youtube", "a podcast's page": "podcast", "a podcast in a directory": "podcast"}
    assert (found.url, found.source_type) == (f"https://{url}", kinds.get(kind, "rss"))
    assert found.items
    assert found.name


@cases(
    "text pages code words",
    ("https://a.example/", {"https://a.example/": Answer(page("T", "x"))}, "not_a_feed", "names no feed, and no feed was found at"),
    ("https://a.example/", {}, "not_found", "answers 404"),
    ("https://a.example/", {"https://a.example/": Answer(status=403)}, "forbidden", "answers 403"),
    ("https://a.example/", {"https://a.example/": Answer("%PDF", content_type="image/png")}, "unsupported_type", "image/png"),
    ("https://github.com/a/b", {"https://github.com/a/b/releases.atom": Answer(status=429)}, "rate_limited", "429"),
    ("https://a.example/", {"https://a.example/": Answer(page("T", "x", link("/f"))), "https://a.example/f": Answer(status=503)}, "rate_limited", "503"),
    ("https://a.example/", {"https://a.example/": Answer(page("T", "x")), "https://a.example/feed": Answer(status=503)}, "not_a_feed", "names no feed"),
    ("https://a.example/f", {"https://a.example/f": Answer(status=410)}, "gone", "410"),
    ("https://www.youtube.com/watch?v=abcdefghijk", {}, "not_a_feed", "expected a channel"),
    ("ftp://a.example/", {}, "invalid_url", "expected an http or https address"),
    ("https://podcasts.apple.com/us/podcast/id1234567", {"https://itunes.apple.com/lookup?entity=podcast&id=1234567": Answer('{"results": []}', content_type="text/javascript")}, "not_a_feed", "names no feed"),
    ("https://podcasts.apple.com/us/podcast/id1234567", {"https://itunes.apple.com/lookup?entity=podcast&id=1234567": Answer('{"results": [{"feedUrl": "imap://mine/INBOX"}]}', content_type="text/javascript")}, "invalid_url", "expected an http or https address"),
)  # fmt: skip
def test_an_address_without_feed_says_why(
    find: Callable[..., list[ContentSource]], site: Site, text: str, pages: dict[str, Answer], code: str, words: str
) -> None:
    error = failure(find, text, pages)
    assert error.code == code
    assert words in str(error)
    if "https://a.example/feed" in pages:
        assert [asked.path for asked in site.asked] == ["/a.example/", "/a.example/feed"], "it is not asked on"


def test_an_address_without_a_scheme_is_tried_by_http_where_https_fails(site: Site) -> None:
    engine = LocalEngine(Settings.model_validate({"allow_networks": ["127.0.0.0/8"], "feed_timeout": "5s"}))
    site.pages["/f.xml"] = Answer(feed("Plain", "1"), content_type=RSS)
    bare = site.url.removeprefix("http://")
    (found,) = engine.discover(f"{bare}/f.xml").feeds
    assert (found.name, found.url) == ("Plain", f"{site.url}/f.xml")
    with pytest.raises(EngineError, match=rf"^https://{bare}/none: .*; then http://{bare}/none answers 404") as caught:
        engine.discover(f"{bare}/none")
    assert caught.value.code == "not_found"
    with pytest.raises(EngineError, match=r"^https://(?!.*; then)"):  # An explicit https is never replaced by http.
        engine.discover(f"https://{bare}/f.xml")


@cases(
    "text address",
    (" example.org/blog ", "https://example.org/blog"), ("feed://example.org/rss", "https://example.org/rss"),
    ("feed:http://example.org/rss", "http://example.org/rss"), ("localhost:8000/x", "https://localhost:8000/x"),
    (CHANNEL, f"https://www.youtube.com/channel/{CHANNEL}"), ("@name", "https://www.youtube.com/@name"),
    ("ada@social.example", "https://social.example/@ada"), ("/r/python/", "https://www.reddit.com/r/python/"),
    ("no address", "no address"),
)  # fmt: skip
def test_what_people_type_is_an_address(text: str, address: str) -> None:
    assert typed(text) == address


@cases(
    "url addresses",
    ("https://github.com/a/b.git", ["https://github.com/a/b/releases.atom"]),
    ("https://github.com/a/b/tags", ["https://github.com/a/b/tags.atom"]),
    ("https://github.com/a/b/commits/main", ["https://github.com/a/b/commits/main.atom"]),
    ("https://github.com/a", ["https://github.com/a.atom"]),
    ("https://github.com/a/b/releases.atom", []),
    ("https://github.com/topics/python", []),
    ("https://gitlab.com/a/b/-/tags?format=atom", []),
    ("https://www.reddit.com/r/python/", ["https://www.reddit.com/r/python/.rss"]),
    ("https://www.reddit.com/r/python/.rss", []),
    ("https://codeberg.org/a/b", ["https://codeberg.org/a/b/releases.rss"]),
    ("https://old.reddit.com/u/ada", ["https://www.reddit.com/user/ada/.rss"]),
    ("https://bsky.app/profile/ada.example", ["https://bsky.app/profile/ada.example/rss"]),
    ("https://medium.com/@ada", ["https://medium.com/feed/@ada"]),
    ("https://a.example/", []),
    ("http://[", []),
)
def test_a_known_sites_feeds_are_known(url: str, addresses: list[str]) -> None:
    assert of_known_site(url) == addresses
