"""How readable the documentation is, by page: ``python -m tests.readability [FOLDER]`` prints figures, and sets no limit.

Reading ease is Flesch's: 206.8 - 1.015 * words a sentence - 84.6 * syllables a word; 60 is plain English, 30 is hard. Syllables
are counted by groups of vowels, which is right on average. Code, tables and headings are left out.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
_LONG = 25  # words
#: Words with which riddles begin: pronouns in place of nouns.
_RIDDLE = re.compile(r"\b([Ww]hat|[Ww]ho|[Ww]hoever|[Tt]hose that|[Tt]hat which)\b")


@dataclass(frozen=True)
class Figures:
    """Of one page, or of all."""

    words: int
    sentences: int
    syllables: int
    long: int
    riddles: int

    def __add__(self, other: Figures) -> Figures:
        return Figures(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    def line(self, name: str) -> str:
        """As a row of the table."""
        each = self.words / max(1, self.sentences)
        ease = 206.835 - 1.015 * each - 84.6 * self.syllables / max(1, self.words)
        share = self.long / max(1, self.sentences)
        return f"{name:<22} {self.words:>7} {each:>6.1f} {share:>6.0%} {ease:>6.1f} {self.riddles * 1000 / max(1, self.words):>6.1f}"


def paragraphs(text: str) -> list[str]:
    """The prose of a page: paragraphs and list items as plain text."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"^\s*[-*] ", "\n", text, flags=re.MULTILINE)
    found = []
    for part in re.split(r"\n\s*\n", text):
        if not part.strip().startswith(("#", "|", "!", "    ")):
            plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(part.split()))
            found.append(re.sub(r"[`*_]", "", plain))
    return [part for part in found if len(part.split()) > 3]


def figures(text: str) -> Figures:
    """The figures of a page."""
    parts = paragraphs(text)
    sentences = [one for part in parts for one in re.split(r"(?<=[.!?:;])\s+(?=[A-Z0-9])", part) if one.strip()]
    words = [word for one in sentences for word in re.findall(r"[A-Za-z][A-Za-z'-]*", one)]
    syllables = sum(max(1, len(re.findall(r"[aeiouy]+", re.sub(r"e\b", "", word.lower())))) for word in words)
    long = sum(len(one.split()) > _LONG for one in sentences)
    return Figures(len(words), len(sentences), syllables, long, sum(len(_RIDDLE.findall(part)) for part in parts))


def main(folder: Path) -> None:
    """Print the table."""
    print(f"{'page':<22} {'words':>7} {'w/sent':>6} {'>25 w':>6} {'ease':>6} {'who/k':>6}")
    total = Figures(0, 0, 0, 0, 0)
    for page in sorted(folder.glob("*.md")):
        one = figures(page.read_text(encoding="utf-8"))
        total += one
        print(one.line(page.stem))
    print(total.line("all"))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS)
