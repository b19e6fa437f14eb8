"""Splits Markdown into blocks with their positions: prose, lists, code, headings and tables."""

import re
from dataclasses import dataclass
from typing import Literal

BlockKind = Literal["heading", "paragraph", "item", "code", "table"]

_LINE = re.compile(r"^.*$", re.MULTILINE)
_FENCE = re.compile(r"^ {0,3}(`{3,}+|~{3,}+)[ \t]*+([\w+#.-]*+)[^\n`]*+$")
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.*)$")
_ITEM = re.compile(r"^[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]+")
_TABLE = re.compile(r"^[ \t]*\|")
_BOLD = re.compile(r"\s*(?:\d+[.)] )?(\*\*|__)[^*_\n]+\1:?\s*")
_ABOUT = re.compile(r"\W*(?:About|Über|À propos|Sobre|Acerca|Chi|O|Om)(?:\s\S+){1,3}\W*")
_CUT_OFF = ("\u2026", "...", "[\u2026]", "[...]")
_RULE = re.compile(r"^ {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$")

_MARKED = re.compile(r"[`*_\[\]<\\\x00]")
# Each pattern limits the length of a match, so that the search in a page full of brackets is not slow.
_IMAGE = re.compile(r"!\[([^\[\]]{0,300})\]\([^()\s]{0,2000}[^()]{0,200}\)")
_LINK = re.compile(r"\[([^\[\]]{1,500})\]\([^()]{0,2000}(?:\([^()]{0,200}\)[^()]{0,500})?\)")
_AUTOLINK = re.compile(r"<(https?://[^<>\s]{1,2000})>")
_STRONG = re.compile(r"(\*\*|__)(?=\S)(.{1,500}?)(?<=\S)\1", re.DOTALL)
_EMPHASIS = re.compile(r"(?<![\w*])([*_])(?=[^\s*_])([^*]{1,300}?)(?<=[^\s*_])\1(?![\w*])")
_CODE = re.compile(r"(`{1,3})(?!`)([^\n]{1,500}?)(?<!`)\1(?!`)")
# Of a bold paragraph, the first sentence has only the opening ``**``, the last the closing. Markdown has no ``<u>``.
_OPEN = re.compile(r"^\*\*(?=[\w\"\u201c\u201e\u00ab])|(?<=[.!?\u2026])\*\*$|</?u>")
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+.!|<>~-])")


@dataclass(frozen=True, slots=True)
class Block:
    """Describes one block of a document."""

    kind: BlockKind
    start: int
    end: int
    text: str  # document[start:end]; code has no fences
    heading: str = ""  # the heading above, as plain text
    language: str = ""  # that a code fence names, in lower case


def blocks(document: str) -> list[Block]:
    """Return the blocks of ``document`` in order. Text that is not Markdown becomes paragraphs."""
    found: list[Block] = []
    heading = ""
    lines = [(match.start(), match.group().rstrip("\r")) for match in _LINE.finditer(document)]
    index = 0
    while index < len(lines):
        start, line = lines[index]
        if not line.strip() or _RULE.match(line):
            index += 1
        elif fence := _FENCE.match(line):
            mark, opened = fence[1], index + 1
            close = re.compile(rf"^ {{0,3}}{mark[0]}{{{len(mark)},}}[ \t]*$")
            index = next((at for at in range(opened, len(lines)) if close.match(lines[at][1])), len(lines))
            if any(line.strip() for _, line in lines[opened:index]):
                start, end = lines[opened][0], lines[index - 1][0] + len(lines[index - 1][1])
                found.append(Block("code", start, end, document[start:end], heading, fence[2].lower()))
            index += 1
        elif match := _HEADING.match(line):
            heading = match[1].rstrip("# \t")  # a # at the end closes the heading or links to it
            is_sharp = heading[-1:].isupper() and match[1].startswith("#", len(heading))  # as in C# and F#
            heading = plain(heading + "#" * is_sharp)
            found.append(Block("heading", start, start + len(line), line, heading))
            index += 1
        else:
            kind = _kind(line)
            index += 1
            while index < len(lines) and _continues(kind, lines[index][1]):
                index += 1
            end = lines[index - 1][0] + len(lines[index - 1][1])
            found.append(Block(kind, start, end, document[start:end], heading))
    return found


def plain(text: str) -> str:
    """Return inline Markdown as plain text on one line, with the texts of links, without emphasis and back quotes."""
    if not _MARKED.search(text):
        return " ".join(text.split())
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        kept.append(match.group(2).strip())
        return f"\x00{len(kept) - 1}\x00"

    text = _CODE.sub(keep, text)
    text = _AUTOLINK.sub(r"\1", _LINK.sub(r"\1", _IMAGE.sub(r"\1", text)))
    text = _OPEN.sub("", _EMPHASIS.sub(r"\2", _STRONG.sub(r"\2", text)))
    text = _ESCAPE.sub(r"\1", text)
    text = re.sub("\x00(\\d+)\x00", lambda match: kept[int(match.group(1))], text)
    return " ".join(text.split())


def prose(document: str) -> str:
    """Return the text that a person would read aloud: each paragraph and list item on its own line."""
    texts = [plain(marker(block)) for block in blocks(document) if block.kind in {"paragraph", "item"}]
    return "\n".join(text for text in texts if text)


def article(document: str) -> list[Block]:
    """Return the blocks up to a heading near the end that introduces the company or the author."""
    found = blocks(document)
    late = enumerate(found[2 * len(found) // 3 :], 2 * len(found) // 3)
    ends = (at for at, one in late if (one.kind == "heading" or is_bold(one)) and _ABOUT.fullmatch(one.text))
    return found[: next(ends, len(found))]


def is_prose(block: Block) -> bool:
    """Return whether a block is a paragraph or list item of the article. Text that ends with "..." is a teaser."""
    return block.kind in {"paragraph", "item"} and not block.text.rstrip(" *_").endswith(_CUT_OFF)


def marker(block: Block) -> str:
    """Return a block's text without the bullet of a list item."""
    return _ITEM.sub("", block.text, count=1) if block.kind == "item" else block.text


def is_bold(block: Block) -> bool:
    """Return whether a paragraph is a single line in bold, which counts as a heading."""
    return block.kind == "paragraph" and _BOLD.fullmatch(block.text) is not None


def _kind(line: str) -> BlockKind:
    return "item" if _ITEM.match(line) else "table" if _TABLE.match(line) else "paragraph"


def _continues(kind: BlockKind, line: str) -> bool:
    if not line.strip() or _FENCE.match(line) or _HEADING.match(line) or _RULE.match(line):
        return False
    return _kind(line) == ("table" if kind == "table" else "paragraph")
