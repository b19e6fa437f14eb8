"""Prepares a feed's bytes for the parser: repairs references to no character, and refuses harmful constructs."""

from __future__ import annotations

import codecs
import re
from itertools import islice

from actors.engine.attributes import check_attributes
from actors.engine.contract import EngineError

_LONGEST_HEAD = 32 * 1024
_MOST_ENTRIES = 50_000
_MOST_BASES = 4096  # bytes of all relative bases
_ELEMENT = re.compile(rb"<\w")
_ENTRY = re.compile(rb"<(?:[\w.-]{1,50}:)?(?:item|entry)[\s/>]", re.IGNORECASE)
_REFERENCE = re.compile(rb"&#(?:[xX]([0-9A-Fa-f]+)|([0-9]+));")
_REFERENCES = re.compile(rb"(?:&#(?:[xX][0-9A-Fa-f]+|[0-9]+);)+")
_ENCODING = re.compile(rb"encoding=[\"']([^\"']{1,40})[\"']")
# Python's own codecs, which no feed uses; the time of some grows with the square of the text.
_NO_ENCODINGS = {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}
_BASE = re.compile(rb"(?<=[\s\"'])(?:xml:)?base(?=\s*+=\s*+[\"'](?!https?://)([^\"']*))", re.IGNORECASE)
_MOST_DIGITS = 8
_HIGH, _LOW, _BEHIND_SURROGATES = 0xD800, 0xDC00, 0xE000
_LAST = 0x10FFFF
_RSS_1_1, _RSS_1_0 = b"http://purl.org/net/rss1.1#", b"http://purl.org/rss/1.0/"  # the parser knows the latter


def prepared(body: bytes, url: str) -> bytes:
    """The feed in a form that is safe for the parser.

    The parser's time grows with the square of the text before the first element, of a tag's attributes, and of
    nested relative bases; and it always reads all entries.

    Raises:
        EngineError: ``not_a_feed`` if the first element comes too late or the encoding is unknown; ``too_large`` for too many
            entries or attributes.
    """
    body = body.replace(_RSS_1_1, _RSS_1_0)
    # In UTF-16 and UTF-32, markup is ASCII with NULs in between.
    plain = body.replace(b"\0", b"") if b"\0" in body else body
    first = _ELEMENT.search(plain)
    if first is not None and first.start() > _LONGEST_HEAD:
        raise EngineError("not_a_feed", f"{url} is no feed: its first element comes after {first.start()} bytes")
    if sum(1 for _ in islice(_ENTRY.finditer(plain), _MOST_ENTRIES + 1)) > _MOST_ENTRIES:
        raise EngineError("too_large", f"{url} lists more than {_MOST_ENTRIES} entries")
    for label in _ENCODING.findall(plain[:_LONGEST_HEAD].partition(b"\n")[0]):
        if _codec(label.decode("ascii", "replace")) in _NO_ENCODINGS:
            raise EngineError(
                "not_a_feed", f"{url} is no feed: its encoding would be {label.decode('ascii', 'replace')}"
            )
    check_attributes(plain.decode("latin-1"), url)
    if sum(map(len, _BASE.findall(body))) > _MOST_BASES:
        body = _BASE.sub(b"no-base", body)
    return _REFERENCES.sub(_mended, body) if b"&#" in body else body


def _codec(label: str) -> str:
    try:
        return codecs.lookup(label).name.replace("_", "-")
    except (LookupError, UnicodeError, ValueError):
        return ""


def _mended(match: re.Match[bytes]) -> bytes:
    """Adjacent references: two that spell one character in UTF-16 become that character; invalid ones are dropped."""
    mended: list[bytes] = []
    high = 0
    for reference in _REFERENCE.finditer(match.group()):
        code = _code(reference)
        if _HIGH <= code < _LOW:
            high = code
            continue
        if high and _LOW <= code < _BEHIND_SURROGATES:
            mended.append(b"&#%d;" % (0x10000 + ((high - _HIGH) << 10) + code - _LOW))
        elif _is_character(code):
            mended.append(reference.group())
        high = 0
    return b"".join(mended)


def _code(reference: re.Match[bytes]) -> int:
    """The number of a reference; -1 if it is beyond all characters."""
    digits, base = (reference[1], 16) if reference[1] is not None else (reference[2], 10)
    digits = digits.lstrip(b"0") or b"0"
    return int(digits, base) if len(digits) <= _MOST_DIGITS else -1


def _is_character(code: int) -> bool:
    """Whether XML 1.0 (section 2.2) allows it."""
    return code in {9, 10, 13} or 0x20 <= code < _HIGH or _BEHIND_SURROGATES <= code <= 0xFFFD or 0xFFFF < code <= _LAST
