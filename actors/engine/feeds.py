"""Turns RSS 0.9 to 2.0, Atom, JSON Feed, and the feeds of podcasts and YouTube into a source with its items."""

from __future__ import annotations

import hashlib
import html
import io
import re
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from xml.sax import SAXException

from actors.engine import contract, json_feed
from actors.engine.article.transcript import CAPTIONS
from actors.engine.canonical import LONGEST_ADDRESS, is_web, joined
from actors.engine.contract import LONGEST_FRAGMENT, Author, ContentItem, ContentSource, EngineError, short_identity
from actors.engine.dates import read_date
from actors.engine.decode import unpacked
from actors.engine.text import clean, of_the_web, one_line
from actors.engine.youtube import is_youtube

_RSS_1_1, _RSS_1_0 = b"http://purl.org/net/rss1.1#", b"http://purl.org/rss/1.0/"  # feedparser knows only RSS 1.0
_AUDIO = re.compile(r"\.(?:mp3|m4a|m4b|aac|ogg|oga|opus|flac|wav)$", re.IGNORECASE)
_REFERENCE = re.compile(rb"&#(?:[xX]([0-9A-Fa-f]+)|([0-9]+));")
_TAG = re.compile(r"<[/!?]?[A-Za-z][^<>]*>|<!--[^<>]*-->")
# RSS does not say whether a text is HTML. Only the name of an HTML element makes a tag, so Vec<T> is text.
_TAG_OF_HTML = re.compile(
    r"</?(?:a|abbr|b|big|blockquote|br|center|cite|code|del|div|em|font|h[1-6]|i|img|ins|kbd|li|mark|nobr|ol|p|pre|q|s|samp|"
    r"small|span|strike|strong|sub|sup|time|tt|u|ul|var|wbr)(?:\s[^<>]*|/)?>|<!--[^<>]*-->",
    re.IGNORECASE,
)
_PERIODS = {"hourly": 60, "daily": 1440, "weekly": 10080, "monthly": 43200, "yearly": 525600}


def read_feed(
    body: bytes, url: str, *, content_type: str = "", max_entries: int = 300, now: datetime | None = None
) -> ContentSource:
    """Read any feed, even a malformed one. Raises EngineError (``not_a_feed``, or ``too_large`` after decompression).

    Every item has an id that stays the same each time the feed is read: its guid, its link, the address of its
    recording, or its title and date. A value that is empty or repeated within the feed is not used as an id. A time of
    publication in the future becomes ``now``, but ``metadata.updated`` stays unchanged.
    """
    now = now or datetime.now(UTC)
    body = unpacked(body)
    parsed = json_feed.parse(body, url) if json_feed.is_json(body) else _parse_xml(body, url, content_type)
    feed: dict[str, Any] = parsed.get("feed", {})
    version = str(parsed.get("version") or "")
    typed = version.startswith(("atom", "json"))
    entries: Sequence[dict[str, Any]] = parsed.get("entries", [])[:max_entries]
    if not version and not entries:
        reason = one_line(str(parsed.get("bozo_exception", "no entries")), 200)
        raise EngineError("not_a_feed", f"{url} is not a feed: {reason}")
    items = _identified([_item(entry, url, now, typed=typed) for entry in entries])
    about = {"link": _value(feed, "link")[:LONGEST_ADDRESS], "language": _value(feed, "language")[:100]}
    podcast = sum(item.content_type == "audio" for item in items) * 2 > len(items)
    return ContentSource(
        id=url,
        name=one_line(_title(feed, "title", typed=typed)),
        description=one_line(_title(feed, "subtitle", typed=typed), 2000),
        url=url,
        source_type="youtube" if is_youtube(url) else "podcast" if podcast else "rss",
        metadata={**about, "format": version, "ttlMinutes": _ttl(feed)},
        last_checked=now,
        items=items,
    )


