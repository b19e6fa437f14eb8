import math
import statistics
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from actors.ai.hashing import DIMENSIONS, embed
from tests.figures import Figure
from tests.lab.quality import corpora
from tests.lab.quality.corpora import cosine

HEADLINES = corpora.CORPUS / "headlines"


def test_a_vector_has_1536_numbers_and_length_one() -> None:
    vector = embed("Postgres 18 is out")
    assert len(vector) == DIMENSIONS == 1536
    assert math.isclose(sum(value * value for value in vector), 1.0)
    assert embed("") == [0.0] * DIMENSIONS
    same_on_every_machine = [150, 198, 225, 747, 823, 1033, 1078]
    assert [index for index, value in enumerate(embed("Postgres")) if value] == same_on_every_machine


@cache
def wordllama() -> Callable[[str], list[float]]:
    pytest.importorskip("wordllama", reason="the extra `local` is not installed")
    from actors.ai.hashing import wordllama

    return wordllama()[0]


def by_wordllama(text: str) -> list[float]:
    return wordllama()(text)


@pytest.mark.skipif(not HEADLINES.is_dir(), reason="the headline corpus is not beside this checkout")
@pytest.mark.quality
@pytest.mark.parametrize(("name", "way", "least"), [("hashed words", embed, 0.74), ("wordllama", by_wordllama, 0.75)])
def test_headlines_agree_with_people(name: str, way: Any, least: float, figure: Figure) -> None:
    figure(f"headlines of three years, {name}, Pearson", agreement_with_people(way), least)


def agreement_with_people(embed_text: Callable[[str], list[float]]) -> float:
    judged: list[tuple[float, float]] = []
    for year in (2013, 2014, 2015):
        for line in (HEADLINES / f"{year}.tsv").read_text(encoding="utf-8").splitlines():
            parts = line.split("\t")
            if len(parts) >= 3 and parts[0].strip():
                judged.append((float(parts[0]), cosine(embed_text(parts[1]), embed_text(parts[2]))))
    people, ours = zip(*judged, strict=True)
    return statistics.correlation(people, ours)
