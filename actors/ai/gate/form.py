"""The form of a sentence that is shown: whole, balanced, without markup, and no advert or notice of the page."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

from actors.ai.gate.evidence import ORDER

_PAIRS = ["\u201c\u201d", "\u00ab\u00bb", "\u300c\u300d", "\u300e\u300f", "()", "[]", "\uff08\uff09", "\u3010\u3011"]
_MARKUP = re.compile(
    r"\*\*|\$\$|\\[a-z]{3,}|(?<!\w)\*\w|\w\*(?!\w)|[.!?]\*$|(?<!\w)__|\]\(|```|^\s*(?:#{1,6}|>+|\||[-*•])\s|</?[a-z][^<>]*>"
    r"|&(?:[a-z]{2,8}|#\d+);|\{\{|\}\}|^\W*\w+\s*\|",
    re.IGNORECASE,
)
_NOISE = re.compile(
    "|".join((files("actors.ai.gate") / "noise.txt").read_text(encoding="utf-8").splitlines()), re.IGNORECASE
)
_OPINION = re.compile(
    r"\b(?:[Ww]e|I)(?:'m|'re| am| are)? (?:\w+ ){0,2}(?:believe|think|hope|expect|feel|excited|proud|delighted"
    r"|pleased|thrilled|confident|honou?red|look forward|"
    r"rule out|love|wish)\b|\b(?:[Ww]ir|[Ii]ch) (?:glauben?|hoffen?|freuen?|sind stolz)\b|\b[Nn]ous (?:croyons"
    r"|espérons|sommes fiers)\b|\b(?:creemos|esperamos|estamos orgullosos)\b"
)
_ATTRIBUTED = re.compile(
    r"\b(?:said|says|told|wrote|writes|added|according to|explained|sagte|erklärte|schrieb|laut|déclaré"
    r"|affirme|selon|dijo|afirmó|según)\b",
    re.IGNORECASE,
)
_DASHED = re.compile(r"^[\u2013\u2014-]\s?\w(?!.*[\u2013\u2014-]\s[a-zà-öø-ÿąćęłńóśźż])")
"""Speech behind a dash, as many languages write it, without whose it is behind another one."""
_QUOTED = re.compile(r"[\"\u201c\u201e\u00ab\u300c][^\"\u201d\u201c\u00bb\u300d]+[\"\u201d\u201c\u00bb\u300d]")


@lru_cache(maxsize=1024)
def fault(sentence: str) -> str | None:
    """The fault in the form of a sentence; None if it can be shown."""
    if not is_balanced(sentence):
        return "its quotation marks or brackets are not balanced"
    if _MARKUP.search(sentence):
        return "it has markup in it"
    if ORDER.search(sentence) or _NOISE.search(sentence):
        return "it is no news: an advert, a request or a notice"
    if _DASHED.match(sentence):
        return "it is somebody's speech, and does not say whose"
    if _OPINION.search(_QUOTED.sub(" ", sentence)) and not _ATTRIBUTED.search(sentence):
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
    for char in text:
        for pair in _PAIRS:
            if char == pair[0]:
                depth[pair] = depth.get(pair, 0) + 1
            elif char == pair[1]:
                depth[pair] = depth.get(pair, 0) - 1
                if depth[pair] < 0:
                    return False
    return not any(depth.values())
