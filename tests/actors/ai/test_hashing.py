import math
from collections.abc import Callable

import pytest

from actors.ai.hashing import DIMENSIONS, embed
from tests.lab.quality import corpora
from tests.lab.quality.corpora import cosine

HEADLINES = corpora.CORPUS / "headlines"


def test_a_vector_has_1536_numbers_and_length_one() -> None:
    vector = embed("Postgres 18 is out")
    assert len(vector) == DIMENSIONS == 1536
    assert math.isclose(sum(value * value for value in vector), 1.0)
    assert embed("") == [0.0] * DIMENSIONS


def test_a_text_has_the_same_vector_on_every_machine() -> None:
    vector = embed("Postgres")
    assert [index for index, value in enumerate(vector) if value] == [150, 198, 225, 747, 823, 1033, 1078]


def test_like_is_nearer_than_unlike() -> None:
    title = embed("Acme buys Initech for $2bn")
    assert cosine(title, embed("Acme to buy Initech in $2bn deal")) > 0.5
    assert cosine(title, embed("Rain on the coast until Friday")) < 0.15


@pytest.mark.skipif(not HEADLINES.is_dir(), reason="the headline corpus is not beside this checkout")
@pytest.mark.quality
def test_hashed_headlines_agree_with_people(figure: Callable[[str, float, float], None]) -> None:
    figure("headlines of three years, hashed words, Pearson", agreement_with_people(embed), 0.74)


@pytest.mark.skipif(not HEADLINES.is_dir(), reason="the headline corpus is not beside this checkout")
@pytest.mark.quality
def test_wordllamas_headlines_agree_with_people_better(figure: Callable[[str, float, float], None]) -> None:
    pytest.importorskip("wordllama", reason="the extra `local` is not installed")
    from actors.ai.static import load

    figure("headlines of three years, wordllama, Pearson", agreement_with_people(load()[0]), 0.75)


def agreement_with_people(embed_text: Callable[[str], list[float]]) -> float:
    judged: list[tuple[float, float]] = []
    for year in (2013, 2014, 2015):
        for line in (HEADLINES / f"{year}.tsv").read_text(encoding="utf-8").splitlines():
            parts = line.split("\t")
            if len(parts) >= 3 and parts[0].strip():
                judged.append((float(parts[0]), cosine(embed_text(parts[1]), embed_text(parts[2]))))
    people, ours = zip(*judged, strict=True)
    return pearson(people, ours)


def pearson(left: tuple[float, ...], right: tuple[float, ...]) -> float:
    mean_left, mean_right = sum(left) / len(left), sum(right) / len(right)
    covariance = sum((a - mean_left) * (b - mean_right) for a, b in zip(left, right, strict=True))
    spread = sum((a - mean_left) ** 2 for a in left) * sum((b - mean_right) ** 2 for b in right)
    return covariance / math.sqrt(spread)
