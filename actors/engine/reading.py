"""Reads pages, feeds and lists of feeds by this process's readers: see ``readers.pool``.

Each function raises as the one of the same name that it has called there, and ``EngineError`` with ``unreadable``.
"""

from __future__ import annotations

import atexit
import os
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter

from actors.engine.article.language import LEAST, MOST
from actors.engine.contract import ContentItem, ContentSource, EngineError
from actors.engine.opml import Listed
from actors.engine.readers.pool import Readers
from actors.engine.text import clean

if TYPE_CHECKING:
    from datetime import datetime

T = TypeVar("T")

_readers = Readers()
atexit.register(_readers.close)
os.register_at_fork(after_in_child=_readers.forget)

_PAGE, _FEED = TypeAdapter(ContentItem), TypeAdapter(ContentSource)
_LINKS, _FRAGMENT = TypeAdapter(list[tuple[str, str]]), TypeAdapter(tuple[str, str])
_LIST, _CODE = TypeAdapter(list[Listed]), TypeAdapter[str | None](str | None)


def _read(form: TypeAdapter[T], operation: str, body: bytes, about: str, **given: Any) -> T:
    found = _readers.ask(operation, body, about=about, **given)
    try:
        return form.validate_json(found)
    except ValueError as error:
        raise EngineError("unreadable", f"{about} cannot be read: the reader's answer has another form") from error


def read_page(
    body: bytes, url: str, content_type: str = "", *, text: str | None = None, remove: str | None = None
) -> ContentItem:
    """As ``pages.read_page``."""
    return _read(_PAGE, "page", body, url, url=url, content_type=content_type, text=text, remove=remove)


def read_feed(body: bytes, url: str, *, content_type: str, max_entries: int, now: datetime) -> ContentSource:
    """As ``feeds.read_feed``."""
    given = {"content_type": content_type, "max_entries": max_entries, "now": now.isoformat()}
    return _read(_FEED, "feed", body, url, url=url, **given)


def selected_links(body: bytes, url: str, *, content_type: str, max_entries: int) -> ContentSource:
    """As ``discovery.selected.selected_links``."""
    return _read(_FEED, "selected", body, url, url=url, content_type=content_type, max_entries=max_entries)


def feed_links(body: bytes, url: str, content_type: str = "") -> list[tuple[str, str]]:
    """As ``discovery.links.feed_links``."""
    return _read(_LINKS, "links", body, url, url=url, content_type=content_type)


def read_message(body: bytes, name: str) -> ContentItem:
    """As ``mail.message.read_message``."""
    return _read(_PAGE, "message", body, name)


def html_to_text(fragment: str) -> tuple[str, str]:
    """As ``pages.html_to_text``; by a reader only if there is any markup."""
    if "<" not in fragment and "&" not in fragment:
        text = clean(fragment).strip()
        return text, text
    return _read(_FRAGMENT, "fragment", fragment.encode("utf-8", "replace"), "the feed's text")


def text_language(text: str) -> str | None:
    """As ``article.language.text_language``, whose model takes 75 MB."""
    return _read(_CODE, "language", text[:MOST].encode("utf-8", "replace"), "the text") if len(text) >= LEAST else None


def read_opml(data: bytes) -> list[Listed]:
    """As ``opml.read_opml``."""
    return _read(_LIST, "opml", data, "the list")
