"""Checks the form of a sentence: it is whole and balanced, has no markup, and is not an advert or a notice of the page."""

import re
from functools import lru_cache

from actors.patterns import patterns

_SAYS = patterns("actors.ai", "patterns.txt")

_PAIRS = ["\u201c\u201d", "\u00ab\u00bb", "\u300c\u300d", "\u300e\u300f", "()", "[]", "\uff08\uff09", "\u3010\u3011"]
_PAIRED = re.compile(f"[{re.escape(''.join(_PAIRS))}]")


@lru_cache(maxsize=1024)
def fault(sentence: str) -> str | None:
    """The fault in the form of a sentence, or None if it can be shown."""
    if not is_balanced(sentence):
        return "its quotation marks or brackets are not balanced"
    if _SAYS["markup"].search(sentence):
        return "it has markup in it"
    if _SAYS["order"].search(sentence) or _SAYS["noise"].search(sentence):
        return "it is an advert, a request or a notice, not news"
    if _SAYS["dashed"].match(sentence):
        return "it is somebody's speech, and does not say whose"
    if _SAYS["opinion"].search(_SAYS["quoted"].sub(" ", sentence)) and not _SAYS["attributed"].search(sentence):
        return "it is somebody's opinion, and does not say whose"
    return None


def is_balanced(text: str) -> bool:
    """Whether every quotation mark and bracket that opens is closed, in order."""
    if text.count('"') % 2:
        return False
    german = text.count("\u201e")
    if german:
        return german == text.count("\u201c") + text.count("\u201d")
    depth: dict[str, int] = {}
    for char in _PAIRED.findall(text):
        for pair in _PAIRS:
            if char == pair[0]:
                depth[pair] = depth.get(pair, 0) + 1
            elif char == pair[1]:
                depth[pair] = depth.get(pair, 0) - 1
                if depth[pair] < 0:
                    return False
    return not any(depth.values())
