"""One line of a story: a sentence about the whole that can be read alone and adds to the headline, cut where it is too long."""

import re
from collections.abc import Iterator

from actors.ai import gate
from actors.ai.composition import ONE_LINER, has_parts, names_more, shorten, tells_more
from actors.ai.gate import form
from actors.ai.gate.evidence import evidence, keys
from actors.ai.patterns import patterns
from actors.ai.protocol import Story
from actors.ai.ranking import ranked
from actors.ai.sentences import is_whole, sentences
from actors.ai.standing import addresses_reader, is_told_to_reader, is_unfinished, leans, says_i, speaks_of_us, speech
from actors.ai.words import SMALL, count

_SAYS = patterns("actors.ai", "patterns.txt")

_BEGINNING = 3  # sentences of the text
_BORNE_OUT = 0.5  # share of a description's words that the text has
_CUT_OFF = ("\u2026", "...", "]")
_LOOK_AHEAD = 60  # characters
_NEAR = 3  # words after "this" among which its noun stands
_LEAST_CUT = 60  # characters
_LEAST_REST = 4  # words; a clause of which fewer are left tells nothing
_DATELINE = re.compile(  # as in "ORRIN, Velm (ABC) — "
    r"[^\W\d_a-z][\w.'\u2019]*(?:,?\s+[^\W\d_a-z][\w.'\u2019]*){0,3}\s?(?:\([^()]{2,30}\)\s?)?(?:[\u2014\u2013]|--|-|\.-)\s+(?=\w)"
)
_LONGEST_DATELINE = 80  # characters
_ASIDE = re.compile(r"[\u2014\u2013]| - ")
_CLAUSE = re.compile(r",? [\u2014\u2013-] |[,;] ")
_NAME = re.compile(r" [^\W\d_a-z]")


def one_line(story: Story) -> str | None:
    """The page's description, or one of the first sentences of the text, or as much of it as fits; None if none can be shown.

    Each shares a word with the headline and adds a name or a number to it. None needs another sentence, is speech or background,
    or is told to the reader or of its author. A list or a guide has only the description, because a sentence of its text tells a
    part, or nothing.
    """
    headline = keys(story.title)
    for text in _beginnings(story):
        dateline = _DATELINE.match(text, 0, _LONGEST_DATELINE)
        told = text[dateline.end() :] if dateline else text
        if is_unfinished(told) or speech(told) or _is_no_news(told) or _needs_another(told, headline):
            continue
        head = told if len(told) <= ONE_LINER else _cut(told, headline)
        if tells_more(story.title, head) and names_more(story.title, head):
            return head
    return None


def _beginnings(story: Story) -> Iterator[str]:
    """The sentences that may tell the whole, best first."""
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
    """Whether a description is a whole sentence whose words and facts the story has."""
    said = keys(text)
    is_of_story = len(said & evidence(story).keys) >= _BORNE_OUT * len(said)
    return is_of_story and _is_ended(text, story.document) and gate.fault(text, story) is None


def _is_ended(text: str, document: str) -> bool:
    """Whether a description is a whole sentence, with or without a stop, and the document does not go on with it."""
    is_told = is_whole(text) or (len(text) <= ONE_LINER and is_whole(f"{text}."))
    rest = document.partition(text)[2][:_LOOK_AHEAD]
    return is_told and not text.endswith(_CUT_OFF) and sentences(text + rest)[0].text == text


def _needs_another(text: str, headline: frozenset[str]) -> bool:
    """Whether a sentence refers to the one before it; in "This dam …" the headline may name the dam."""
    pointing = _SAYS["this"].match(text)
    if pointing and headline & keys(" ".join(text[pointing.end() :].split()[:_NEAR])):
        text = text[pointing.end() :]
    return leans(text)


def _is_no_news(text: str) -> bool:
    """Whether a sentence is background, a cry, or speaks to the reader or of its author."""
    is_personal = is_told_to_reader(text) or addresses_reader(text) or speaks_of_us(text) or says_i(text)
    return is_personal or bool(_SAYS["background"].match(text) or _SAYS["no_news"].search(text))


def _cut(text: str, headline: frozenset[str]) -> str:
    """The beginning of a sentence within 140 characters, with an ellipsis.

    It is empty if the rest tells who says it, if an aside is left open, or if the beginning only introduces the statement: its
    first word is no article or name, or the rest has as many of the headline's words.
    """
    head = _words(text)
    clauses = [end.start() for end in _CLAUSE.finditer(head, _LEAST_CUT)]
    if clauses and count(head[clauses[-1] :].lstrip(" ,;-\u2013\u2014")) < _LEAST_REST:
        head = head[: clauses[-1]]
    named = headline & keys(head)
    is_introduced = (
        "," in text[: len(head) + 1] and text.split(maxsplit=1)[0].lower() in SMALL and not _SAYS["named"].match(text)
    )
    is_open = len(_ASIDE.findall(head)) % 2 and _ASIDE.search(text, len(head))
    loses_speaker = _SAYS["attributed"].search(text, len(head)) and not _SAYS["attributed"].search(head)
    if is_introduced or is_open or loses_speaker or len(headline & keys(text) - named) >= max(1, len(named)):
        return ""
    return f"{head}\u2026" if form.is_balanced(head) else ""


def _words(text: str) -> str:
    """The words that fit, up to one that carries a fact, and no part of a name."""
    head = shorten(text, ONE_LINER)[:-1]
    while head:
        rest, _, last = head.rpartition(" ")
        is_inside_name = last[:1].isupper() and _NAME.match(text, len(head))
        if not (last.lower() in SMALL or last[:1].isdigit() or is_inside_name):
            break
        head = rest.rstrip(",;:")
    return head
