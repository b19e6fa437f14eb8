"""Turns HTML into plain text, or into markdown with headings, lists and code. No part of the text is left out."""

import re

from lxml.etree import iterwalk
from lxml.html import HtmlElement

from actors.engine.text import clean

_MARKS = {"pre": "```\n", "li": "- ", **{f"h{level}": f"{'#' * level} " for level in range(1, 7)}}
_BLOCKS = frozenset({"p", "div", "br", "blockquote", "tr", "section", "article", "ul", "ol", "table", *_MARKS})
_SILENT = frozenset({"script", "style", "noscript", "template", "head", "title"})
_SPACE = re.compile(r"\s+")


def plain_text(tree: HtmlElement, *, marked: bool = False, without: frozenset[str] = frozenset()) -> str:
    """Return the text of the element ``tree``, one line for each block. If ``marked``, return markdown."""
    parts: list[str] = []
    preformatted = 0
    walk = iterwalk(tree, events=("start", "end"))  # no recursion: a page may be nested deeply
    for event, element in walk:
        tag = element.tag
        is_silent = tag in _SILENT or tag in without
        if event == "start" and is_silent:
            walk.skip_subtree()
        elif event == "start":
            preformatted += tag == "pre"
            parts.append("\n" if tag in _BLOCKS else "")
            parts.append(_MARKS.get(tag, "") if marked else "")
            parts.append(_shown(element.text, preformatted))
        else:
            if not is_silent:
                preformatted -= tag == "pre"
                end = "\n```\n" if tag == "pre" else "\n\n"
                parts.append("" if tag not in _BLOCKS else end if marked else "\n")
            parts.append(_shown(element.tail, preformatted) if element is not tree else "")
    return tidy(clean("".join(parts)))


def tidy(text: str) -> str:
    """Return the text without spaces at the ends of lines, and with at most one empty line between lines."""
    lines = (line.rstrip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _shown(text: str | None, preformatted: int) -> str:
    return (text if preformatted else _SPACE.sub(" ", text)) if text else ""
