"""Finds sentences for highlights: in a text with code, those of each kind, such as quotes; in others, the best."""

from collections import defaultdict
from collections.abc import Collection, Sequence

from actors.ai.composition import adds_to, has_parts, tells_more
from actors.ai.gate.evidence import keys, tokens
from actors.ai.gate.form import SAYS
from actors.ai.markdown import Block, is_prose, marker, plain
from actors.ai.ranking import Ranked, best, ranked, spoken
from actors.ai.sentences import Sentence
from actors.ai.standing import (
    addresses_reader,
    is_fit,
    is_independent,
    is_scrap,
    is_told_to_reader,
    leans,
    names_in,
    speech,
    stands_alone,
)
from actors.ai.words import count
from actors.insights.candidates import Candidate, Kind
from actors.patterns import patterns

_SAYS = patterns("actors.insights", "cues.txt")

_MAX_CLAIM = 500  # maximum number of characters of a claim
_MAX_MARKUP = 2000  # maximum number of characters with the addresses of links and pictures
_MIN_CLAIM = 5  # minimum number of words of a claim
_MOST = 3
_LEAST = 0.35  # a sentence must have this share of the best score
_MIN_WORDS = 10
_MAX_CHARS = 400
_ABOUT = 1.5  # number of the topic's keys that a sentence must have; keys of the headline count 1, other keys 0.5
_SHARED = 12  # number of a topic's other keys; if fewer occur more than once, the topic is not clear
_BEGINNING = 3  # number of first sentences in which the opening statement is searched
_LONG = 10  # a text with this number of sentences is long
_END = 0.85  # after this share of a long text comes text about the author or the company
_FACTS = 2  # a sentence with fewer numbers and multi-word names is mostly background or an advert


def claim_candidates(blocks: Sequence[Block]) -> list[Candidate]:
    """Return the candidates for highlights in a text that contains code. The first rule that fits gives the kind.

    If a sentence refers to the previous sentence, both are quoted together.
    """
    found: list[Candidate] = []
    for block in filter(is_prose, blocks):
        body = marker(block)
        before: int | None = None  # the start of the sentence before, if that sentence can be read alone
        for one in _with_speech(body, block.end - len(body)):
            text = plain(one.text)
            judged, start = _judge(one.text, text), before if leans(text) else one.start
            if judged and start is not None:
                kind, weight = judged
                if found and found[-1].start == start:
                    weight = max(weight, found.pop().weight)
                raw = block.text[start - block.start : one.end - block.start]
                found.append(Candidate(kind, plain(raw), raw, start, one.end, block.heading, weight=weight))
            before = one.start if is_fit(text) and is_independent(text) else None
    return found


def _with_speech(text: str, offset: int) -> list[Sentence]:
    """Return the sentences of a paragraph. A quotation of several sentences counts as one sentence."""
    found: list[Sentence] = []
    for part, is_spoken in spoken(text, offset):
        if found and (is_spoken or (part.text.startswith("\u201c") and found[-1].text.startswith("\u201c"))):
            start = found.pop().start
            found.append(Sentence(start, part.end, text[start - offset : part.end - offset]))
        else:
            found.append(part)
    return found


def _judge(raw: str, text: str) -> tuple[Kind, float] | None:
    is_long = len(text) > _MAX_CLAIM or len(raw) > _MAX_MARKUP
    if is_long or count(text) < _MIN_CLAIM or not is_fit(text) or is_scrap(text):
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
    """Count the quantities in a sentence that has a percentage or measurement. Return 0 if it addresses the reader."""
    if not _SAYS["digit"].search(text) or is_told_to_reader(text) or addresses_reader(text):
        return 0
    return len(_SAYS["quantity"].findall(text)) if _SAYS["share"].search(text) or _SAYS["measured"].search(text) else 0


def telling(document: str, lead: float, title: str, told: str) -> list[Candidate]:
    """Return up to three best sentences with two facts or more; of a list article or guide, at most one, with a figure.

    Sentences with quotations are left out, because they seldom say what happened.
    """
    items = ranked(document, lead)
    headline, shared = _topic(title, document)
    is_guide = has_parts(title, document, [item.text for item in items])
    first = None if is_guide else next((item for item in items[:_BEGINNING] if item.is_statement), None)
    pool = [
        item
        for item in items
        if (len(items) < _LONG or item.end < _END * len(document))
        and len(item.text) <= _MAX_CHARS
        and item.text != told
        and (not shared or len(headline & (said := keys(item.text))) + len(shared & said) / 2 >= _ABOUT)
        and item.is_independent
        and (not is_guide or _is_general_figure(item.text, headline))
        and _facts(item.text) + (item is first) >= _FACTS
        and adds_to(title, item.text)
        and not (SAYS["background"].match(item.text) or speech(item.text))
        and stands_alone(item.text, title, document, is_first=item is first)
    ]
    return [_candidate(item, _kind(item.text)) for item in best(pool, 1 if is_guide else _MOST)]


def _topic(title: str, document: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the stems of the headline, and of the 12 main words that the text repeats (none if it repeats fewer)."""
    headline = keys(title)
    weights: dict[str, float] = defaultdict(float)
    times: dict[str, int] = defaultdict(int)
    for item in ranked(document):
        for key in keys(item.text) - headline:
            weights[key] += item.score
            times[key] += not key.isdigit()
    shared = [key for key in sorted(weights, key=weights.__getitem__, reverse=True) if times[key] > 1]
    return headline, frozenset(shared[:_SHARED] if headline and len(shared) >= _SHARED else ())


def telling_beside_code(
    document: str, most: int, lead: float, title: str, taken: Collection[Candidate]
) -> list[Candidate]:
    """Return the ``most`` best sentences outside ``taken`` of a text with code, none of a guide. They may say "we"."""
    items = ranked(document, lead)
    least = _LEAST * max((item.score for item in items), default=0.0)
    pool = [
        item
        for item in items
        if item.score >= least
        and len(item.text) <= _MAX_CHARS
        and count(item.text) >= _MIN_WORDS
        and item.is_independent
        and not is_told_to_reader(item.text)
        and tells_more(title, item.text)
        and not any(one.start < item.end and item.start < one.end for one in taken)
    ]
    return [] if SAYS["announces"].match(title) else [_candidate(item, "insight") for item in best(pool, most)]


def _candidate(item: Ranked, kind: Kind) -> Candidate:
    return Candidate(kind, item.text, item.raw, item.start, item.end, item.heading, weight=item.score)


def _facts(text: str) -> int:
    """Return how many facts a sentence has. A fact is a number or a multi-word name."""
    return len(SAYS["whole_number"].findall(text)) + sum(len(name) > 1 for name in names_in(text))


def _is_general_figure(text: str, headline: frozenset[str]) -> bool:
    """Return whether a sentence has a percentage or measurement and a headline word, and begins without an article."""
    first = (tokens(text) or ("",))[0]
    return _kind(text) == "metric" and bool(headline & keys(text)) and not SAYS["article"].match(first)


def _kind(text: str) -> Kind:
    has_figure = _SAYS["share"].search(text) or (_SAYS["quantity"].search(text) and _SAYS["measured"].search(text))
    return "metric" if has_figure else "insight"
