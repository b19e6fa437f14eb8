"""Applies CSS selectors, for example a selector that a person copied from a browser."""

from typing import Annotated

from cssselect import HTMLTranslator, SelectorError
from lxml.html import HtmlElement
from pydantic import AfterValidator

_LONGEST = 1000


def xpath(selector: str) -> str:
    """Return the XPath of a CSS selector. Raises ValueError if the selector is not valid."""
    if len(selector) > _LONGEST or not selector.translate(str.maketrans("\n\t", "  ")).isprintable():
        raise ValueError(f"expected a selector of at most {_LONGEST} printable characters, got {selector[:100]!r}")
    try:
        return HTMLTranslator().css_to_xpath(selector)
    except (SelectorError, RecursionError) as error:
        raise ValueError(f"expected a CSS selector, such as 'article h2 a', got {selector!r}: {error}") from error


def select(tree: HtmlElement, selector: str) -> list[HtmlElement]:
    """Return the elements of a page that a selector selects, in order. An element inside a selected element is left out."""
    found = tree.xpath(xpath(selector))
    taken = set(found)
    return [one for one in found if taken.isdisjoint(one.iterancestors())]


Selector = Annotated[str, AfterValidator(lambda selector: xpath(selector) and selector)]
"""The type of a selector in settings."""
