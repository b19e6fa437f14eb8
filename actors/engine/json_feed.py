"""A JSON Feed, version 1 or 1.1 (https://jsonfeed.org), becomes entries like those of a feed in XML."""

from __future__ import annotations

import html
import json
from typing import Any

from actors.engine.contract import EngineError
from actors.engine.text import decode

_VERSION = "https://jsonfeed.org/version/"
_MOST = 20  # authors, tags or attachments of an item


def is_json(body: bytes) -> bool:
    """Whether the bytes begin like a JSON object."""
    return body[:64].removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


def parse(body: bytes, url: str) -> dict[str, Any]:
    """The feed in feedparser's terms: version, feed and entries.

    Raises:
        EngineError: ``not_a_feed``.
    """
    try:
        data = json.loads(decode(body), strict=False)
    except (ValueError, RecursionError) as error:
        raise EngineError("not_a_feed", f"{url} is no feed: its JSON cannot be read") from error
    version = _text(data, "version")
    if not version.startswith(_VERSION) or not isinstance(data.get("items"), list):
        raise EngineError("not_a_feed", f"{url} is no feed: it is JSON, but no JSON Feed")
    feed = {
        "title": _text(data, "title"),
        "title_detail": {"type": "text/plain"},
        "subtitle": _text(data, "description"),
        "subtitle_detail": {"type": "text/plain"},
        "link": _text(data, "home_page_url"),
        "language": _text(data, "language"),
    }
    authors = _authors(data)
    entries = [_entry(item, authors) for item in data["items"] if isinstance(item, dict)]
    return {"version": f"json{version.removeprefix(_VERSION)[:10]}", "feed": feed, "entries": entries}


def _entry(item: dict[str, Any], authors: str) -> dict[str, Any]:
    links = [{"rel": "alternate", "href": _text(item, "url")}, {"rel": "via", "href": _text(item, "external_url")}]
    attachments = [part for part in _list(item, "attachments") if isinstance(part, dict)]
    links += [
        {"rel": "enclosure", "href": _text(part, "url"), "type": _text(part, "mime_type")} for part in attachments
    ]
    markup, text = _text(item, "content_html"), _text(item, "content_text")
    seconds = next(
        (part["duration_in_seconds"] for part in attachments if _is_number(part.get("duration_in_seconds"))), None
    )
    return {
        "id": str(item["id"]) if _is_number(item.get("id")) else _text(item, "id"),
        "title": _text(item, "title"),
        "title_detail": {"type": "text/plain"},
        "summary": _text(item, "summary"),
        "summary_detail": {"type": "text/plain"},
        "content": [{"value": markup or html.escape(text, quote=False), "type": "text/html"}],
        "links": links,
        "published": _text(item, "date_published"),
        "updated": _text(item, "date_modified"),
        "author": _authors(item) or authors,
        "tags": [{"term": tag} for tag in _list(item, "tags") if isinstance(tag, str)],
        "itunes_duration": str(int(seconds)) if seconds is not None else "",
    }


def _authors(data: dict[str, Any]) -> str:
    """Version 1.1 has a list, version 1 one author."""
    people = [*_list(data, "authors"), data.get("author")]
    return ", ".join(dict.fromkeys(name for one in people if isinstance(one, dict) and (name := _text(one, "name"))))


def _list(data: dict[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    return value[:_MOST] if isinstance(value, list) else []


def _text(data: Any, key: str) -> str:
    value = data.get(key) if isinstance(data, dict) else None
    return value if isinstance(value, str) else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15
