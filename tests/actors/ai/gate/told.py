"""The files contain invented stories, each with honest and forged sentences about it.

The rules were developed on ``open.txt`` and ``mixed-open.txt``. Four other files only measure the rules:
``frozen.txt``, ``mixed-frozen.txt`` and ``held-out.txt`` were written before the rules, and ``later.txt`` after them.

A line that begins with ``# `` is the headline of a story. After the story's text, ``+ `` begins an honest sentence, and
``- kind: `` a forged one. ``~ kind: `` begins a forged sentence that combines facts of the story wrongly, although each
single fact is in the story.
"""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("answers")
BY_RULE = ("numbers", "number", "names", "name", "dates", "date", "money", "quotes", "quote", "instructions")
_DENIED = ("causes", "cause", "negation", "negated", "certainty", "hedge")
BY_MEANING = (*_DENIED, "attribution", "other stories", "recombined", "swapped")


@dataclass(frozen=True)
class Told:
    """``forged`` has pairs of a kind and a forged sentence."""

    title: str
    text: str
    honest: tuple[str, ...]
    forged: tuple[tuple[str, str], ...]


def stories(half: str) -> list[Told]:
    """Read the stories of a file, such as ``open`` or ``held-out``."""
    return [_story(part) for part in (FOLDER / f"{half}.txt").read_text(encoding="utf-8")[2:].split("\n\n# ")]


def _story(part: str) -> Told:
    title, *lines = part.rstrip("\n").split("\n")
    found: dict[str, list[str]] = {"+ ": [], "- ": [], "~ ": []}
    text = [line for line in lines if line[:2] not in found]
    for line in lines:
        if line[:2] in found:
            found[line[:2]].append(line[2:])
    forged = [*map(_named, found["- "]), *(("recombined", _named(line)[1]) for line in found["~ "])]
    return Told(title, "\n\n".join(text), tuple(found["+ "]), tuple(forged))


def _named(line: str) -> tuple[str, str]:
    kind, _, sentence = line.partition(": ")
    assert kind in BY_RULE + BY_MEANING, line
    return kind, sentence
