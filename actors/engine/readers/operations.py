"""The operations of a reader. Importing this module loads all code that reads strangers' bytes."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

import feedparser.api  # noqa: F401 (imported once, before readers are forked)
import trafilatura  # noqa: F401 (the same)
from trafilatura.external import jt_stoplist_init

from actors.engine.article.language import text_language
from actors.engine.contract import EngineError
from actors.engine.discovery.links import feed_links
from actors.engine.feeds import read_feed
from actors.engine.opml import read_opml
from actors.engine.pages import html_to_text, read_page

if TYPE_CHECKING:
    from collections.abc import Callable


def _page(body: bytes, url: str, content_type: str) -> bytes:
    return read_page(body, url, content_type).model_dump_json(exclude_defaults=True).encode()


def _feed(body: bytes, url: str, content_type: str, max_entries: int, now: str) -> bytes:
    moment = datetime.fromisoformat(now)
    source = read_feed(body, url, content_type=content_type, max_entries=max_entries, now=moment)
    return source.model_dump_json(exclude_defaults=True).encode()


def _links(body: bytes, url: str, content_type: str) -> bytes:
    return json.dumps(feed_links(body, url, content_type)).encode()


def _fragment(body: bytes) -> bytes:
    return json.dumps(html_to_text(body.decode())).encode()


def _opml(body: bytes) -> bytes:
    try:
        return json.dumps(read_opml(body)).encode()
    except ValueError as error:
        raise EngineError("not_a_feed", str(error)) from error


OPERATIONS: dict[str, Callable[..., bytes]] = {
    "page": _page,
    "feed": _feed,
    "links": _links,
    "fragment": _fragment,
    "opml": _opml,
}


def warm_up() -> None:
    """Read a little, so that the libraries load everything before readers are forked."""
    html_to_text("<p>A line.</p>")
    text_language("A few lines. " * 20)
    jt_stoplist_init()
