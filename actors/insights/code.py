"""Code blocks of a document as candidates: examples, diffs, and pairs of before and after."""

from collections.abc import Sequence

from actors.ai.markdown import Block, marker, plain
from actors.ai.sentences import sentences
from actors.insights.candidates import Candidate
from actors.patterns import patterns

_SAYS = patterns("actors.insights", "cues.txt")

_MIN_WORDS = 4
_OUTPUT = frozenset({"text", "txt", "output", "log", "logs", "plaintext", "none"})


def code_candidates(blocks: Sequence[Block], min_lines: int, max_chars: int) -> list[Candidate]:
    """The candidates in the code blocks among ``blocks``.

    A block of fewer than ``min_lines`` lines is left out unless it is a change; a block longer than ``max_chars``
    is quoted up to the last whole line that fits.
    """
    found: list[Candidate] = []
    for index, block in enumerate(blocks):
        if block.kind != "code" or block.language in _OUTPUT:
            continue
        lines = [line for line in block.text.split("\n") if line.strip()]
        changed = _is_change(blocks, index, lines)
        # A program's output names no language, and the text calls it output.
        is_output = not block.language and _SAYS["shown"].search(_introduction(blocks, index))
        if not changed and (len(lines) < min_lines or is_output):
            continue
        if changed and _has_previous_code(blocks, index):
            _forget_old_form(found, blocks, index)
        quote = _whole_lines(block.text, max_chars)
        found.append(
            Candidate(
                kind="code_change" if changed else "code_example",
                summary=_said_about(blocks, index),
                quote=quote,
                start=block.start,
                end=block.start + len(quote),
                heading=block.heading,
                language=block.language,
                weight=min(len(lines), 20) / 20 + (1 if changed else 0),
            )
        )
    return found


def _is_change(blocks: Sequence[Block], index: int, lines: Sequence[str]) -> bool:
    block = blocks[index]
    if block.language in {"diff", "patch"}:
        return True
    removed = sum(line.startswith("-") and not line.startswith("- ") for line in lines)
    added = sum(line.startswith("+") for line in lines)
    if removed and added and removed + added >= len(lines) / 3:
        return True
    if _SAYS["before_and_after"].search(block.heading) and _has_previous_code(blocks, index):
        return True
    first, second = _introduction(blocks, index), _introduction_of_previous_code(blocks, index)
    return bool(second and _SAYS["before"].search(second) and _SAYS["after"].search(first))


def _introduction(blocks: Sequence[Block], index: int) -> str:
    if index == 0 or blocks[index - 1].kind not in {"paragraph", "item"}:
        return ""
    parts = sentences(marker(blocks[index - 1]))
    return plain(parts[-1].text) if parts else ""


def _has_previous_code(blocks: Sequence[Block], index: int) -> bool:
    return any(block.kind == "code" for block in blocks[max(0, index - 2) : index])


def _introduction_of_previous_code(blocks: Sequence[Block], index: int) -> str:
    """The sentence before the previous code block, which this block may replace; None without one."""
    for back in range(index - 1, max(-1, index - 3), -1):
        if blocks[back].kind == "code":
            return _introduction(blocks, back)
    return ""


def _forget_old_form(found: list[Candidate], blocks: Sequence[Block], index: int) -> None:
    """Drop the old form of a change that came in two blocks, because it is no example to follow."""
    earlier = {block.start for block in blocks[max(0, index - 2) : index] if block.kind == "code"}
    found[:] = [each for each in found if each.kind == "code_change" or each.start not in earlier]


def _said_about(blocks: Sequence[Block], index: int) -> str:
    block = blocks[index]
    introduction = _introduction(blocks, index)
    if len(introduction.split()) >= _MIN_WORDS and not _SAYS["code"].search(introduction):
        return introduction.rstrip(" :") + ("." if introduction.rstrip().endswith(":") else "")
    following = blocks[index + 1] if index + 1 < len(blocks) else None
    if following is not None and following.kind == "paragraph":
        parts = sentences(following.text)
        if parts and len(parts[0].text.split()) >= _MIN_WORDS:
            return plain(parts[0].text)
    named = f"{block.language} code" if block.language else "Code"
    return f"{named} under “{block.heading}”" if block.heading else f"{named} of the article"


def _whole_lines(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text.rstrip()
    cut = text[:limit]
    whole = cut.rpartition("\n")[0]
    return (whole or cut).rstrip()
