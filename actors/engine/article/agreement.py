"""How much of a text is in another one, by runs of four words; in a language without spaces a character counts as a word."""

from __future__ import annotations

import re
from collections import Counter
from functools import cached_property

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
_RUN = 4


class Said:
    """A text as its words and runs of words."""

    def __init__(self, text: str) -> None:
        self._words = _WORD.findall(text)

    @property
    def size(self) -> int:
        """In words."""
        return len(self._words)

    @cached_property
    def _runs(self) -> Counter[tuple[str, ...]]:
        words = self._words
        return Counter(zip(*(words[at:] for at in range(_RUN)), strict=False)) or Counter({tuple(words): 1})

    def between(self, other: Said) -> tuple[int, int]:
        """Number of words of this text that the other one lacks: within the common part, and in all."""
        runs = other._runs
        starts = [at for at in range(len(self._words)) if tuple(self._words[at : at + _RUN]) in runs]
        shared = {at + more for at in starts for more in range(_RUN)}
        lacking = [at for at in range(self.size) if at not in shared]
        return sum(starts[0] < at < starts[-1] for at in lacking) if starts else 0, len(lacking)

    def holds(self, other: Said) -> float:
        """The share of the other text that is in this one, from 0 to 1."""
        return (self._runs & other._runs).total() / other._runs.total()
