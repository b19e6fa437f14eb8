"""Names and values in sentences: quoted, described, and the nearest accepted name."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

_LONGEST_QUOTE = 50


def quote(text: str) -> str:
    """The text in quotes, shortened and without characters that disturb a terminal."""
    short = text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"
    return f"'{printable(short)}'"


def describe(value: Any) -> str:
    """A value of jobs.yaml in the words of its author."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return quote(value) if value else "empty text"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return printable(str(value)[:_LONGEST_QUOTE])


def suggest(name: str, accepted: Iterable[str], *, what: str = "accepted") -> str:
    """A help line: the nearest of the ``accepted`` names, or all of them when none is near."""
    names = [str(one) for one in accepted]
    if near := nearest(name, names):
        return f"did you mean {quote(near)}?"
    return f"{what}: {', '.join(names)}" if names else ""


def nearest(name: str, accepted: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """The one of ``accepted`` with the spelling most like ``name``, if any is near; case matters least."""
    names = list(accepted)
    by_lower = {one.lower(): one for one in reversed(names)}
    same_case = get_close_matches(name, names, n=1, cutoff=likeness)
    any_case = get_close_matches(name.lower(), by_lower, n=1, cutoff=likeness)
    return same_case[0] if same_case else by_lower[any_case[0]] if any_case else None


def printable(text: str) -> str:
    """The text with a replacement character for each one that would disturb a terminal."""
    return "".join(char if char.isprintable() or char == "\t" else "�" for char in text)
