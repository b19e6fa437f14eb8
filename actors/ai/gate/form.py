"""Checks that a sentence has paired quotes and brackets, and no markup, advert, notice or unattributed opinion."""

from functools import lru_cache

from actors.patterns import patterns

SAYS = patterns("actors.ai", "patterns.txt")
"""The patterns of sentences that are not shown, or not alone."""

_PAIRS = [tuple(pair) for pair in ["“”", "«»", "「」", "『』", "()", "[]", "（）", "【】"]]


@lru_cache(maxsize=1024)
def fault(sentence: str) -> str | None:
    """Return the fault in a sentence's form, or None if the sentence can be shown."""
    if not is_balanced(sentence):
        return "its quotation marks or brackets are not balanced"
    if SAYS["markup"].search(sentence):
        return "it has markup in it"
    if SAYS["order"].search(sentence) or SAYS["noise"].search(sentence):
        return "it is an advert, a request or a notice, not news"
    if SAYS["dashed"].match(sentence):
        return "it is somebody's speech, and does not say whose"
    if SAYS["opinion"].search(SAYS["quoted"].sub(" ", sentence)) and not SAYS["attributed"].search(sentence):
        return "it is somebody's opinion, and does not say whose"
    return None


def is_balanced(text: str) -> bool:
    """Return whether each kind of quotation mark and bracket closes as often as it opens, and opens first."""
    if german := text.count("\u201e"):
        return german == text.count("\u201c") + text.count("\u201d")
    return text.count('"') % 2 == 0 and all(
        text.count(opens) == text.count(closes) and text.find(opens) <= text.find(closes) for opens, closes in _PAIRS
    )
