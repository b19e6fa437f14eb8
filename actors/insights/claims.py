"""Sentences of a text with code as candidates: figures, API changes, instructions, quotations and questions."""

from collections.abc import Iterator, Sequence

from actors.ai.gate.evidence import tokens
from actors.ai.markdown import Block, is_prose, marker, plain
from actors.ai.sentences import Sentence, sentences
from actors.ai.standing import (
    addresses_reader,
    is_fit,
    is_independent,
    is_scrap,
    is_told_to_reader,
    leans,
    speech,
)
from actors.ai.words import SMALL, count
from actors.insights.candidates import Candidate, Kind
from actors.patterns import patterns

_SAYS = patterns("actors.insights", "cues.txt")

_MAX_CHARS = 500
_SMALL_WORDS = 3  # an item of a list with fewer small words is a scrap
_MIN_WORDS = 5
_MAX_MARKUP = (
    2000  # characters, with the addresses of links and pictures; a page may have megabytes of them in a sentence
)
_OPENING = "\u201c"
_CLOSING = "\u201d"


def claim_candidates(blocks: Sequence[Block]) -> list[Candidate]:
    """The candidates in the prose among ``blocks`` of a text with code; a sentence counts once, as the first kind that fits."""
    return [each for block in blocks if is_prose(block) for each in _sentences(block)]


def _sentences(block: Block) -> list[Candidate]:
    """The candidates in a block's sentences. A sentence that refers to the one before it is quoted together with it."""
    body = marker(block)
    offset = block.end - len(body)
    found: list[Candidate] = []
    before = None
    for sentence in _with_speech(sentences(body, offset), block):
        text = plain(sentence.text)
        judged = _judge(sentence.text, text, is_item=block.kind == "item")
        start = sentence.start
        if judged is not None and leans(text):
            start = before.start if before is not None and _can_be_leant_on(before.text) else -1
        before = sentence
        if judged is not None and start >= 0:
            kind, weight = judged
            if found and found[-1].start == start:
                weight = max(weight, found.pop().weight)
            raw = block.text[start - block.start : sentence.end - block.start]
            found.append(Candidate(kind, plain(raw), raw, start, sentence.end, block.heading, weight=weight))
    return found


def _can_be_leant_on(raw: str) -> bool:
    text = plain(raw)
    return is_fit(raw, text) and is_independent(text)


def _with_speech(parts: list[Sentence], block: Block) -> Iterator[Sentence]:
    """The sentences, with one person's speech of several sentences in one piece."""
    start = end = unclosed = 0
    is_speech = False
    for part in parts:
        goes_on = is_speech and part.text.startswith(_OPENING)
        if end and (unclosed > 0 or goes_on):
            added = block.text[end - block.start : part.end - block.start]
        else:
            if end:
                yield Sentence(start, end, block.text[start - block.start : end - block.start])
            start, unclosed, added = part.start, 0, part.text
            is_speech = part.text.startswith(_OPENING)
        unclosed += added.count(_OPENING) - added.count(_CLOSING)
        end = part.end
    if end:
        yield Sentence(start, end, block.text[start - block.start : end - block.start])


def _is_entry(text: str) -> bool:
    """Whether an item of a list does not read like a sentence."""
    small = sum(word.lower() in SMALL for word in tokens(text))
    return small < _SMALL_WORDS or _SAYS["labelled"].match(text) is not None


def _judge(raw: str, text: str, *, is_item: bool) -> tuple[Kind, float] | None:
    if (
        len(text) > _MAX_CHARS
        or len(raw) > _MAX_MARKUP
        or count(text) < _MIN_WORDS
        or not is_fit(raw, text)
        or is_scrap(text)
    ):
        return None
    return None if is_item and _is_entry(text) else _kind(raw, text)


def _kind(raw: str, text: str) -> tuple[Kind, float] | None:
    judged: tuple[Kind, float] | None = None
    if _SAYS["replace"].search(raw):
        judged = "code_change", 1.0
    elif _SAYS["conditional_order"].search(text):
        judged = "action", 1.5
    elif _SAYS["api"].search(raw) and (changes := len(_SAYS["changed"].findall(raw))):
        judged = "api_change", changes + (2.0 if _SAYS["broken"].search(raw) else 0.0)
    elif (parts := speech(text)) and (_SAYS["speaker"].search(text) or len(parts[0].group()) > len(text) / 2):
        judged = "quote", len(parts[0].group()) / 100
    elif figures := _figures(text):
        judged = "metric", figures
    elif text.endswith("?"):
        judged = "question", 1.0
    elif _SAYS["directed"].search(text) and (not addresses_reader(raw) or _SAYS["specific"].search(raw)):
        judged = "action", 1.0
    return judged


def _figures(text: str) -> int:
    """The number of quantities in a sentence with a share or a measurement; 0 if it addresses the reader, as adverts do."""
    if not _SAYS["digit"].search(text) or is_told_to_reader(text) or addresses_reader(text):
        return 0
    return len(_SAYS["quantity"].findall(text)) if _SAYS["share"].search(text) or _SAYS["measured"].search(text) else 0
