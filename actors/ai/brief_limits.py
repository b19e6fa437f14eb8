"""The limits of a brief, enforced on each provider's answer."""

from dataclasses import replace

from actors.ai.composition import ONE_LINER, TWO_LINER, joined, shorten
from actors.ai.protocol import Brief
from actors.ai.sentences import sentences
from actors.ai.words import count

_NO_LIMIT = 10_000
WORDS_PER_MINUTE = 200
"""How fast people read, if generate-brief has no other setting."""


def enforce(brief: Brief) -> Brief:
    """``brief`` within its limits: 140 characters; 280 in exactly two sentences; three or four sentences.

    A text that is too long loses whole words or sentences, never a part of a word. A text that has too few
    sentences, or cannot be cut to fit, becomes None.
    """
    return replace(
        brief,
        one_liner=shorten(brief.one_liner or "", ONE_LINER) or None,
        two_liner=_two(brief.two_liner or ""),
        elevator=_elevator(brief.elevator or ""),
    )


def time_saved_seconds(reading_seconds: float, brief: Brief, words_per_minute: int) -> int:
    """Seconds that a reader of the brief saves, never negative."""
    read = sum(count(part) for part in (brief.one_liner, brief.two_liner, brief.elevator) if part)
    return max(0, round(reading_seconds - seconds(read, words_per_minute)))


def seconds(words: int, words_per_minute: int) -> float:
    """The reading time of ``words`` words."""
    return words * 60 / words_per_minute


def _two(text: str) -> str | None:
    parts = [" ".join(part.text.split()) for part in sentences(text)][:2]
    if len(parts) < 2:
        return None
    whole = joined(parts, TWO_LINER)
    if whole:
        return whole
    first, second = parts
    half = (TWO_LINER - 1) // 2
    if len(first) > half:
        first = shorten(first, max(half, TWO_LINER - 1 - len(second)))
    second = shorten(second, TWO_LINER - 1 - len(first))
    return joined([first, second], TWO_LINER) if first and second else None


def _elevator(text: str) -> str | None:
    parts = [" ".join(part.text.split()) for part in sentences(text)][:4]
    if len(parts) < 3:
        return None
    return joined(parts, _NO_LIMIT) or joined(parts[:3], _NO_LIMIT)
