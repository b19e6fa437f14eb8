"""Composes a brief in three lengths from whole sentences of the story, and enforces the limits of a brief."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from actors.ai import gate
from actors.ai.gate.dates import dates
from actors.ai.gate.evidence import evidence, key, keys, tokens
from actors.ai.gate.figures import known_numbers, stands_among
from actors.ai.gate.form import SAYS
from actors.ai.gate.numbers import numbers
from actors.ai.markdown import blocks, is_bold, plain
from actors.ai.protocol import Brief, Story
from actors.ai.ranking import ranked
from actors.ai.sentences import is_whole, sentences
from actors.ai.standing import addresses_reader, leans, speech, stands_alone
from actors.ai.words import count, is_dense

ONE_LINER = 140
TWO_LINER = 280
_ELEVATOR = 900  # maximum number of characters in an elevator pitch, our own choice
WORDS_PER_MINUTE = 200  # the default reading speed; generate-brief has a setting for it

_FEW = 3  # a sentence need not share a word with a headline of fewer words than this
_NEW = 4  # a sentence with fewer new words than this only repeats the headline
_SHARE = 0.6  # the share of a sentence's words that must be new compared with the headline
_PARTS = 3  # a text with this many headings is a list, a guide or a review of several things
_SECTION = 0.2  # the number of headings for each paragraph in such a text; a news article has fewer
_LABELS = 0.5  # a text with a larger share of paragraphs without a sentence lists products, prices or the like
_ADVICE = 0.15  # a text with a larger share of sentences that address the reader is a guide or an advert

_BEGINNING = 3  # number of first sentences of the text that are considered
_MIN_WORDS = 8
_BORNE_OUT = 0.7  # the text must have this share of a description's words
_CUT_OFF = ("\u2026", "...", "]")
_LOOK_AHEAD = 60  # number of characters after a description in the text that show whether the sentence goes on

Placed = tuple[int, str]


def one_line(story: Story) -> str | None:
    """Return a sentence of the page's description or of the story's beginning, or None if no sentence is suitable.

    A suitable sentence has at most 140 characters, shares a word with the headline, and adds a name or a number. For a
    list or a guide, only the description is used, because one sentence of the text covers only one item.
    """
    for text in _beginnings(story):
        if (
            len(text) <= ONE_LINER
            and count(text) >= _MIN_WORDS
            and not (
                speech(text)
                or SAYS["agency"].match(text)
                or SAYS["background"].match(text)
                or SAYS["no_news"].search(text)
            )
            and tells_more(story.title, text)
            and names_more(story.title, text)
            and stands_alone(text, story.title, story.document)
        ):
            return text
    return None


def _beginnings(story: Story) -> Iterator[str]:
    """Yield the sentences that may summarise the story, the best first."""
    items = ranked(story.document)
    shown = [item.text for item in items if item.is_statement][:_BEGINNING]
    is_guide = has_parts(story.title, story.document, [item.text for item in items])
    described = next((one.text for one in sentences(story.description)), "")
    if described:
        same = [one for one in shown[:2] if one in described]
        if same or _is_borne_out(described, story):
            yield same[0] if same else described
    yield from [] if is_guide else shown


def _is_borne_out(text: str, story: Story) -> bool:
    """Return whether a description is a whole sentence whose facts and most of whose words are in the story's text."""
    said, told = keys(text), replace(story, title="", source="")
    rest = story.document.partition(text)[2][:_LOOK_AHEAD]  # the text after it, which may belong to the sentence
    is_ended = is_whole(text) and not text.endswith(_CUT_OFF) and sentences(text + rest)[0].text == text
    is_of_story = is_ended and len(said & evidence(told).keys) >= _BORNE_OUT * len(said)
    if not is_of_story or gate.fault(text, told) is not None:
        return False
    # One sentence of the story must have all the numbers: numbers of two sentences perhaps do not belong together.
    figures = numbers(dates(text).rest)
    sets = (known_numbers([dates(item.text).rest]) for item in ranked(story.document)) if figures else ()
    return not figures or any(all(stands_among(one, known) for one in figures) for known in sets)


