"""Makes text fit for storage: decodes a page's bytes, and removes characters that Postgres or JSON refuses."""

import codecs
import re
import unicodedata
from importlib.resources import files
from typing import Any

LANGUAGE_LEAST, LANGUAGE_MOST = 200, 1500
"""Numbers of characters: for a shorter text the page's own attribute counts; a longer text is judged by its beginning."""

_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*+=\s*+[\"']?\s*+([\w.:-]{1,40})", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"^\s*+<\?xml[^>]{0,200}?encoding\s*+=\s*+[\"']([\w.:-]{1,40})", re.IGNORECASE)
_HEADER_CHARSET = re.compile(r"charset\s*+=\s*+[\"']?\s*+([\w.:-]{1,40})", re.IGNORECASE | re.ASCII)
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_HEAD = 4096
_WORD = re.compile(r"\w+")
_SAMPLE = 32 * 1024
_LINES = (files("actors.engine") / "encodings.txt").read_text(encoding="utf-8").splitlines()
_NAMES = (name.partition("=") for line in _LINES if not line.startswith("#") for name in line.split())
_OF_THE_WEB = {name: codec or name for name, _, codec in _NAMES}
_TWICE = re.compile("[\xc2-\xdf][\x80-\xbf]|[\xe1-\xef][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}")
#: This finds quotation marks, dashes and the ellipsis that were encoded twice. Other text has no control character here.
_ENCODED_TWICE = re.compile("\xe2\x80[\x90-\xa6]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


def decode(body: bytes, content_type: str = "") -> str:
    """Decode a page by its byte order mark, the header, the page's own declaration, UTF-8, or a guess, in this order.

    The function never raises: invalid bytes become replacement characters. Text that was encoded as UTF-8 twice is
    decoded twice.
    """
    text = _decoded(body, content_type)
    if not _ENCODED_TWICE.search(text):
        return text
    return _TWICE.sub(lambda match: match.group().encode("latin-1").decode("utf-8", "replace"), text)


def _decoded(body: bytes, content_type: str) -> str:
    for mark, name in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    header = _HEADER_CHARSET.search(content_type)
    found = (pattern.search(body[:_HEAD]) for pattern in (_XML_ENCODING, _META_CHARSET))
    labels = [header.group(1)] if header else []
    labels.extend(match.group(1).decode("ascii", "replace") for match in found if match)
    declared = [codec for label in labels if (codec := web_codec(label))]
    for name in declared:
        try:
            return body.decode(name)
        except UnicodeDecodeError:
            continue
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and error.end == len(body):
            return body.decode("utf-8", "ignore")
    from charset_normalizer import from_bytes

    best = None if declared else from_bytes(body[:_SAMPLE]).best()
    guessed = [web_codec(best.encoding) or "cp1252"] if best is not None else ["cp1252"]
    return body.decode((declared or guessed)[0], "replace")


def of_the_web(content_type: str) -> str:
    """Return a Content-Type header without its parameters, except a charset that browsers know."""
    media_type = content_type.partition(";")[0].strip()
    match = _HEADER_CHARSET.search(content_type)
    return f"{media_type}; charset={match.group(1)}" if match and web_codec(match.group(1)) else media_type


def web_codec(label: str) -> str | None:
    """Return the codec that browsers use for an encoding's label, or None if browsers do not know the label."""
    label = label.lower().removeprefix("x-")
    try:
        return _OF_THE_WEB.get(label) or _OF_THE_WEB.get(codecs.lookup(label).name)
    except (LookupError, UnicodeError):
        return None


def clean(text: str) -> str:
    """Remove control characters and lone surrogates, because Postgres or JSON refuses them."""
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def text_of(value: Any) -> str:
    """Return a value from untrusted data if the value is text, and otherwise an empty string."""
    return value if isinstance(value, str) else ""


def text_at(data: Any, key: str) -> str:
    """Return the text under a key of an untrusted mapping, or an empty string if the key has no text."""
    return text_of(data.get(key)) if isinstance(data, dict) else ""


def one_line(text: str, limit: int = 500) -> str:
    """Return the cleaned text on one line, with single spaces, cut between words to at most ``limit`` characters."""
    folded = " ".join(clean(text).split())
    if len(folded) <= limit:
        return folded
    return folded[: limit - 1].rsplit(" ", 1)[0].rstrip() + "…"


def words_of(text: str) -> list[str]:
    """Return the words and numbers of a text, normalised so that two texts can be compared."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def letters(text: str) -> str:
    """Return only the letters and digits of a text."""
    return "".join(words_of(text))


def text_language(text: str) -> str | None:
    """Return the ISO 639-1 code of the language that py3langid finds in a text, or None if the text is too short."""
    if len(text) < LANGUAGE_LEAST:
        return None
    from py3langid.langid import classify

    code, _ = classify(text[:LANGUAGE_MOST])  # type: ignore[no-untyped-call]
    return str(code)
