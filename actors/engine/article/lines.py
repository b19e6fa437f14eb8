"""The short texts of a page, each with its element and its distance from the heading: dates and authors stand in them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_LONGEST = 100
_MOST_CHILDREN = 6
_NO_TEXT = frozenset({"script", "style", "title"})


class Line(NamedTuple):
    """A short text.

    Attributes:
        place: Number of elements below the first heading; infinite on a page without one.
    """

    place: float
    element: HtmlElement
    text: str


def short_lines(tree: HtmlElement) -> list[Line]:
    """The texts of at most 100 characters, of elements with a few children."""
    heading: int | None = None
    found: list[tuple[int, HtmlElement, str]] = []
    for at, element in enumerate(tree.iter()):
        if not isinstance(element.tag, str) or element.tag in _NO_TEXT:
            continue
        if heading is None and element.tag == "h1" and element.text_content().strip():
            heading = at
        if len(element) <= _MOST_CHILDREN and (element.text or len(element)) and (text := _short(element)):
            found.append((at, element, text))
    return [Line(math.inf if heading is None else at - heading, element, text) for at, element, text in found]


def _short(element: HtmlElement) -> str:
    """The element's text with single spaces; empty if it is long."""
    text = ""
    for part in element.itertext():
        if words := part.split():
            text = f"{text} {' '.join(words)}" if text else " ".join(words)
            if len(text) > _LONGEST:
                return ""
    return text
