"""Turns a JSON Feed, version 1 or 1.1 (https://jsonfeed.org), into entries in the form of feedparser's."""

import html
import json
import re
from collections.abc import Iterable
from typing import Any

from actors.engine.contract import EngineError
from actors.engine.text import decode, text_at

_VERSION = re.compile(r"(https?://(?:www\.)?jsonfeed\.org/version/)?(\d[\d.]{0,8})/?", re.ASCII)
_MOST = 20  # authors, tags or attachments of an item


def is_json(body: bytes) -> bool:
    """Return whether the bytes begin like a JSON object."""
    return body[:64].removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


def parse(body: bytes, url: str) -> dict[str, Any]:
    """Return version, feed and entries in a mapping, as feedparser does. Raises EngineError (``not_a_feed``)."""
    try:
        data = json.loads(decode(body), strict=False)
    except (ValueError, RecursionError) as error:
        raise EngineError("not_a_feed", f"{url} is not a feed: its JSON cannot be read") from error
    version = _VERSION.fullmatch(text_at(data, "version"))
    # Other JSON may have a version and items too, so a feed whose version is only a number must also have a title.
    if version is None or not isinstance(data.get("items"), list) or not (version[1] or text_at(data, "title")):
        raise EngineError("not_a_feed", f"{url} is not a feed: it is JSON, but not a JSON Feed")
    feed = _plain(title=text_at(data, "title"), subtitle=text_at(data, "description"))
    feed |= {"link": text_at(data, "home_page_url"), "language": text_at(data, "language")}
    authors = _authors(data)
    entries = [_entry(item, authors) for item in data["items"] if isinstance(item, dict)]
    return {"version": f"json{version[2]}", "feed": feed, "entries": entries}


def _entry(item: dict[str, Any], authors: str) -> dict[str, Any]:
    links = [{"rel": "alternate", "href": text_at(item, "url")}, {"rel": "via", "href": text_at(item, "external_url")}]
    attachments = [part for part in _list(item, "attachments") if isinstance(part, dict)]
    enclosures = ((text_at(part, "url"), text_at(part, "mime_type")) for part in attachments)
    links += [{"rel": "enclosure", "href": address, "type": kind} for address, kind in enclosures]
    lengths: Iterable[Any] = (part.get("duration_in_seconds") for part in attachments)
    markup, text = text_at(item, "content_html"), text_at(item, "content_text")
    return {
        **_plain(title=text_at(item, "title"), summary=text_at(item, "summary")),
        "id": str(item["id"]) if _is_number(item.get("id")) else text_at(item, "id"),
        "content": [{"value": markup or html.escape(text, quote=False), "type": "text/html"}],
        "links": links,
        "published": text_at(item, "date_published"),
        "updated": text_at(item, "date_modified"),
        "author": _authors(item) or authors,
        "tags": [{"term": tag} for tag in _list(item, "tags") if isinstance(tag, str)],
        "itunes_duration": next((str(int(seconds)) for seconds in lengths if _is_number(seconds)), ""),
    }


def _plain(**texts: str) -> dict[str, Any]:
    """Return texts in the format in which feedparser returns plain text."""
    return texts | {f"{name}_detail": {"type": "text/plain"} for name in texts}


def _authors(data: dict[str, Any]) -> str:
    """Return the authors' names. JSON Feed 1.1 has a list of authors, and JSON Feed 1 has one author."""
    people = [*_list(data, "authors"), data.get("author")]
    return ", ".join(dict.fromkeys(name for one in people if isinstance(one, dict) and (name := text_at(one, "name"))))


def _list(data: dict[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    return value[:_MOST] if isinstance(value, list) else []


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15
