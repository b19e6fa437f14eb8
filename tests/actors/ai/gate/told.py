"""Forged and honest answers to stories of our own: ``open.txt`` for choosing rules, ``frozen.txt`` (written before them) for judging.

``mixed-open.txt`` and ``mixed-frozen.txt`` hold the same for facts that are put together wrongly.

A story begins with ``# `` and its headline. Behind its text, ``+ `` is an honest sentence about it, ``- kind: `` a forged one,
and ``~ kind: `` a forged one that puts the story's own facts together wrongly, so that no single fact of it can be looked up.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("answers")
KINDS = (
    "numbers",
    "names",
    "dates",
    "money",
    "causes",
    "negation",
    "quotes",
    "attribution",
    "other stories",
    "instructions",
)


@dataclass(frozen=True)
class Told:
    """A story, and what is said of it; ``forged`` and ``twisted`` are pairs of kind and sentence."""

    title: str
    text: str
    honest: tuple[str, ...]
    forged: tuple[tuple[str, str], ...]
    twisted: tuple[tuple[str, str], ...]


def stories(half: str) -> list[Told]:
    """The stories of a half, as ``open`` or ``mixed-frozen``."""
    return [_story(part) for part in (FOLDER / f"{half}.txt").read_text(encoding="utf-8")[2:].split("\n\n# ")]


def _story(part: str) -> Told:
    title, *lines = part.rstrip("\n").split("\n")
    found: dict[str, list[str]] = {"+ ": [], "- ": [], "~ ": []}
    text = [line for line in lines if line[:2] not in found]
    for line in lines:
        if line[:2] in found:
            found[line[:2]].append(line[2:])
    forged, twisted = (tuple(_named(line) for line in found[mark]) for mark in ("- ", "~ "))
    return Told(title, "\n\n".join(text), tuple(found["+ "]), forged, twisted)


def _named(line: str) -> tuple[str, str]:
    kind, _, sentence = line.partition(": ")
    assert kind in KINDS, line
    return kind, sentence
