"""Prompts: files with a name and a version, and the form in which a stranger's text is put before a model."""

from __future__ import annotations

import re
import secrets
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.ai.protocol import Story

VERSIONS = {"analyze": 1, "brief": 1, "summarize": 1}
"""The version of each prompt that is in force. A changed text is a new file and a new number here."""

_CUT = "\n[the story goes on]"
_KEPT_CONTROLS = "\n\t"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt's text; ``name`` is its id and version, as ``analyze/1``."""

    name: str
    text: str

    def system(self, *, language: str, nonce: str) -> str:
        """The instructions, for answers in ``language`` about a story between marks of ``nonce``."""
        return self.text.replace("{language}", language).replace("{nonce}", nonce)


@cache
def prompt(operation: str) -> Prompt:
    """The prompt in force for an operation."""
    version = VERSIONS[operation]
    path = files("actors.ai") / "prompts" / f"{operation}-{version}.md"
    return Prompt(f"{operation}/{version}", path.read_text(encoding="utf-8").strip())


def new_nonce() -> str:
    """A mark that the story cannot know."""
    return secrets.token_hex(8)


def material(story: Story, limit: int) -> str:
    """The story as text without control and invisible characters, at most ``limit`` characters of its document."""
    document = visible(story.document)
    if len(document) > limit:
        cut = document[:limit]
        document = (cut.rpartition("\n")[0] or cut) + _CUT
    return f"Title: {visible(story.title)}\nSource: {visible(story.source)}\n\n{document}"


def fenced(text: str, nonce: str) -> str:
    """``text`` between two marked lines; a mark inside it, if it guessed one, is taken out."""
    return f"=== {nonce} story begins ===\n{text.replace(nonce, '')}\n=== {nonce} story ends ==="


def visible(text: str) -> str:
    """``text`` without what a reader cannot see: control, format, surrogate and private-use characters."""
    return "".join(
        char
        for char in text
        if char in _KEPT_CONTROLS or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn"}
    )


def place(document: str, quote: str) -> tuple[int, int] | None:
    """Where ``quote`` stands in ``document``, white space and invisible characters aside; None where it does not."""
    words = visible(quote).split()
    if not words:
        return None
    start = document.find(quote)
    if start >= 0:
        return start, start + len(quote)
    gap = r"[\s\u200b\u200c\u200d\u2060\ufeff\u00ad]+"
    found = re.search(gap.join(re.escape(word) for word in words), document)
    return None if found is None else found.span()
