"""Text as it may be stored: decoded by what the page declares, without what a database refuses."""

from __future__ import annotations

import codecs
import re

_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"^\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})", re.IGNORECASE)
_HEADER_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HEAD = 4096
_SAMPLE = 32 * 1024
# Browsers read these as windows-1252 (WHATWG Encoding Standard).
_LATIN = {"iso8859-1", "ascii", "cp1252"}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


def decode(body: bytes, content_type: str = "") -> str:
    """Decode a page: byte order mark, then the header, the page's own declaration, UTF-8, and at last a guess.

    Never raises: bytes that do not fit become replacement characters.
    """
    for mark, name in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    for name in _declared(body[:_HEAD], content_type):
        try:
            return body.decode(name)
        except UnicodeDecodeError:
            continue
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and error.end == len(body):
            return body.decode("utf-8", "ignore")
    return body.decode(next(iter(_declared(body[:_HEAD], content_type)), None) or _guess(body), "replace")


def _declared(head: bytes, content_type: str) -> list[str]:
    names = [match.group(1) for match in [_HEADER_CHARSET.search(content_type)] if match]
    found = (pattern.search(head) for pattern in (_XML_ENCODING, _META_CHARSET))
    names.extend(match.group(1).decode("ascii", "replace") for match in found if match)
    return [name for text in names if (name := _codec(text))]


def _codec(name: str) -> str | None:
    try:
        info = codecs.lookup(name)
    except LookupError:
        return None
    if not getattr(info, "_is_text_encoding", True):
        return None
    if info.name in _LATIN:
        return "cp1252"
    # A page that could be read this far is not UTF-16, whatever it says.
    return "utf-8" if info.name.startswith(("utf-16", "utf-32")) else info.name


def _guess(body: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(body[:_SAMPLE]).best()
    return best.encoding if best is not None else "cp1252"


def clean(text: str) -> str:
    """Drop NUL, other control characters and lone surrogates, which Postgres or JSON refuse; unify line ends."""
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str, limit: int = 500) -> str:
    """A title or name: clean, white space folded, at most ``limit`` characters, cut between words."""
    folded = " ".join(clean(text).split())
    if len(folded) <= limit:
        return folded
    return folded[: limit - 1].rsplit(" ", 1)[0].rstrip() + "…"
