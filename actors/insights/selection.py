"""Selects the highlights of a document: the best candidates of each kind, without repetition."""

from collections.abc import Sequence

from pydantic import BaseModel, Field

from actors.ai.composition import announces
from actors.ai.gate.evidence import keys
from actors.ai.markdown import Block, blocks
from actors.insights.candidates import Candidate, Kind, in_context
from actors.insights.claims import claim_candidates, telling, telling_beside_code
from actors.insights.code import code_candidates

_MARKS = 4  # a text with this number of back quotes has at least two names in code


class Selection(BaseModel, frozen=True, extra="forbid"):
    """Defines how many highlights of each kind extract-highlights gives a story."""

    limits: dict[Kind, int] = {  # another kind gets none
        "code_change": 3,
        "api_change": 4,
        "metric": 6,
        "code_example": 3,
        "insight": 2,
        "action": 2,
        "quote": 2,
        "question": 0,
    }
    total: int = Field(default=12, ge=1, le=50)  # of one story
    min_code_lines: int = Field(default=2, ge=1)  # a shorter block must show a change
    max_quote: int = Field(default=2000, ge=200, le=8000)  # characters; code is cut after a whole line
    repetition: float = Field(default=0.7, gt=0, le=1)  # of two that share this part of the words, the better stays
    lead: float = Field(default=0.4, ge=0, le=1)  # the weight of a text's beginning


def highlights(document: str, settings: Selection, title: str = "", told: str = "") -> list[Candidate]:
    """Return the highlights of a Markdown ``document``, verbatim and in order, without repeats of the text ``told``."""
    parts = blocks(document)
    if has_code(parts):
        found = _of_code(parts, document, settings, title)
    else:
        found = _best(telling(document, settings.lead, title, told), settings)
    kept = _without_repetition(found, settings.repetition, settings.total, told)
    return sorted(in_context(kept, parts, title), key=lambda candidate: (candidate.start, candidate.end))


def _of_code(parts: Sequence[Block], document: str, settings: Selection, title: str) -> list[Candidate]:
    code = code_candidates(parts, settings.min_code_lines, settings.max_quote)
    is_guide = announces(title)  # the instructions of a guide form a whole, in their order
    claims = [
        claim
        for claim in claim_candidates(parts)
        if len(claim.quote) <= settings.max_quote and not (is_guide and claim.kind == "action")
    ]
    others = telling_beside_code(document, settings.limits.get("insight", 0), settings.lead, title, claims)
    return [*_best([*code, *claims], settings), *others]


def has_code(parts: Sequence[Block]) -> bool:
    """Return whether a text has code: a code block, or several names in back quotes."""
    return any(part.kind == "code" for part in parts) or sum(part.text.count("`") for part in parts) >= _MARKS


def _best(candidates: Sequence[Candidate], settings: Selection) -> list[Candidate]:
    kept: list[Candidate] = []
    for kind, limit in settings.limits.items():
        of_kind = [candidate for candidate in candidates if candidate.kind == kind]
        of_kind.sort(key=lambda candidate: (-candidate.weight, candidate.start))
        kept += _without_repetition(of_kind, settings.repetition, limit)
    return kept


def _without_repetition(
    candidates: Sequence[Candidate], threshold: float, limit: int, told: str = ""
) -> list[Candidate]:
    """Return the first ``limit`` candidates that repeat no earlier one and not ``told``. Code repeats only equal code."""
    kept: list[Candidate] = []
    said = [keys(told)]
    for each in candidates:
        mine = keys(each.summary)
        is_new = each.kind.startswith("code") or not any(
            mine and other and len(mine & other) >= threshold * min(len(mine), len(other)) for other in said
        )
        if len(kept) < limit and is_new and all(each.quote != other.quote for other in kept):
            kept.append(each)
            said.append(mine)
    return kept
