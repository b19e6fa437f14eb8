"""Writes stories as feeds for feed readers: Atom (RFC 4287) and JSON Feed 1.1."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def atom(stories: Sequence[Mapping[str, Any]], *, title: str, url: str | None, now: datetime) -> str:
    """Return rows of ``news.stories`` as an Atom feed at ``url``, with their one-liners and why the stories matter."""
    feed = ET.Element("feed", {"xmlns": "http://www.w3.org/2005/Atom"})
    _put(feed, "id", url or "urn:zeke-news:stories")
    _put(feed, "title", title)
    _put(feed, "updated", max(map(_when, stories), default=_moment(now)))
    ET.SubElement(ET.SubElement(feed, "author"), "name").text = _fit(title)
    if url:
        ET.SubElement(feed, "link", rel="self", type="application/atom+xml", href=_fit(url))
    for story in stories:
        entry = ET.SubElement(feed, "entry")
        _put(entry, "id", f"urn:uuid:{story['id']}")
        _put(entry, "title", story["title"] or "(no title)")
        if story["url"]:
            ET.SubElement(entry, "link", rel="alternate", href=_fit(story["url"]))
        _put(entry, "updated", _when(story))
        _put(entry, "published", _when(story))
        if said := _said(story):
            _put(entry, "summary", said)
        if story["source"]:
            ET.SubElement(ET.SubElement(entry, "author"), "name").text = _fit(story["source"])
    ET.indent(feed)
    return ET.tostring(feed, encoding="unicode", xml_declaration=False) + "\n"


def json_feed(stories: Sequence[Mapping[str, Any]], *, title: str, url: str | None) -> str:
    """Return the stories as a JSON Feed. The arguments have the same meaning as for ``atom``."""
    items = [
        {
            "id": f"urn:uuid:{story['id']}",
            "url": story["url"] or None,
            "title": story["title"] or "(no title)",
            "content_text": _said(story) or story["title"] or "",
            "date_published": _when(story),
            "authors": [{"name": story["source"]}] if story["source"] else None,
        }
        for story in stories
    ]
    feed: dict[str, Any] = {"version": "https://jsonfeed.org/version/1.1", "title": title, "feed_url": url}
    feed["items"] = [_told(item) for item in items]
    return json.dumps(_told(feed), ensure_ascii=False, indent=2) + "\n"


def _told(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _said(story: Mapping[str, Any]) -> str:
    return "\n\n".join(part for part in (story["one_liner"], story["why_it_matters"]) if part)


def _when(story: Mapping[str, Any]) -> str:
    return _moment(story["published_at"] or story["created_at"])


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _put(parent: ET.Element, tag: str, text: str) -> None:
    ET.SubElement(parent, tag).text = _fit(text)


def _fit(text: str) -> str:
    """Return the text without the characters that XML forbids."""
    return _UNFIT.sub("", text)
