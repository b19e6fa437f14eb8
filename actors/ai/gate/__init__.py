"""Checks a model's text: it must be well formed, and its numbers, dates, names and quotations must be in the story."""

import unicodedata

from actors.ai.gate import form, names
from actors.ai.gate.dates import dates
from actors.ai.gate.evidence import Evidence, evidence, is_unspaced, key, keys, script, tokens
from actors.ai.gate.figures import stands_among
from actors.ai.gate.numbers import numbers
from actors.ai.gate.quotations import quoted, stands_in
from actors.ai.protocol import Story
from actors.ai.sentences import sentences

_LANGUAGES = {"english": "en", "german": "de", "french": "fr", "spanish": "es", "italian": "it", "portuguese": "pt"}
_SUPPORT = 0.12  # if the story has a smaller share of a sentence's words, the sentence is about something else


def fault(text: str, story: Story, *, is_translated: bool = False) -> str | None:
    """Return why a text about a story must not be shown, worded for the model that wrote it, or None if it is good.

    In a translation, only numbers, dates and amounts of money are compared with the story, because the words differ.
    """
    known = evidence(story)
    for sentence in sentences(unicodedata.normalize("NFKC", text)):
        found = form.fault(sentence.text)
        if not found and sentence.text not in known.sentences:
            found = figures(sentence.text, known) or (None if is_translated else _words(sentence.text, known))
        if found:
            return f"“{sentence.text[:160]}”: {found}"
    return None


def is_in(language: str, story: Story) -> bool:
    """Return whether a story is written in ``language``, which is an English name or a code."""
    code = _LANGUAGES.get(language.lower(), language.lower())
    return (story.language or "").lower().split("-")[0] == code.split("-")[0]


def figures(sentence: str, story: Evidence) -> str | None:
    """If the story lacks a date or a number of a sentence, return a fault that names it. Otherwise return None."""
    mine = dates(sentence)
    if mine.parts and (gone := mine.missing(story.dates, {value for one in story.numbers for value in one.values})):
        return f"the story does not name {gone}"
    for number in numbers(mine.rest):
        if not stands_among(number, story.numbers):
            return f"the story does not have the number {number.text}"
    return None


def _words(sentence: str, story: Evidence) -> str | None:
    # Test the writing system only of words that the story lacks, because the story's own words may be foreign names.
    new = " ".join(word for word in tokens(sentence) if key(word) not in story.keys)
    if not is_unspaced(story.text) and script(new) not in {"", story.script}:
        return "it is not in the story's language"
    for quote in quoted(sentence):
        if not stands_in(quote, story.normal):
            return f"the story has no such quotation: {quote[:100]}"
    if name := names.unknown(sentence, story):
        return f"the story does not name {name}"
    said = {each for each in keys(sentence) if not each[0].isdigit()}
    if said & keys(story.orders) - story.keys:
        return "it repeats an instruction of the page to a model"
    if said and len(said & story.keys) < _SUPPORT * len(said):
        return "it says things of which the story has no word"
    return None
