"""Sentences of a text with code as candidates: changes of code and of APIs, and instructions."""

from collections.abc import Sequence

from actors.ai.gate.evidence import tokens
from actors.ai.markdown import Block, is_prose, marker, plain
from actors.ai.sentences import sentences
from actors.ai.standing import is_fit, is_independent, is_personal
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


def claim_candidates(blocks: Sequence[Block]) -> list[Candidate]:
    """The candidates in the prose among ``blocks``; each sentence counts once, as the first kind that fits.

    They are looked for only in texts with code: elsewhere their words mean something else.
    """
    found: list[Candidate] = []
    if not any(block.kind == "code" for block in blocks):
        return found
    for block in filter(is_prose, blocks):
        body = marker(block)
        for one in sentences(body, block.end - len(body)):
            text = plain(one.text)
            if judged := _judge(one.text, text, is_item=block.kind == "item"):
                kind, weight = judged
                found.append(Candidate(kind, text, one.text, one.start, one.end, block.heading, weight=weight))
    return found


def _judge(raw: str, text: str, *, is_item: bool) -> tuple[Kind, float] | None:
    if len(text) > _MAX_CHARS or len(raw) > _MAX_MARKUP or count(text) < _MIN_WORDS or not is_fit(raw, text):
        return None
    return _kind(raw, text) if is_independent(text) and not (is_item and _is_entry(text)) else None


def _is_entry(text: str) -> bool:
    """Whether an item of a list does not read like a sentence."""
    small = sum(word.lower() in SMALL for word in tokens(text))
    return small < _SMALL_WORDS or _SAYS["labelled"].match(text) is not None


def _kind(raw: str, text: str) -> tuple[Kind, float] | None:
    if _SAYS["specific"].search(raw) and (_SAYS["conditional_order"].search(text) or _SAYS["directed"].search(text)):
        return "action", 1.0
    if is_personal(text):
        return None
    if _SAYS["replace"].search(raw):
        return "code_change", 1.0
    if _SAYS["api"].search(raw) and (changes := len(_SAYS["changed"].findall(raw))):
        return "api_change", changes + (2.0 if _SAYS["broken"].search(raw) else 0.0)
    return None
