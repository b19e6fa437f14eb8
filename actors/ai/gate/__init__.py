"""The gate for a model's text: each sentence must be fit to be shown, and the story must support it."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from actors.ai.gate import form, implied, names, nearness, pairs, statements
from actors.ai.gate.dates import dates
from actors.ai.gate.evidence import Evidence, evidence, script, tongues
from actors.ai.gate.numbers import numbers
from actors.ai.gate.quotations import quoted, stands_in
from actors.ai.sentences import sentences

if TYPE_CHECKING:
    from actors.ai.protocol import Story

__all__ = ["fault", "is_in"]

_LANGUAGES = {"english": "en", "german": "de", "french": "fr", "spanish": "es", "italian": "it", "portuguese": "pt"}


def fault(text: str, story: Story, *, is_translated: bool = False) -> str | None:
    """The reason why a text about a story must not be shown, in words that a model understands; None if it may be shown.

    A translation is compared only by things that are the same in every language: numbers, dates and money.
    """
    known = evidence(story)
    for sentence in sentences(unicodedata.normalize("NFKC", text)):
        found = form.fault(sentence.text) or _invented(sentence.text, known, is_translated=is_translated)
        if found:
            return f"“{sentence.text[:160]}”: {found}"
    return None


def is_in(language: str, story: Story) -> bool:
    """Whether a story is written in a language, given by its English name or its code. Judged by the story's small words."""
    counted = evidence(story).tongues
    code = _LANGUAGES.get(language.lower(), language.lower())
    return max(counted, key=counted.__getitem__) == code


def _invented(sentence: str, story: Evidence, *, is_translated: bool) -> str | None:
    figures = _figures(sentence, story)
    if figures or is_translated:
        return figures
    if not _speaks_like(sentence, story):
        return "it is not in the story's language"
    for quote in quoted(sentence):
        if not stands_in(quote, story.normal):
            return f"the story has no such quotation: {quote[:100]}"
    name = names.unknown(sentence, story, is_german=story.is_german)
    if name:
        return f"the story does not name {name}"
    checks = (
        statements.ordered,
        statements.told_as_fact,
        statements.invented_cause,
        statements.misattributed,
        statements.denied,
        statements.unsupported,
        pairs.turned_round,
        pairs.misquoted,
        pairs.miscaused,
        pairs.mispaired,
        pairs.misdated,
        nearness.far_apart,
        nearness.far_caused,
    )
    return next(filter(None, (check(sentence, story) for check in checks)), None)


def _figures(sentence: str, story: Evidence) -> str | None:
    mine = dates(sentence)
    written = story.dates
    flat = [number for each in story.numbers for number in each]
    mine.years -= implied.years(flat, written.years)
    missing = mine.missing(written)
    if missing:
        return f"the story does not name {missing}"
    for number in numbers(mine.rest):
        if not implied.follows(number, sentence, story.numbers, story.text):
            return f"the story neither has nor implies the number {number.text}"
    return None


def _speaks_like(sentence: str, story: Evidence) -> bool:
    """Whether the sentence is in the story's script and, as far as its small words show it, in its language."""
    if script(sentence) != story.script:
        return not script(sentence)
    mine, theirs = tongues(sentence), story.tongues
    most, theirs_most = max(mine, key=mine.__getitem__), max(theirs, key=theirs.__getitem__)
    return mine[most] < 4 or mine[most] <= 2 * mine[theirs_most]