def _parse_xml(body: bytes, url: str, content_type: str) -> dict[str, Any]:
    from feedparser.api import parse

    # Do not pass the feed's address: it would make guids absolute, but a guid must stay the same when the feed moves.
    headers = {"content-type": of_the_web(content_type)} if content_type else {}
    # Pass a file, because feedparser may mistake bytes for an address, and send a request to this address.
    file = io.BytesIO(_REFERENCE.sub(_character, body.replace(_RSS_1_1, _RSS_1_0)))
    try:
        parsed: dict[str, Any] = parse(file, response_headers=headers, sanitize_html=False, resolve_relative_uris=False)  # type: ignore[no-untyped-call]
    except Exception as error:  # any type, because feedparser was not written for hostile bytes
        reason = one_line(f"{type(error).__name__}: {error}", 200)
        raise EngineError("not_a_feed", f"{url} cannot be read as a feed: {reason}") from error
    if isinstance(parsed.get("bozo_exception"), SAXException):
        # The parser for broken XML leaves ``&amp;`` in short texts. Replace it, as ids must not depend on the parser.
        for part in (part for entry in parsed["entries"] for part in (entry, *(dict.get(entry, "tags") or []))):
            told = {key: dict.get(part, key) for key in ("id", "author", "term")}
            part.update({key: text.replace("&amp;", "&") for key, text in told.items() if isinstance(text, str)})
    return parsed


def _character(reference: re.Match[bytes]) -> bytes:
    """Return a character reference, or nothing if XML forbids the character, so that the parser accepts the feed."""
    digits = (reference[1] or reference[2]).lstrip(b"0") or b"0"
    number = int(digits, 16 if reference[1] else 10) if len(digits) < 8 else sys.maxunicode + 1
    return reference[0] if number <= sys.maxunicode and clean(chr(number)) else b""


def _item(entry: dict[str, Any], feed_url: str, now: datetime, *, typed: bool) -> ContentItem:
    link = _link(entry, feed_url)
    audio, duration = _audio(entry)
    video = _value(entry, "yt_videoid")[:100]
    contents = (_fragment(part, "value", typed=typed) for part in dict.get(entry, "content") or [])
    updated = _moment(_value(entry, "updated"))
    published = _moment(_value(entry, "published")) or updated
    metadata = {
        "content": max(contents, key=len, default="")[:LONGEST_FRAGMENT],
        "updated": updated.isoformat() if updated else None,
        "enclosure": audio,
        "videoId": video,
        "transcript": _transcript(entry, feed_url),
        "tags": [one_line(_value(tag, "term"), 100) for tag in (dict.get(entry, "tags") or [])[:20]],
    }
    return ContentItem(
        id=_value(entry, "id").strip(),
        title=one_line(_title(entry, "title", typed=typed)),
        description=_fragment(entry, "summary", typed=typed)[:LONGEST_FRAGMENT].strip(),
        url=link,
        source_type="youtube" if video else "podcast" if audio else "rss",
        content_type="video" if video else "audio" if audio else "article",
        published_at=min(published, now) if published else None,
        duration=duration,
        metadata={key: value for key, value in metadata.items() if value},
        author=Author.named(_value(entry, "author")),
    )


def _link(entry: dict[str, Any], feed_url: str) -> str:
    """Return an entry's link. Atom may have several; RSS 1.0 has the link in ``about``, and some feeds in the guid."""
    links = [part for part in dict.get(entry, "links") or [] if _value(part, "href")]
    pages = [part for part in links if _value(part, "rel") in {"alternate", ""}]
    pages.sort(key=lambda part: "html" not in _value(part, "type"))
    candidates = [
        *(_value(part, "href") for part in pages),
        _value(entry, "link"),
        one if is_web(one := _value(entry, "id")) else "",
        *(_value(part, "href") for part in links if _value(part, "rel") in {"via", "related"}),
    ]
    return next((found for one in candidates if (found := joined(feed_url, one, with_fragment=True))), "")