def in_longer_lengths(title: str, told: Sequence[Placed]) -> tuple[str | None, str | None]:
    """Return a two-sentence text and an elevator pitch of four or three. A text is None if no such sentences fit."""
    adding = [each for each in told if adds_to(title, each[1])]
    two = _joined_of(adding, (2,), TWO_LINER) or _joined_of(told, (2,), TWO_LINER)
    return two, _joined_of(told, (4, 3), _ELEVATOR)


def adds_to(title: str, text: str) -> bool:
    """Return whether enough words of a sentence are not in the headline."""
    said = keys(text)
    new = len(said - keys(title))
    return new >= max(_NEW, _SHARE * len(said))


def names_more(title: str, text: str) -> bool:
    """Return whether a sentence has a name or number that the headline lacks. The first word's capital is ignored."""
    known = keys(title)
    first, *rest = tokens(text) or ("",)
    marked = [first] * (first[:1].isdigit() or not (first[1:] or "a").islower())
    return any(key(word) not in known for word in (*marked, *rest) if not word[0].islower())


def tells_more(title: str, text: str) -> bool:
    """Return whether a sentence adds to a headline. The two must share a word, unless the headline is short."""
    headline = keys(title)
    return adds_to(title, text) and (len(headline) < _FEW or bool(headline & keys(text)))


def has_parts(title: str, document: str, told: Sequence[str]) -> bool:
    """Return whether a document with the sentences ``told`` has the form of a list, a guide, a review or an advert."""
    parts = blocks(document)
    headings = sum(part.kind == "heading" or is_bold(part) for part in parts)
    paragraphs = [part for part in parts if part.kind == "paragraph"]
    items = sum(part.kind == "item" for part in parts)
    labels = sum(not is_whole(plain(part.text)) for part in paragraphs)
    return (
        SAYS["announces"].match(title) is not None
        or headings >= max(_PARTS, _SECTION * len(paragraphs))
        or items > len(paragraphs)
        or labels > max(2, _LABELS * len(paragraphs))
        or sum(map(addresses_reader, told)) > max(1, _ADVICE * len(told))
    )


def joined(parts: Sequence[str], limit: float = math.inf) -> str | None:
    """Return the sentences as one text, or None if it exceeds ``limit`` or would split into more or fewer sentences."""
    text = ("" if is_dense(parts[0]) else " ").join(parts)
    return text if len(text) <= limit and len(sentences(text)) == len(parts) else None


def _joined_of(told: Sequence[Placed], sizes: Sequence[int], limit: int) -> str | None:
    """Join some sentences in order. ``sizes`` has their allowed numbers. The first may not refer to an earlier one."""
    for size in sizes:
        for chosen in map(sorted, combinations(told, size)):
            if not leans(chosen[0][1]) and (text := joined([part for _, part in chosen], limit)):
                return text
    return None


def shorten(text: str, limit: int) -> str:
    """Cut a text to ``limit`` characters, after a whole word and with an ellipsis. Return "" if no word fits."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    if not text[limit - 1].isspace():
        cut = cut.rpartition(" ")[0]
    cut = cut.rstrip(" ,;:\u2013\u2014-")
    return cut + "…" if cut else ""


def enforce(brief: Brief) -> Brief:
    """Return the brief with each text cut to its limit. A text with too few sentences becomes None."""
    parts = _parts(brief.elevator or "")[:4]
    elevator = joined(parts) or joined(parts[:3]) if len(parts) >= 3 else None
    one = shorten(brief.one_liner or "", ONE_LINER) or None
    return replace(brief, one_liner=one, two_liner=_two(brief.two_liner or ""), elevator=elevator)


def time_saved_seconds(reading_seconds: float, brief: Brief, words_per_minute: int) -> int:
    """Return how many seconds a reader saves by reading the brief instead of the story (at least 0)."""
    read = sum(count(part) for part in (brief.one_liner, brief.two_liner, brief.elevator) if part)
    return max(0, round(reading_seconds - read * 60 / words_per_minute))


def _two(text: str) -> str | None:
    parts = _parts(text)[:2]
    if len(parts) < 2:
        return None
    room = TWO_LINER - 1
    first = shorten(parts[0], max(room // 2, room - len(parts[1])))
    second = shorten(parts[1], room - len(first))
    return joined([first, second], TWO_LINER) if first and second else None


def _parts(text: str) -> list[str]:
    return [" ".join(part.text.split()) for part in sentences(text)]
