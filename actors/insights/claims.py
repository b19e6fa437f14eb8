"""Finds candidates among the sentences of a text with code: figures, API changes, instructions, quotations, questions."""

from collections.abc import Sequence

from actors.ai.markdown import Block, is_prose, marker, plain
from actors.ai.ranking import spoken
from actors.ai.sentences import Sentence
from actors.ai.standing import (
    addresses_reader,
    is_fit,
    is_independent,
    is_scrap,
    is_told_to_reader,
    leans,
    speech,
)
from actors.ai.words import count
from actors.insights.candidates import Candidate, Kind
from actors.patterns import patterns

_SAYS = patterns("actors.insights", "cues.txt")

_MAX_CHARS = 500
_MIN_WORDS = 5
_MAX_MARKUP = 2000  # the same with the addresses of links and pictures, which may be very long
_OPENING = "\u201c"


def claim_candidates(blocks: Sequence[Block]) -> list[Candidate]:
    """The candidates in the prose among ``blocks`` of a text with code; a sentence has only the first kind that fits."""
    return [each for block in blocks if is_prose(block) for each in _sentences(block)]


def _sentences(block: Block) -> list[Candidate]:
    """The candidates in a block's sentences. A sentence that refers to the sentence before is quoted together with it."""
    body = marker(block)
    offset = block.end - len(body)
    found: list[Candidate] = []
    before = None
    for sentence in _with_speech(body, offset):
        text = plain(sentence.text)
        judged = _judge(sentence.text, text)
        start = sentence.start
        if judged is not None and leans(text):
            is_held = before and is_fit(plain(before.text)) and is_independent(plain(before.text))
            start = before.start if before and is_held else -1
        before = sentence
        if judged is not None and start >= 0:
            kind, weight = judged
            if found and found[-1].start == start:
                weight = max(weight, found.pop().weight)
            raw = block.text[start - block.start : sentence.end - block.start]
            found.append(Candidate(kind, plain(raw), raw, start, sentence.end, block.heading, weight=weight))
    return found


def _with_speech(text: str, offset: int) -> list[Sentence]:
    """The sentences of a paragraph; a quotation of several sentences counts as one sentence."""
    found: list[Sentence] = []
    for part, is_spoken in spoken(text, offset):
        if found and (is_spoken or (part.text.startswith(_OPENING) and found[-1].text.startswith(_OPENING))):
            start = found.pop().start
            found.append(Sentence(start, part.end, text[start - offset : part.end - offset]))
        else:
            found.append(part)
    return found


def _judge(raw: str, text: str) -> tuple[Kind, float] | None:
    is_long = len(text) > _MAX_CHARS or len(raw) > _MAX_MARKUP
    if is_long or count(text) < _MIN_WORDS or not is_fit(text) or is_scrap(text):
        return None
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
    """The number of quantities in a sentence that has a share or a measurement; 0 if it addresses the reader like an advert."""
    if not _SAYS["digit"].search(text) or is_told_to_reader(text) or addresses_reader(text):
        return 0
    return len(_SAYS["quantity"].findall(text)) if _SAYS["share"].search(text) or _SAYS["measured"].search(text) else 0
