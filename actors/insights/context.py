"""Finds the context of a highlight that its quote does not show: the headings above it, and the sentence before it."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from actors.ai.composition import shorten
from actors.ai.gate import form
from actors.ai.gate.evidence import keys
from actors.ai.markdown import Block, is_bold, marker, plain
from actors.ai.sentences import sentences
from actors.ai.standing import is_fit, leans
from actors.ai.words import is_dense
from actors.insights.candidates import Candidate
from actors.schema import Context

_LONGEST = 200  # maximum number of characters of the sentences before a highlight
_LONGEST_HEADING = 100
_HEADINGS = 2
_KNOWN = 0.75  # if the title has this share of a heading's words, the heading adds nothing
_LEVEL = re.compile(r"\s*(#+)")
_LOWEST = 7  # the level of a line in bold, below all headings
_COLONS = (":", "\uff1a")


def in_context(found: Iterable[Candidate], blocks: Sequence[Block], title: str) -> Iterator[Candidate]:
    """The candidates that were found in the blocks of a document, with their contexts."""
    starts, above, known = [block.start for block in blocks], _above(blocks), keys(title)
    for each in found:
        at = bisect_right(starts, each.start) - 1
        short = [one for one in above[at] if len(one) <= _LONGEST_HEADING and form.fault(one) is None]
        headings = [one for one in short if _says_more(one, each.summary, known)]
        before = _before(blocks, at, each.start) or None
        yield replace(each, context=Context(headings=headings[-_HEADINGS:], before=before))


def _says_more(heading: str, text: str, known: frozenset[str]) -> bool:
    words = keys(heading)
    is_known = bool(words) and len(words & known) >= _KNOWN * len(words)
    return not is_known and not text.casefold().startswith(heading.casefold().rstrip(":. "))


def _before(blocks: Sequence[Block], at: int, start: int) -> str:
    """The sentence before a highlight; for the first of an item, the end of the paragraph that introduces the list."""
    if blocks[at].kind == "code":
        return ""  # its text is the line before it
    if (found := _last(blocks[at], start)) or blocks[at].kind != "item":
        return found
    while at > 0 and blocks[at].kind == "item":
        at -= 1
    block = blocks[at]
    introduces = block.kind == "paragraph" and plain(block.text).endswith(_COLONS)
    return _last(block, block.end) if introduces else ""


def _last(block: Block, place: int) -> str:
    """The last sentence of a block before ``place``, or an empty text if it must not be shown.

    If the sentence refers to the sentence before it, the result has both.
    """
    body = marker(block)
    found = ""
    for sentence in reversed(sentences(body, block.end - len(body))):
        if sentence.end > place:
            continue
        text = plain(sentence.text)
        longer = text + ("" if not found or is_dense(text) else " ") + found
        introduces = text.endswith(_COLONS) and form.fault(text) is None
        if not (introduces or is_fit(text)) or (found and len(longer) > _LONGEST):
            break
        found = longer
        if not leans(text):
            break
    cut = shorten(found, _LONGEST)
    return cut if form.is_balanced(cut) else ""


def _above(blocks: Sequence[Block]) -> list[tuple[str, ...]]:
    """The headings above each block, the outermost first. A heading at the beginning of a document is above all blocks."""
    open_: list[tuple[int, str]] = []
    found = []
    for at, block in enumerate(blocks):
        level = _level(block)
        if level and at:
            text = block.heading if block.kind == "heading" else plain(block.text)
            open_ = [*(one for one in open_ if one[0] < level), (level, text)]
        found.append(tuple(text for _, text in open_))
    return found


def _level(block: Block) -> int:
    """The level of a heading or of a line in bold; 0 for other blocks."""
    if block.kind == "heading" and (match := _LEVEL.match(block.text)):
        return len(match.group(1))
    return _LOWEST if is_bold(block) else 0
