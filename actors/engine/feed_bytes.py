"""Prepares a feed's bytes for the parser: repairs references to no character, and refuses harmful constructs."""

from __future__ import annotations

import codecs
import re
import sys
from itertools import islice

from actors.engine.attributes import check_attributes
from actors.engine.contract import EngineError

_LONGEST_HEAD = 32 * 1024
_MOST_ENTRIES = 50_000
_MOST_BASES = 4096  # bytes of all relative bases
_ELEMENT = re.compile(rb"<\w")
_ENTRY = re.compile(rb"<(?:[\w.-]{1,50}:)?(?:item|entry)[\s/>]", re.IGNORECASE)
_REFERENCE = re.compile(rb"&#(?:[xX]0*+([0-9A-Fa-f]{1,8})|0*+([0-9]{1,10}));")  # a longer number is no character's
_REFERENCES = re.compile(rb"(?:&#(?:[xX][0-9A-Fa-f]+|[0-9]+);)+")
_ENCODING = re.compile(rb"encoding=[\"']([^\"']{1,40})[\"']")
# Python's own codecs, which no feed uses; the time of some grows with the square of the text.
_NO_ENCODINGS = {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}
_BASE = re.compile(rb"(?<=[\s\"'])(?:xml:)?base(?=\s*+=\s*+[\"'](?!https?://)([^\"']*))", re.IGNORECASE)
_NO_CHARACTER = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # XML 1.0, section 2.2
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
    numbers = (int(one[1], 16) if one[1] else int(one[2]) for one in _REFERENCE.finditer(match.group()))
    text = "".join(chr(number) for number in numbers if number <= sys.maxunicode)
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return b"".join(b"&#%d;" % ord(one) for one in whole if not _NO_CHARACTER.match(one))
