"""Reads pages, feeds and lists of feeds in reader processes (see ``readers.pool``).

Each function runs its namesake in a reader. It raises the same errors, or ``EngineError`` if the reader fails.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from functools import cache
from inspect import signature
from typing import Any, Concatenate, ParamSpec, TypeVar, get_type_hints

from pydantic import TypeAdapter, validate_call
from pydantic_core import to_json, to_jsonable_python

from actors.engine import feeds, opml, pages, text as texts
from actors.engine.contract import EngineError
from actors.engine.discovery import links
from actors.engine.mail import message
from actors.engine.readers.pool import Readers
from actors.engine.text import LANGUAGE_LEAST, LANGUAGE_MOST, clean

P = ParamSpec("P")
T = TypeVar("T")

OPERATIONS: dict[str, Callable[..., bytes]] = {}  # operations by name

_readers = Readers(__name__)
close = _readers.close
"""Ends the reader processes; the next reading starts others."""
atexit.register(close)
os.register_at_fork(after_in_child=_readers.forget)


def _by_reader(read: Callable[Concatenate[Any, P], T]) -> Callable[Concatenate[bytes, P], T]:
    """Return a function that runs ``read`` in a reader process. It checks the answer: a page may control the reader."""
    form: TypeAdapter[T] = TypeAdapter(get_type_hints(read)["return"])
    _, *names = signature(read).parameters
    loose: Callable[..., Any] = read
    checked = cache(lambda: validate_call(loose))  # this converts JSON to times, and bytes to text
    OPERATIONS[read.__name__] = lambda body, **given: to_json(checked()(body, **given), by_alias=False)

    def ask(body: bytes, /, *given: P.args, **named: P.kwargs) -> T:
        arguments: dict[str, Any] = {**dict(zip(names, given, strict=False)), **named}
        about = arguments.get("url", "the text")
        found = _readers.ask(read.__name__, body, about=about, **to_jsonable_python(arguments))
        try:
            return form.validate_json(found)
        except ValueError as error:
            raise EngineError("unreadable", f"{about} cannot be read: the reader's answer has another form") from error

    return ask


read_page = _by_reader(pages.read_page)
read_feed = _by_reader(feeds.read_feed)
selected_links = _by_reader(links.selected_links)
feed_links = _by_reader(links.feed_links)
read_message = _by_reader(message.read_message)
read_opml = _by_reader(opml.read_opml)
_text_of_html = _by_reader(pages.html_to_text)
_language_of_text = _by_reader(texts.text_language)


def html_to_text(fragment: str) -> tuple[str, str]:
    """Do the same as ``pages.html_to_text``, in a reader process if the fragment has markup."""
    if "<" not in fragment and "&" not in fragment:
        text = clean(fragment).strip()
        return text, text
    return _text_of_html(fragment.encode("utf-8", "replace"))


def text_language(text: str) -> str | None:
    """Do the same as ``text.text_language``, but in a reader process, because the model takes 75 MB."""
    return _language_of_text(text[:LANGUAGE_MOST].encode("utf-8", "replace")) if len(text) >= LANGUAGE_LEAST else None


def warm_up() -> None:
    """Load all libraries before readers are forked, so that the readers share them."""
    import feedparser.api  # noqa: F401
    from trafilatura.external import jt_stoplist_init

    pages.html_to_text("<p>A line.</p>")
    texts.text_language("A few lines. " * 20)
    jt_stoplist_init()
