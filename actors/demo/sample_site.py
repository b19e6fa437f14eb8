"""The pages and feeds of the bundled sample site, rendered for one address and one moment."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

_FOLDER = files("actors.demo") / "site"
_FEED_TYPES = {"rss": "application/rss+xml", "atom": "application/atom+xml"}
_RELATED = 4  # links below each article


@dataclass(frozen=True)
class Publication:
    """One of the two invented publications. ``format`` is that of its feed: rss or atom."""

    slug: str
    name: str
    tagline: str
    format: str
    template: str

    @property
    def home(self) -> str:
        """Path of its front page."""
        return f"/{self.slug}/"

    @property
    def feed(self) -> str:
        """Path of its feed."""
        return f"/{self.slug}/{'feed.xml' if self.format == 'rss' else 'atom.xml'}"


@dataclass(frozen=True)
class Entry:
    """One entry of a feed. ``age`` is in hours; the page of a ``missing`` one answers 404."""

    publication: Publication
    slug: str
    title: str
    author: str
    topic: str
    age: int
    summary: str
    missing: bool = False

    @property
    def path(self) -> str:
        """Path of its page."""
        return f"/{self.publication.slug}/{self.slug}"


@dataclass(frozen=True)
class Page:
    """The server's answer for one path."""

    body: bytes
    content_type: str


def entries() -> list[Entry]:
    """All entries of both feeds, in the order of the catalogue."""
    catalogue = tomllib.loads(_read("catalogue.toml"))
    publications = {row["slug"]: Publication(**row) for row in catalogue["publication"]}
    return [Entry(**{**row, "publication": publications[row["publication"]]}) for row in catalogue["entry"]]


def render(base_url: str, now: datetime) -> dict[str, Page]:
    """Every page of the site by its path.

    Args:
        base_url: ``http://host:port``, without a slash at its end.
        now: The moment from which the entries' ages count back. The pages depend on nothing else.
    """
    pages: dict[str, Page] = {}
    everything = entries()
    for publication in dict.fromkeys(entry.publication for entry in everything):
        own = sorted((e for e in everything if e.publication == publication), key=lambda e: e.age)
        pages |= _publication(publication, own, base_url, now)
    return pages


def _publication(publication: Publication, own: list[Entry], base_url: str, now: datetime) -> dict[str, Page]:
    feed_type = _FEED_TYPES[publication.format]
    site = {
        **_texts(publication=publication.name, tagline=publication.tagline),
        **_moments("updated", now, own[0].age),
        "home": base_url + publication.home,
        "feed": base_url + publication.feed,
        "feed_type": feed_type,
    }
    pages, items = {}, []
    for entry in own:
        told = {
            **site,
            **_texts(title=entry.title, author=entry.author, topic=entry.topic, summary=entry.summary),
            **_moments("published", now, entry.age),
            "url": base_url + entry.path,
            "id": f"urn:sample:{publication.slug}:{entry.slug}",
            "date": f"{now - timedelta(hours=entry.age):%d %B %Y}",
        }
        items.append(_fill(f"{publication.format}_entry.xml", told).strip())
        if not entry.missing:
            told["body"] = _read(f"articles/{entry.slug}.html").strip()
            others = [other for other in own if other is not entry][:_RELATED]
            told["related"] = "\n".join(f'<li><a href="{e.path}">{escape(e.title)}</a></li>' for e in others)
            pages[entry.path] = Page(_fill(publication.template, told).encode(), "text/html; charset=utf-8")
    feed = _fill(f"{publication.format}.xml", {**site, "entries": "\n".join(items)})
    pages[publication.feed] = Page(feed.encode(), f"{feed_type}; charset=utf-8")
    return pages


def _texts(**texts: str) -> dict[str, str]:
    """Each text for HTML and, under ``name_json``, for a script."""
    return {name: escape(text) for name, text in texts.items()} | {f"{n}_json": json.dumps(t) for n, t in texts.items()}


def _moments(name: str, now: datetime, age: int) -> dict[str, str]:
    moment = now - timedelta(hours=age)
    return {name: moment.isoformat(timespec="seconds"), f"{name}_rfc822": format_datetime(moment, usegmt=True)}


def _fill(template: str, values: dict[str, str]) -> str:
    return Template(_read(template)).substitute(values)


def _read(name: str) -> str:
    return _FOLDER.joinpath(name).read_text(encoding="utf-8")
