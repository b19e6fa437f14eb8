"""The short texts of a page, each with its element and its distance from the heading: dates and authors stand in them."""

import math
from typing import NamedTuple

from lxml.html import HtmlElement

_LONGEST = 100
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
    """The texts of at most 100 characters."""
    elements = list(tree.iter())
    said: dict[HtmlElement, str] = {}  # of the elements whose text is short; children come before their parents
    for element in reversed(elements):
        parts = [element.text or ""]
        for child in element:
            parts += (said.get(child), child.tail or "")
        if None not in parts and len(words := " ".join(" ".join(parts).split())) <= _LONGEST:
            said[element] = words
    headings = (at for at, element in enumerate(elements) if element.tag == "h1" and element.text_content().strip())
    heading = next(headings, -math.inf)
    return [
        Line(at - heading, element, text)
        for at, element in enumerate(elements)
        if (text := said.get(element)) and element.tag not in _NO_TEXT
    ]
