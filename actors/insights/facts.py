"""The names and figures of a story, which identify two reports of one event even if they share few other words."""

from collections.abc import Collection
from typing import NamedTuple

from actors.ai.gate.dates import dates
from actors.ai.gate.numbers import numbers
from actors.ai.subject import names_in

_NAMES = 2  # minimum number of names that two reports of one event share
_DIGITS = 2  # a figure with fewer significant digits may be shared by chance
_SMALL = 10.0  # a smaller whole number may be shared by chance


class Facts(NamedTuple):
    """The facts of a text.

    Attributes:
        names: The words of each name; forms that share a word, such as "Ilse Marek" and "Marek", are one name.
        figures: The values of its figures, such as ``6.5`` and ``4200000000``.
    """

    names: tuple[frozenset[str], ...]
    figures: frozenset[str]

    @property
    def stored(self) -> list[str]:
        """All words and figures, for the database."""
        return sorted(self.figures.union(*self.names))

    def agree(self, stored: Collection[str]) -> bool:
        """Whether another text, whose facts are ``stored``, shares two names and a figure."""
        known = frozenset(stored)
        return not known.isdisjoint(self.figures) and sum(not known.isdisjoint(name) for name in self.names) >= _NAMES


def facts(text: str) -> Facts:
    """The names in a text, without words that it also has in lower case, and its figures of at least two digits."""
    small = {word for word in text.split() if word.islower()}
    names: list[frozenset[str]] = []
    for run in names_in(text):
        words = frozenset(word for word in run if word.lower() not in small)
        same = [name for name in names if not name.isdisjoint(words)]
        names = [name for name in names if name not in same] + ([words.union(*same)] if words else [])
    figures = (
        f"{value:.12g}"
        for number in numbers(dates(text).rest)
        if number.digits >= _DIGITS
        for value in number.values
        if value >= _SMALL or not value.is_integer()
    )
    return Facts(tuple(names), frozenset(figures))
