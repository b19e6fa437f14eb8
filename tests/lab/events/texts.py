"""Invented stories report events in the words of real news: sentences of the corpora are mixed and reworded."""

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from tests.lab.quality.corpora import CORPUS

_SIZES = range(1, 61)  # The sizes are stories per event; most events have one story.
_SENTENCES = 8


@dataclass(frozen=True, slots=True)
class Told:
    event: int
    title: str
    text: str


def sentences() -> list[str]:
    """Return sentences of the corpora beside the checkout, or invented sentences with the same word frequencies."""
    texts: list[str] = []
    if (CORPUS / "near_duplicates").is_dir():
        lines = (CORPUS / "near_duplicates" / "articles_1000.train").read_text(encoding="utf-8").splitlines()
        texts += [line.split(" ", 1)[1] for line in lines]
    if (CORPUS / "wcxb-articles-dev").is_dir():
        for page in sorted((CORPUS / "wcxb-articles-dev" / "ground-truth").iterdir()):
            texts.append(json.loads(page.read_text(encoding="utf-8"))["ground_truth"].get("main_content") or "")
    if not texts:
        return list(_invented(20_000))
    found = (part.strip() for text in texts for part in re.split(r"(?<=[.!?])\s+|\n+", text))
    return list(dict.fromkeys(part for part in found if 40 < len(part) < 300))


def stories(count: int, seed: int = 7) -> list[Told]:
    """Return stories in the order of arrival: an event has up to sixty stories, with different words and facts."""
    chance = random.Random(seed)
    pool = sentences()
    chance.shuffle(pool)
    words = [word for part in pool for word in part.split()]

    def draw() -> str:
        # Some sentences are common, such as quotations and boilerplate.
        return pool[int(len(pool) * chance.random() ** 1.5)]

    def reworded(text: str, share: float) -> str:
        return " ".join(chance.choice(words) if chance.random() < share else word for word in text.split())

    def told(event: int, base: list[str]) -> Told:
        kept, share = chance.randint(2, _SENTENCES), chance.choice([0, 0, 0.05, 0.1, 0.2, 0.3])
        parts = [reworded(part, share) for part in chance.sample(base, kept)]
        parts += [draw() for _ in range(_SENTENCES - kept)]
        if chance.random() < 0.5:
            chance.shuffle(parts)
        if chance.random() < 0.08:
            del parts[2:]
        named = base[0] if chance.random() < 0.8 else draw()
        return Told(event, reworded(" ".join(named.split()[:10]), share), " ".join(parts))

    weights = list(accumulate(size**-2.0 for size in _SIZES))
    made: list[Told] = []
    event = 0
    while len(made) < count:
        event += 1
        base = [draw() for _ in range(_SENTENCES)]
        made += [told(event, base) for _ in range(chance.choices(_SIZES, cum_weights=weights)[0])]
    chance.shuffle(made)
    return made[:count]


def _invented(count: int) -> Iterator[str]:
    """Invent sentences with word frequencies by Zipf's law, without the most common words such as "the"."""
    chance = random.Random(3)
    syllables = [first + second for first in "bdfgklmnprstvz" for second in ("a", "e", "i", "o", "u", "an", "er")]
    for _ in range(count):
        ranks = [int(100 * 500 ** chance.random()) for _ in range(chance.randint(10, 22))]
        yield " ".join(_word(rank, syllables) for rank in ranks).capitalize() + "."


def _word(rank: int, syllables: list[str]) -> str:
    made = ""
    while rank:
        rank, place = divmod(rank, len(syllables))
        made += syllables[place]
    return made
