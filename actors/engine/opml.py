"""Lists of feeds as other readers write and read them: OPML 2.0."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET
from xml.parsers import expat

from actors.engine.contract import EngineError
from actors.engine.fetch import parse
from actors.engine.text import clean, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

LARGEST = 5_000_000
"""Bytes of the largest list that is read."""


def read_opml(data: bytes) -> list[tuple[str, str]]:
    """The feeds of a list, each once, as (name, address), in the order in which they stand; folders are opened.

    What has no web address is left out.

    Raises:
        ValueError: it is no OPML, is too large, or declares entities.
    """
    if len(data) > LARGEST:
        raise ValueError(f"expected a list of at most {LARGEST} bytes, got {len(data)}")
    found: dict[str, str] = {}
    roots: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        roots.append(tag)
        named = {name.lower(): value for name, value in attributes.items()}
        address = named.get("xmlurl", "").strip()
        if tag.lower() == "outline" and address and _is_web(address):
            found.setdefault(address, one_line(named.get("title") or named.get("text") or ""))

    def refuse(*_: object) -> None:
        raise ValueError("expected a list without entities of its own, got some")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise ValueError(f"expected OPML, got what is no XML: {error}") from error
    if roots[0].lower() != "opml":
        raise ValueError(f"expected OPML, got a document of {roots[0]!r}")
    return [(name, address) for address, name in found.items()]


def _is_web(address: str) -> bool:
    try:
        parse(address)
    except EngineError:
        return False
    return True


def write_opml(feeds: Iterable[tuple[str, str]], title: str = "Sources") -> bytes:
    """A list of feeds, given as (name, address)."""
    root = ET.Element("opml", version="2.0")
    ET.SubElement(ET.SubElement(root, "head"), "title").text = clean(title)
    body = ET.SubElement(root, "body")
    for name, address in feeds:
        text = clean(name or address)
        ET.SubElement(body, "outline", type="rss", text=text, title=text, xmlUrl=clean(address))
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"
