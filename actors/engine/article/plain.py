"""Turns a piece of HTML into plain text, or into markdown with headings, lists and code; leaves nothing out."""

import re

from lxml.html import HtmlElement

from actors.engine.text import clean

_HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}
_BLOCKS = frozenset(
    {"p", "div", "li", "br", "pre", "blockquote", "tr", "section", "article", "ul", "ol", "table", *_HEADINGS}
)
_SILENT = frozenset({"script", "style", "noscript", "template", "head", "title"})
_SPACE = re.compile(r"\s+")


def plain_text(tree: HtmlElement, *, marked: bool = False, without: frozenset[str] = frozenset()) -> str:
    """The text, a line for each block; with marks of markdown if ``marked``, and ``without`` some elements."""
    parts: list[str] = []
    preformatted = 0
    # Without recursion, because a page may be nested very deeply.
    stack: list[tuple[HtmlElement, bool]] = [(tree, False)]
    while stack:
        element, is_end = stack.pop()
        tag = element.tag if isinstance(element.tag, str) else None
        if is_end:
            if tag == "pre":
                preformatted -= 1
                parts.append("\n```\n" if marked else "\n")
            elif tag in _BLOCKS:
                parts.append("\n\n" if marked else "\n")
            if element is not tree:
                parts.append(_shown(element.tail, preformatted))
            continue
        if tag is None or tag in _SILENT or tag in without:
            parts.append(_shown(element.tail, preformatted) if element is not tree else "")
            continue
        if tag in _BLOCKS:
            parts.append("\n")
        if tag == "pre":
            preformatted += 1
        if marked:
            parts.append(
                "```\n" if tag == "pre" else "- " if tag == "li" else f"{_HEADINGS[tag]} " if tag in _HEADINGS else ""
            )
        parts.append(_shown(element.text, preformatted))
        stack.append((element, True))
        stack.extend((child, False) for child in reversed(element))
    return tidy(clean("".join(parts)))


def tidy(text: str) -> str:
    """The text without spaces at the ends of lines, and with one empty line at most between them."""
    lines = (line.rstrip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _shown(text: str | None, preformatted: int) -> str:
    return (text if preformatted else _SPACE.sub(" ", text)) if text else ""
