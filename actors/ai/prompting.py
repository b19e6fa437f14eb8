"""Reads prompts, which are files with a name and a version, and prepares untrusted text for a model."""

import unicodedata
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from actors.ai.protocol import Story

VERSIONS = {"analyze": 2, "brief": 1, "same_event": 1, "summarize": 1, "verify": 1}
"""The version of each prompt that is in force. To change a prompt, add a new file and raise the number here."""

_CUT = "\n[the story goes on]"
_KEPT_CONTROLS = "\n\t"
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


class Prompt(NamedTuple):
    """Holds the text of a prompt. ``name`` has the prompt's id and version, such as ``analyze/1``."""

    name: str
    text: str  # with the places {language} and {nonce}


@cache
def prompt(operation: str) -> Prompt:
    """Return the current prompt for an operation, such as ``analyze``."""
    version = VERSIONS[operation]
    path = files("actors.ai") / "prompts" / f"{operation}-{version}.md"
    return Prompt(f"{operation}/{version}", path.read_text(encoding="utf-8").strip())


def material(story: Story, limit: int) -> str:
    """Return the story as text without invisible characters. The document is cut to at most ``limit`` characters."""
    document = visible(story.document)
    if len(document) > limit:
        cut = document[:limit]
        document = (cut.rpartition("\n")[0] or cut) + _CUT
    return f"Title: {visible(story.title)}\nSource: {visible(story.source)}\n\n{document}"


def fenced(text: str, nonce: str) -> str:
    """Return ``text`` between two lines with ``nonce``. To prevent fake lines, ``nonce`` is removed from the text."""
    return f"=== {nonce} story begins ===\n{text.replace(nonce, '')}\n=== {nonce} story ends ==="


def visible(text: str) -> str:
    """Return ``text`` without characters that a reader cannot see: control, format, surrogate and private-use characters."""
    # A text has few different characters, so test each of them once, and not every position in the text.
    hidden = [
        char for char in set(text) if char not in _KEPT_CONTROLS and unicodedata.category(char) in _HIDDEN_CATEGORIES
    ]
    return text.translate(dict.fromkeys(map(ord, hidden))) if hidden else text
