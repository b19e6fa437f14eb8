"""Reads a feed's titles and texts by their declared type: plain text stays unchanged, HTML is read as HTML."""

import html
import re
from typing import Any

from actors.engine.text import clean

_LONGEST_MARKUP = 20_000
_TAG = re.compile(r"<[/!?]?[A-Za-z][^<>]*>|<!--[^<>]*-->")
# RSS declares no type. There a name in angle brackets is a tag if HTML has it, and text otherwise, as in Vec<T>.
_TAG_OF_HTML = re.compile(
    r"</?(?:a|abbr|b|big|blockquote|br|center|cite|code|del|div|em|font|h[1-6]|i|img|ins|kbd|li|mark|nobr|ol|p|pre|q|s|samp|"
    r"small|span|strike|strong|sub|sup|time|tt|u|ul|var|wbr)(?:\s[^<>]*|/)?>|<!--[^<>]*-->",
    re.IGNORECASE,
)


def title_of(entry: dict[str, Any], key: str, *, typed: bool) -> str:
    """The title, or another line, without markup. ``typed`` says whether the format declares types, as Atom and JSON Feed do."""
    line = value_of(entry, key)[:_LONGEST_MARKUP]
    if typed and _is_plain(entry, key):
        return line
    return clean(html.unescape((_TAG if typed else _TAG_OF_HTML).sub("", line)))


def fragment_of(entry: dict[str, Any], key: str, *, typed: bool) -> str:
    """A text as HTML."""
    text = value_of(entry, key)
    return html.escape(text, quote=False) if typed and _is_plain(entry, key) else text


def value_of(entry: dict[str, Any], key: str) -> str:
    """A text as it stands in the feed."""
    # dict.get: feedparser's own lookup maps one date to another, with a warning.
    value = dict.get(entry, key)
    return clean(value) if isinstance(value, str) else ""


def _is_plain(entry: dict[str, Any], key: str) -> bool:
    """Whether the feed declares plain text; in RSS the parser only guesses."""
    details = entry if key == "value" else dict.get(entry, f"{key}_detail")
    return isinstance(details, dict) and dict.get(details, "type") == "text/plain"
