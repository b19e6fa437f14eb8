"""Reads pages, feeds and lists of feeds by this process's readers: see ``readers.pool``."""

from __future__ import annotations

import atexit
import json
import os
from typing import TYPE_CHECKING, TypeVar

from actors.engine.contract import ContentItem, ContentSource, ContractModel, EngineError
from actors.engine.opml import Listed
from actors.engine.readers.pool import Readers
from actors.engine.text import clean

if TYPE_CHECKING:
    from datetime import datetime

M = TypeVar("M", bound=ContractModel)

_readers = Readers()
atexit.register(_readers.close)
os.register_at_fork(after_in_child=_readers.forget)


def read_page(body: bytes, url: str, content_type: str = "") -> ContentItem:
    """As ``pages.read_page``, by a reader.

    Raises:
        EngineError: as there; ``unreadable``.
    """
    return _read(ContentItem, url, _readers.ask("page", body, about=url, url=url, content_type=content_type))


def read_feed(body: bytes, url: str, *, content_type: str, max_entries: int, now: datetime) -> ContentSource:
    """As ``feeds.read_feed``, by a reader.

    Raises:
        EngineError: as there; ``unreadable``.
    """
    found = _readers.ask(
        "feed", body, about=url, url=url, content_type=content_type, max_entries=max_entries, now=now.isoformat()
    )
    return _read(ContentSource, url, found)


def feed_links(body: bytes, url: str, content_type: str = "") -> list[tuple[str, str]]:
    """As ``discovery.links.feed_links``, by a reader.

    Raises:
        EngineError: as there; ``unreadable``.
    """
    found = json.loads(_readers.ask("links", body, about=url, url=url, content_type=content_type))
    return [(title, address) for title, address in found]


def _read(model: type[M], url: str, found: bytes) -> M:
    try:
        return model.model_validate_json(found)
    except ValueError as error:
        raise EngineError("unreadable", f"{url} cannot be read: the reader's answer is no {model.__name__}") from error


def html_to_text(fragment: str) -> tuple[str, str]:
    """As ``pages.html_to_text``, by a reader if there is any markup.

    Raises:
        EngineError: ``unreadable``.
    """
    if "<" not in fragment and "&" not in fragment:
        text = clean(fragment).strip()
        return text, text
    text, markdown = json.loads(_readers.ask("fragment", fragment.encode("utf-8", "replace"), about="the feed's text"))
    return text, markdown


def read_opml(data: bytes) -> list[Listed]:
    """As ``opml.read_opml``, by a reader.

    Raises:
        ValueError: as there, or the list cannot be read.
    """
    try:
        found = json.loads(_readers.ask("opml", data, about="the list"))
    except EngineError as error:
        raise ValueError(str(error)) from error
    return [Listed(name, address, tuple(folder)) for name, address, folder in found]
