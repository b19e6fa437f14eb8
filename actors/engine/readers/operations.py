"""The operations of a reader. Importing this module loads all code that reads strangers' bytes."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import feedparser.api  # noqa: F401 (imported once, before readers are forked)
import trafilatura  # noqa: F401 (the same)
from pydantic_core import to_json
from trafilatura.external import jt_stoplist_init

from actors.engine.article.language import text_language
from actors.engine.discovery.links import feed_links
from actors.engine.discovery.selected import selected_links
from actors.engine.feeds import read_feed
from actors.engine.mail.message import read_message
from actors.engine.opml import read_opml
from actors.engine.pages import html_to_text, read_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.engine.contract import ContentSource


def _feed(body: bytes, now: str, **given: Any) -> ContentSource:
    return read_feed(body, now=datetime.fromisoformat(now), **given)


def _fragment(body: bytes) -> tuple[str, str]:
    return html_to_text(body.decode())


def _language(body: bytes) -> str | None:
    return text_language(body.decode())


def _in_json(read: Callable[..., Any]) -> Callable[..., bytes]:
    return lambda body, **given: to_json(read(body, **given), by_alias=False)


OPERATIONS: dict[str, Callable[..., bytes]] = {
    "page": _in_json(read_page),
    "feed": _in_json(_feed),
    "links": _in_json(feed_links),
    "selected": _in_json(selected_links),
    "fragment": _in_json(_fragment),
    "language": _in_json(_language),
    "message": _in_json(read_message),
    "opml": _in_json(read_opml),
}


def warm_up() -> None:
    """Read a little, so that the libraries load everything before readers are forked."""
    html_to_text("<p>A line.</p>")
    text_language("A few lines. " * 20)
    jt_stoplist_init()
