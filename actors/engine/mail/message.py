"""Turns a mail into an item, which has the mail's HTML or text, and the address of the mail's web version."""

import hashlib
import html
import re
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message

from actors.engine.canonical import joined
from actors.engine.contract import LONGEST_FRAGMENT, Author, ContentItem, EngineError
from actors.engine.dates import read_date
from actors.engine.pages import parse_page
from actors.engine.text import decode, one_line, web_codec
from actors.patterns import patterns

_SAYS = patterns("actors.engine.mail", "web_view.txt")
_HERE = 30  # characters of a link such as "click here", which the words around it explain
_AROUND = 200


def read_message(body: bytes) -> ContentItem:
    """Read a mail, even if it is broken or cut off. The id is the Message-ID, or else a hash of the whole mail."""
    message = message_from_bytes(body)
    headers = _headers(message)
    markup = _content(message)
    sender = headers.get("from", "")
    return ContentItem(
        id=headers.get("message-id", "").strip() or f"sha256:{hashlib.sha256(body).hexdigest()}",
        title=one_line(headers.get("subject", "")),
        url=joined("", headers.get("archived-at", "").strip(" \t<>")) or _web_view(markup),
        source_type="blog",
        published_at=read_date(headers.get("date", "")),
        author=Author.named(sender.rpartition("<")[0].strip().strip('"') or sender),
        metadata={"content": markup[:LONGEST_FRAGMENT]},
    )


def _headers(message: Message) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in message.raw_items():
        text = str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        try:
            parts = decode_header(text)
        except HeaderParseError:
            parts = [(text, None)]
        coded = ((one, web_codec(code or "") or "utf-8") for one, code in parts)
        said = "".join(one if isinstance(one, str) else one.decode(codec, "replace") for one, codec in coded)
        found.setdefault(name.lower(), " ".join(said.split()))
    return found


def _content(message: Message) -> str:
    """Return the mail's first HTML part, or else the first plain-text part converted to HTML."""
    texts: dict[str, str] = {}
    for part in message.walk():
        kind, payload = part.get_content_type(), part.get_payload(decode=True)
        is_text = kind in {"text/html", "text/plain"} and part.get_content_disposition() != "attachment"
        if is_text and isinstance(payload, bytes):
            texts.setdefault(kind, decode(payload, f"{kind}; charset={part.get_param('charset') or ''}"))
    if markup := texts.get("text/html"):
        return markup
    blocks = re.split(r"\n\s*\n", texts.get("text/plain", "").replace("\r\n", "\n"))
    return "".join(f"<p>{html.escape(one, quote=False)}</p>" for one in blocks)


def _web_view(markup: str) -> str:
    try:
        tree = parse_page(markup)
    except EngineError:
        return ""
    for anchor in tree.iter("a"):
        said = "".join(anchor.itertext())
        parent = anchor.getparent()
        around = "".join(parent.itertext()) if parent is not None and len(said.strip()) <= _HERE else ""
        told = " ".join((said if len(around) > _AROUND else f"{said} {around}").split())
        address = joined("", anchor.get("href") or "")
        if address and _SAYS["on_the_web"].search(told) and not _SAYS["never"].search(f"{said} {address}"):
            return address
    return ""
