"""The operations of a reader. Importing this module loads all code that reads strangers' bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import feedparser.api  # noqa: F401 (imported once, before readers are forked)
import trafilatura  # noqa: F401 (the same)
from pydantic import validate_call
from pydantic_core import to_json
from trafilatura.external import jt_stoplist_init

from actors.engine.discovery.links import feed_links, selected_links
from actors.engine.feeds import read_feed
from actors.engine.mail.message import read_message
from actors.engine.opml import read_opml
from actors.engine.pages import html_to_text, read_page
from actors.engine.text import text_language


def _in_json(read: Callable[..., Any]) -> Callable[..., bytes]:
    checked = validate_call(read)  # of JSON's strings it makes times, of bytes texts
    return lambda body, **given: to_json(checked(body, **given), by_alias=False)


OPERATIONS = {
    read.__name__: _in_json(read)
    for read in (read_page, read_feed, feed_links, selected_links, html_to_text, text_language, read_message, read_opml)
}


def warm_up() -> None:
    """Read a little, so that the libraries load everything before readers are forked."""
    html_to_text("<p>A line.</p>")
    text_language("A few lines. " * 20)
    jt_stoplist_init()
