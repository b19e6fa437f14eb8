"""Selects a document's highlights, which are the best candidates of each kind. Also finds code blocks as candidates."""

from collections.abc import Sequence

from pydantic import BaseModel, Field

from actors.ai.gate.evidence import keys
from actors.ai.gate.form import SAYS
from actors.ai.markdown import Block, article, marker, plain
from actors.ai.sentences import sentences
from actors.ai.standing import is_independent, is_told_to_reader
from actors.insights.candidates import Candidate, Kind, in_context
from actors.insights.claims import claim_candidates, telling, telling_beside_code
from actors.patterns import patterns

_SAYS = patterns("actors.insights", "cues.txt")

_MIN_WORDS = 5
_OUTPUT = frozenset({"text", "txt", "output", "log", "logs", "plaintext", "none"})
_MARKS = 4  # a text with this number of back quotes has at least two names in code


class Selection(BaseModel, frozen=True, extra="forbid"):
    """Defines how many highlights of each kind extract-highlights stores for a story."""

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
    """Return the highlights of a Markdown ``document``, verbatim and in order, without those that repeat ``told``."""
    parts = article(document)
    if has_code(parts):
        is_guide = SAYS["announces"].match(title)  # the instructions of a guide form a whole, in their order
        claims = [
            claim
            for claim in claim_candidates(parts)
            if len(claim.quote) <= settings.max_quote and not (is_guide and claim.kind == "action")
        ]
        code = code_candidates(parts, settings.min_code_lines, settings.max_quote)
        found = _best([*code, *claims], settings)
        found += telling_beside_code(document, settings.limits.get("insight", 0), settings.lead, title, claims)
    else:
        found = _best(telling(document, settings.lead, title, told), settings)
    kept = _without_repetition(found, settings.repetition, settings.total, told)
    return sorted(in_context(kept, parts, title), key=lambda candidate: (candidate.start, candidate.end))


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
    """Return up to ``limit`` candidates that repeat neither ``told`` nor each other. Similar code is allowed."""
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


def code_candidates(blocks: Sequence[Block], min_lines: int, max_chars: int) -> list[Candidate]:
    """Return code blocks with at least ``min_lines`` lines or a change of code, cut after a line to ``max_chars``."""
    found: list[Candidate] = []
    for index, block in enumerate(blocks):
        if block.kind != "code" or block.language in _OUTPUT:
            continue
        lines = [line for line in block.text.split("\n") if line.strip()]
        introduction = _introduction(blocks, index)
        earlier = [at for at in (index - 1, index - 2) if at >= 0 and blocks[at].kind == "code"]
        replaced = _introduction(blocks, earlier[0]) if earlier else ""
        removed = sum(line.startswith("-") and not line.startswith("- ") for line in lines)
        added = sum(line.startswith("+") for line in lines)
        changed = (
            (removed and added and removed + added >= len(lines) / 3)
            or block.language in {"diff", "patch"}
            or bool(earlier and _SAYS["before_and_after"].search(block.heading))
            or bool(replaced and _SAYS["before"].search(replaced) and _SAYS["after"].search(introduction))
        )
        # A block without a language is a program's output if the sentence before it says so.
        is_output = not block.language and _SAYS["shown"].search(introduction)
        if not changed and (len(lines) < min_lines or is_output):
            continue
        if not (summary := _said_about(block, introduction)):
            continue
        if changed and earlier:  # this and the last block show a change; the old form is no example to follow
            old = {blocks[at].start for at in earlier}
            found = [each for each in found if each.kind == "code_change" or each.start not in old]
        cut = block.text if len(block.text) <= max_chars else block.text[:max_chars].rpartition("\n")[0]
        quote = (cut or block.text[:max_chars]).rstrip()
        found.append(
            Candidate(
                kind="code_change" if changed else "code_example",
                summary=summary,
                quote=quote,
                start=block.start,
                end=block.start + len(quote),
                heading=block.heading,
                language=block.language,
                weight=min(len(lines), 20) / 20 + (1 if changed else 0),
            )
        )
    return found


def _introduction(blocks: Sequence[Block], index: int) -> str:
    """Return the sentence directly before a block, or an empty string."""
    if index == 0 or blocks[index - 1].kind not in {"paragraph", "item"}:
        return ""
    parts = sentences(marker(blocks[index - 1]))
    return plain(parts[-1].text) if parts else ""


def _said_about(block: Block, introduction: str) -> str:
    """Return the sentence before a code block if it is clear alone, or else a text with the heading, if any."""
    if (
        len(introduction.split()) >= _MIN_WORDS
        and is_independent(introduction)
        and not (is_told_to_reader(introduction) or _SAYS["code"].search(introduction))
    ):
        return introduction
    named = f"{block.language} code" if block.language else "Code"
    return f"{named} under “{block.heading}”" if block.heading else ""
