"""Finds the one-liner of a story: a sentence about the whole story that can be read alone and adds to the headline."""

import re
from collections.abc import Iterator
from dataclasses import replace

from actors.ai import gate
from actors.ai.composition import ONE_LINER, has_parts, names_more, tells_more
from actors.ai.gate.dates import dates
from actors.ai.gate.evidence import evidence, keys
from actors.ai.gate.figures import known_numbers, stands_among
from actors.ai.gate.numbers import numbers
from actors.ai.protocol import Story
from actors.ai.ranking import ranked
from actors.ai.sentences import is_whole, sentences
from actors.ai.standing import speech
from actors.ai.subject import stands_alone
from actors.ai.words import count
from actors.patterns import patterns

_SAYS = patterns("actors.ai", "patterns.txt")

_BEGINNING = 3  # number of first sentences of the text that are considered
_MIN_WORDS = 8
_BORNE_OUT = 0.7  # the text must have this share of a description's words
_CUT_OFF = ("\u2026", "...", "]")
_LOOK_AHEAD = 60  # number of characters after a description in the text that show whether the sentence goes on
_AGENCY = re.compile(r".{2,30}? \([^()]{2,30}\)\W")  # a dateline without a dash


def one_line(story: Story) -> str | None:
    """The page's description, or one of the first sentences of the text; None if none can be shown.

    It has at most 140 characters, shares a word with the headline and adds a name or a number to it. It is not speech or
    background. For a list or a guide only the description counts, because a single sentence of its text covers only a part.
    """
    for text in _beginnings(story):
        if (
            len(text) <= ONE_LINER
            and count(text) >= _MIN_WORDS
            and not (
                speech(text) or _AGENCY.match(text) or _SAYS["background"].match(text) or _SAYS["no_news"].search(text)
            )
            and tells_more(story.title, text)
            and names_more(story.title, text)
            and stands_alone(text, story.title, story.document)
        ):
            return text
    return None


def _beginnings(story: Story) -> Iterator[str]:
    """The sentences that may summarise the whole text, best first."""
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
    """Whether a description is a whole sentence whose words and facts the text contains."""
    said = keys(text)
    told = replace(story, title="", source="")
    is_of_story = len(said & evidence(told).keys) >= _BORNE_OUT * len(said)
    is_told = is_of_story and _is_ended(text, story.document) and gate.fault(text, told) is None
    return is_told and _has_figures_of_one(text, story.document)


def _has_figures_of_one(text: str, document: str) -> bool:
    """Whether a single sentence of a document has all numbers of a text; in several sentences they may count different things."""
    said = numbers(dates(text).rest)
    told = (known_numbers([dates(item.text).rest]) for item in ranked(document)) if said else ()
    return not said or any(all(stands_among(one, known) for one in said) for known in told)


def _is_ended(text: str, document: str) -> bool:
    """Whether a description is a whole sentence, and this sentence does not go on in the document."""
    rest = document.partition(text)[2][:_LOOK_AHEAD]
    return is_whole(text) and not text.endswith(_CUT_OFF) and sentences(text + rest)[0].text == text