def _identified(items: list[ContentItem]) -> list[ContentItem]:
    """Give each item a unique id. A value that several items have is not used as an id, and equal items become one."""
    names = [(item.id, item.url, item.metadata.get("enclosure", "")) for item in items]
    counts = [Counter(kind) for kind in zip(*names, strict=True)]
    found: dict[str, ContentItem] = {}
    for item, own in zip(items, names, strict=True):
        single = (name for name, count in zip(own, counts, strict=True) if name and count[name] == 1)
        date = item.published_at.isoformat() if item.published_at else ""
        parts = (item.url, item.title, date if item.title or date else item.description)
        hashed = "sha256:" + hashlib.sha256("\n".join(parts).encode()).hexdigest()
        identity = short_identity(next(single, "") or hashed)
        found.setdefault(identity, item.model_copy(update={"id": identity}))
    return list(found.values())


def _moment(text: str) -> datetime | None:
    moment = read_date(text)
    return moment if moment and moment >= contract.EARLIEST else None


def _audio(entry: dict[str, Any]) -> tuple[str, float | None]:
    for part in dict.get(entry, "links") or []:
        address, kind = _value(part, "href"), _value(part, "type").partition("/")[0].strip().lower()
        # The media type says whether the file is audio. Without a specific type, the file extension decides.
        is_audio = kind == "audio" or (kind in {"", "application"} and _AUDIO.search(urlsplit(address).path))
        if _value(part, "rel") == "enclosure" and is_web(address) and is_audio:
            return address, _seconds(_value(entry, "itunes_duration"))
    return "", None


def _transcript(entry: dict[str, Any], feed_url: str) -> str:
    """Return the address of a transcript, from the podcast namespace, Media RSS or a link to captions."""
    named = [(dict.get(entry, "podcast_transcript"), "url"), (dict.get(entry, "media_subtitle"), "href")]
    named += [(part, "href") for part in dict.get(entry, "links") or [] if _value(part, "type") in CAPTIONS]
    found = (joined(feed_url, _value(part, at), with_fragment=True) for part, at in named if isinstance(part, dict))
    return next(filter(None, found), "")


def _seconds(text: str) -> float | None:
    """Return the number of seconds in a duration such as ``1:02:03``, ``62:03`` or ``3723``."""
    parts = text.strip().split(":")
    if not 1 <= len(parts) <= 3 or not all(re.fullmatch(r"\d{1,6}", part, re.ASCII) for part in parts):
        return None
    return float(sum(int(part) * 60**power for power, part in enumerate(reversed(parts))))


def _ttl(feed: dict[str, Any]) -> int | None:
    """Return the feed's ``ttl`` in minutes, or else the update period of RSS's syndication module (``sy:``)."""
    text = _value(feed, "ttl").strip()
    if re.fullmatch(r"\d{1,6}", text, re.ASCII):
        return int(text)
    period = _PERIODS.get(_value(feed, "sy_updateperiod").strip().lower())
    frequency = _value(feed, "sy_updatefrequency").strip()
    times = int(frequency) if re.fullmatch(r"[1-9]\d{0,3}", frequency, re.ASCII) else 1
    return period // times if period else None


def _title(entry: dict[str, Any], key: str, *, typed: bool) -> str:
    """Return the title without markup. If ``typed``, the format (Atom, JSON Feed) declares which texts are HTML."""
    line = _value(entry, key)[:20_000]
    if typed and _is_plain(entry, key):
        return line
    return clean(html.unescape((_TAG if typed else _TAG_OF_HTML).sub("", line)))


def _fragment(entry: dict[str, Any], key: str, *, typed: bool) -> str:
    """Return one of an entry's texts as HTML. If ``typed``, a text that is declared as plain is escaped."""
    text = _value(entry, key)
    return html.escape(text, quote=False) if typed and _is_plain(entry, key) else text


def _value(entry: dict[str, Any], key: str) -> str:
    # Use dict.get, because feedparser's own get warns and returns another date if a date is missing.
    value = dict.get(entry, key)
    return clean(value) if isinstance(value, str) else ""


def _is_plain(entry: dict[str, Any], key: str) -> bool:
    """Return whether a feed declares a text as plain text. For RSS, feedparser only guesses the type."""
    details = entry if key == "value" else dict.get(entry, f"{key}_detail")
    return isinstance(details, dict) and dict.get(details, "type") == "text/plain"
