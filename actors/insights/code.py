"""Finds candidates among the code blocks of a document: examples, diffs, and pairs of before and after."""

from collections.abc import Sequence

from actors.ai.markdown import Block, marker, plain
from actors.ai.sentences import sentences
from actors.ai.standing import is_independent, is_told_to_reader
from actors.insights.candidates import Candidate
from actors.patterns import patterns

_SAYS = patterns("actors.insights", "cues.txt")

_MIN_WORDS = 5
_OUTPUT = frozenset({"text", "txt", "output", "log", "logs", "plaintext", "none"})


def code_candidates(blocks: Sequence[Block], min_lines: int, max_chars: int) -> list[Candidate]:
    """Return the candidates in code blocks with at least ``min_lines`` lines or a change, cut to ``max_chars`` after a line."""
    found: list[Candidate] = []
    for index, block in enumerate(blocks):
        if block.kind != "code" or block.language in _OUTPUT:
            continue
        lines = [line for line in block.text.split("\n") if line.strip()]
        introduction = _introduction(blocks, index)
        earlier = [at for at in (index - 1, index - 2) if at >= 0 and blocks[at].kind == "code"]
        replaced = _introduction(blocks, earlier[0]) if earlier else ""
        changed = (
            _is_change(block, lines)
            or bool(earlier and _SAYS["before_and_after"].search(block.heading))
            or bool(replaced and _SAYS["before"].search(replaced) and _SAYS["after"].search(introduction))
        )
        # The block of a program's output names no language, and the sentence before calls it output.
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


def _is_change(block: Block, lines: Sequence[str]) -> bool:
    removed = sum(line.startswith("-") and not line.startswith("- ") for line in lines)
    added = sum(line.startswith("+") for line in lines)
    is_diff = bool(removed and added) and removed + added >= len(lines) / 3
    return is_diff or block.language in {"diff", "patch"}


def _introduction(blocks: Sequence[Block], index: int) -> str:
    """Return the sentence before a block."""
    if index == 0 or blocks[index - 1].kind not in {"paragraph", "item"}:
        return ""
    parts = sentences(marker(blocks[index - 1]))
    return plain(parts[-1].text) if parts else ""


def _said_about(block: Block, introduction: str) -> str:
    """Return the sentence before a block if it can be read alone, or else the heading, which may be empty."""
    said = introduction.rstrip(" :.") + "."
    if (
        len(said.split()) >= _MIN_WORDS
        and is_independent(said)
        and not (is_told_to_reader(said) or _SAYS["code"].search(said))
    ):
        return said
    named = f"{block.language} code" if block.language else "Code"
    return f"{named} under “{block.heading}”" if block.heading else ""
