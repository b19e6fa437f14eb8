"""Finds the context of a candidate for a highlight: the headings above the candidate, and the sentence before it."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from actors.ai.composition import shorten
from actors.ai.gate import form
from actors.ai.gate.evidence import keys
from actors.ai.markdown import Block, is_bold, marker, plain
from actors.ai.sentences import sentences
from actors.ai.standing import is_fit
from actors.schema import Context, Insight

Kind = Literal["insight", "quote", "action", "question", "code_example", "code_change", "api_change", "metric"]

_TITLE = 80  # maximum number of characters in a title
_LONGEST = 200  # maximum number of characters of the sentence before a highlight
_LONGEST_HEADING = 100
_HEADINGS = 2
_KNOWN = 0.75  # if the title has this share of a heading's words, the heading adds nothing
_LOWEST = 7  # the level of a line in bold


@dataclass(frozen=True, slots=True)
class Candidate:
    """Describes a candidate for a highlight."""

    kind: Kind
    summary: str  # the content as plain text
    quote: str  # the unchanged text from start to end
    start: int
    end: int
    heading: str = ""
    language: str = ""  # the language that a code block names
    weight: float = 0.0  # among candidates of the same kind
    context: Context = field(default_factory=Context)

    def insight(self, document_hash: str) -> Insight:
        """Return the candidate as an insight. ``document_hash`` identifies the text to which the positions belong."""
        place = {"start": self.start, "end": self.end, "heading": self.heading or None}
        language = {"language": self.language} if self.language else {}
        return Insight(
            title=shorten(self.heading or self.summary, _TITLE),
            summary=self.summary,
            quote=self.quote,
            tags=[self.kind, *language.values()],
            metadata={"kind": self.kind, "place": place, "text": document_hash, **language},
            context=self.context,
        )


def in_context(found: Sequence[Candidate], blocks: Sequence[Block], title: str) -> Iterator[Candidate]:
    """Yield a document's candidates with their contexts. A sentence of another candidate is not used as context."""
    starts, above, known = [block.start for block in blocks], _above(blocks), keys(title)
    for each in found:
        at = bisect_right(starts, each.start) - 1
        headings = [one for one in above[at] if _says_more(one, known)]
        before = _before(blocks[max(0, at - 1) : at + 1], each.start)
        is_told = any(before in other.summary for other in found)
        yield replace(each, context=Context(headings=headings[-_HEADINGS:], before=None if is_told else before))


def _says_more(heading: str, known: frozenset[str]) -> bool:
    """Return whether a heading may be shown and says more than the title, whose words are ``known``."""
    words = keys(heading)
    is_known = bool(words) and len(words & known) >= _KNOWN * len(words)
    return len(heading) <= _LONGEST_HEADING and form.fault(heading) is None and not is_known


def _before(nearest: Sequence[Block], start: int) -> str:
    """Return the sentence before ``start`` if it is well formed, or else "". For code, the result is always ""."""
    if nearest[-1].kind == "code":
        return ""  # the highlight's text is the line before
    is_text = nearest[0].kind == nearest[-1].kind == "paragraph" and not is_bold(nearest[0])
    bodies = [(block.end, marker(block)) for block in (nearest if is_text else nearest[-1:])]
    ended = [one.text for end, body in bodies for one in sentences(body, end - len(body)) if one.end <= start]
    text = plain(ended[-1]) if ended else ""
    return shorten(text, _LONGEST) if is_fit(text) else ""


def _above(blocks: Sequence[Block]) -> list[list[str]]:
    """Return the headings above each block, the outermost first. A heading that begins the document is left out."""
    open_: list[tuple[int, str]] = []
    found = []
    for at, block in enumerate(blocks):
        marks = block.text.lstrip()
        level = len(marks) - len(marks.lstrip("#")) if block.kind == "heading" else _LOWEST if is_bold(block) else 0
        if at and level:
            text = block.heading if block.kind == "heading" else plain(block.text)
            open_ = [*(one for one in open_ if one[0] < level), (level, text)]
        found.append([text for _, text in open_])
    return found
