"""Repairs a feed's bytes for the parser: references to no character, and the namespace of RSS 1.1."""

import re
import sys

_REFERENCE = re.compile(rb"&#(?:[xX]0*+([0-9A-Fa-f]{1,8})|0*+([0-9]{1,10}));")  # a longer number is no character's
_REFERENCES = re.compile(rb"(?:&#(?:[xX][0-9A-Fa-f]+|[0-9]+);)+")
_NO_CHARACTER = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # XML 1.0, section 2.2
_RSS_1_1, _RSS_1_0 = b"http://purl.org/net/rss1.1#", b"http://purl.org/rss/1.0/"  # the parser knows the latter


def repaired(body: bytes) -> bytes:
    """The feed as the parser reads it best."""
    body = body.replace(_RSS_1_1, _RSS_1_0)
    return _REFERENCES.sub(_mended, body) if b"&#" in body else body


def _mended(match: re.Match[bytes]) -> bytes:
    """Adjacent references: two that spell one character in UTF-16 become that character; invalid ones are dropped."""
    numbers = (int(one[1], 16) if one[1] else int(one[2]) for one in _REFERENCE.finditer(match.group()))
    text = "".join(chr(number) for number in numbers if number <= sys.maxunicode)
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return b"".join(b"&#%d;" % ord(one) for one in whole if not _NO_CHARACTER.match(one))
