"""Whole sentences put together to the longer lengths of a brief; and the limits of a brief, which each answer is held to."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from actors.ai.gate.evidence import key, keys, tokens
from actors.ai.markdown import blocks, is_bold, plain
from actors.ai.protocol import Brief
from actors.ai.sentences import is_whole, sentences
from actors.ai.standing import addresses_reader, leans
from actors.ai.words import count, is_dense
from actors.patterns import patterns

_SAYS = patterns("actors.ai", "patterns.txt")

ONE_LINER = 140
TWO_LINER = 280
_ELEVATOR = 900
"""Maximum characters of one line, of two lines, and (our own choice) of an elevator pitch."""
_NO_LIMIT = 10_000

WORDS_PER_MINUTE = 200
"""How fast people read, if generate-brief has no other setting."""

_FEW = 3  # a headline with fewer words need not share one
_NEW = 4  # a sentence that adds fewer words than this says what the headline says
_SHARE = 0.6  # of its words that are new
_PARTS = 3  # a text with this many headings is a list, a guide or a review of several things
_SECTION = 0.2  # headings to a paragraph; an article of news has fewer
_LABELS = 0.5  # share of paragraphs that are no sentences, such as prices and names of products
_ADVICE = 0.15  # share of sentences that address the reader

Placed = tuple[int, str]


def in_longer_lengths(title: str, ranked: Sequence[Placed]) -> tuple[str | None, str | None]:
    """Two sentences, and three or four, from sentences with their places, best first.

    A part that the sentences cannot give stays None, because nothing is made up, and a reader has the headline already.
    """
    adding = [each for each in ranked if adds_to(title, each[1])]
    two = _joined_of(adding, (2,), TWO_LINER) or _joined_of(ranked, (2,), TWO_LINER)
    return two, _joined_of(ranked, (4, 3), _ELEVATOR)


def adds_to(title: str, text: str) -> bool:
    """Whether a sentence says more than a headline."""
    said = keys(text)
    new = len(said - keys(title))
    return new >= max(_NEW, _SHARE * len(said))


def names_more(title: str, text: str) -> bool:
    """Whether a sentence has a name or a number that its headline lacks; the capital of a first word is no sign of a name."""
    known = keys(title)
    first, *rest = tokens(text) or [""]
    marked = [first] * (first[:1].isdigit() or not (first[1:] or "a").islower())
    return any(key(word) not in known for word in (*marked, *rest) if not word[0].islower())


def tells_more(title: str, text: str) -> bool:
    """Whether a sentence adds to a headline, and is about something in it if that has enough words."""
    headline = keys(title)
    return adds_to(title, text) and (len(headline) < _FEW or bool(headline & keys(text)))


def has_parts(title: str, document: str, told: Sequence[str]) -> bool:
    """Whether a text is a list, a guide, a review of several things or an advert, by its form.

    It has headings, more labels than sentences, or addresses its reader (in one of the sentences ``told`` in seven); or its
    headline announces one.
    """
    parts = blocks(document)
    headings = sum(part.kind == "heading" or is_bold(part) for part in parts)
    paragraphs = [part for part in parts if part.kind == "paragraph"]
    items = sum(part.kind == "item" for part in parts)
    labels = sum(not is_whole(plain(part.text)) for part in paragraphs)
    return (
        announces(title)
        or headings >= max(_PARTS, _SECTION * len(paragraphs))
        or items > len(paragraphs)
        or labels > max(2, _LABELS * len(paragraphs))
        or sum(map(addresses_reader, told)) > max(1, _ADVICE * len(told))
    )


def joined(parts: Sequence[str], limit: int) -> str | None:
    """The sentences as one text; None if it is longer than ``limit`` or reads as more or fewer sentences."""
    text = ("" if is_dense(parts[0]) else " ").join(parts)
    return text if len(text) <= limit and len(sentences(text)) == len(parts) else None


def announces(title: str) -> bool:
    """Whether a headline belongs to a list, an instruction or a question; a single sentence covers only a part of such a text."""
    return _SAYS["announces"].match(title) is not None


def _joined_of(ranked: Sequence[Placed], sizes: Sequence[int], limit: int) -> str | None:
    """The first sentences of one of the ``sizes`` that fit together, in the story's order; the first leans on none before."""
    for size in sizes:
        for chosen in map(sorted, combinations(ranked, size)):
            if not leans(chosen[0][1]) and (text := joined([part for _, part in chosen], limit)):
                return text
    return None


def shorten(text: str, limit: int) -> str:
    """``text``, or as many of its whole words as fit into ``limit`` characters with an ellipsis.

    A single word that is longer than ``limit`` gives an empty text: nothing is ever cut inside a word.
    """
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    if not text[limit - 1].isspace():
        cut = cut.rpartition(" ")[0]
    cut = cut.rstrip(" ,;:\u2013\u2014-")
    return cut + "…" if cut else ""


def enforce(brief: Brief) -> Brief:
    """``brief`` within its limits: 140 characters; 280 in exactly two sentences; three or four sentences.

    A text that is too long loses whole words or sentences, never a part of a word. A text that has too few
    sentences, or cannot be cut to fit, becomes None.
    """
    return replace(
        brief,
        one_liner=shorten(brief.one_liner or "", ONE_LINER) or None,
        two_liner=_two(brief.two_liner or ""),
        elevator=_elevator(brief.elevator or ""),
    )


def time_saved_seconds(reading_seconds: float, brief: Brief, words_per_minute: int) -> int:
    """Seconds that a reader of the brief saves, never negative."""
    read = sum(count(part) for part in (brief.one_liner, brief.two_liner, brief.elevator) if part)
    return max(0, round(reading_seconds - seconds(read, words_per_minute)))


def seconds(words: int, words_per_minute: int) -> float:
    """The reading time of ``words`` words."""
    return words * 60 / words_per_minute


def _two(text: str) -> str | None:
    parts = _parts(text)[:2]
    if len(parts) < 2:
        return None
    if whole := joined(parts, TWO_LINER):
        return whole
    first, second = parts
    half = (TWO_LINER - 1) // 2
    if len(first) > half:
        first = shorten(first, max(half, TWO_LINER - 1 - len(second)))
    second = shorten(second, TWO_LINER - 1 - len(first))
    return joined([first, second], TWO_LINER) if first and second else None


def _elevator(text: str) -> str | None:
    parts = _parts(text)[:4]
    return (joined(parts, _NO_LIMIT) or joined(parts[:3], _NO_LIMIT)) if len(parts) >= 3 else None


def _parts(text: str) -> list[str]:
    return [" ".join(part.text.split()) for part in sentences(text)]
