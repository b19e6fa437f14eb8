"""Reads and writes OPML 2.0, the format in which feed readers exchange lists of feeds in folders."""

from collections.abc import Iterable
from typing import NamedTuple
from xml.etree import ElementTree as ET

from actors.engine.contract import EngineError
from actors.engine.discovery.addresses import typed
from actors.engine.text import clean, one_line

LARGEST = 5_000_000  # bytes


class Listed(NamedTuple):
    """Describes a feed in a list. ``folder`` has the names of the feed's folders, the outermost first."""

    name: str
    address: str
    folder: tuple[str, ...] = ()


def read_opml(data: bytes) -> list[Listed]:
    """Return the feeds of an OPML list in order, without duplicates. The addresses are not checked.

    Raises:
        EngineError: the list is not OPML or declares entities (``not_a_feed``), or it is too large (``too_large``).
    """
    from lxml import etree

    if len(data) > LARGEST:
        raise EngineError("too_large", f"expected a list of at most {LARGEST} bytes, got {len(data)}")
    try:
        root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise EngineError("not_a_feed", f"expected OPML, got no XML: {error}") from error
    dtd = root.getroottree().docinfo.internalDTD
    if dtd is not None and list(dtd.iterentities()):
        raise EngineError("not_a_feed", "expected a list without entities of its own, got some")
    if root.tag.lower() != "opml":
        raise EngineError("not_a_feed", f"expected OPML, got a document of {root.tag!r}")
    found: dict[str, Listed] = {}
    folders: dict[etree._Element, tuple[str, ...]] = {}  # the path of folders by outline
    for outline in root.iter("{*}*"):
        if str(outline.tag).lower() != "outline":
            continue
        named = {str(name).lower(): str(value) for name, value in outline.attrib.items()}
        name = one_line(named.get("title") or named.get("text") or "")
        within = folders.get(outline.getparent(), ())
        if address := typed(named.get("xmlurl", "").partition("#")[0]):
            found.setdefault(address, Listed(name, address, within[:8]))
        folders[outline] = within if address or not name else (*within, name[:100])
    return list(found.values())


def write_opml(feeds: Iterable[Listed]) -> bytes:
    """Return the feeds in their folders as an OPML document."""
    root = ET.Element("opml", version="2.0")
    ET.SubElement(ET.SubElement(root, "head"), "title").text = "Sources"
    outlines: dict[tuple[str, ...], ET.Element] = {(): ET.SubElement(root, "body")}
    for feed in feeds:
        for path in (feed.folder[:depth] for depth in range(1, len(feed.folder) + 1)):
            if path not in outlines:
                name = clean(path[-1])
                outlines[path] = ET.SubElement(outlines[path[:-1]], "outline", text=name, title=name)
        text = clean(feed.name or feed.address)
        ET.SubElement(outlines[feed.folder], "outline", type="rss", text=text, title=text, xmlUrl=clean(feed.address))
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"
