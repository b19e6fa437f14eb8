"""One half of the judged headlines chooses the thresholds for the same event; the other half measures them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from actors.ai.hashing import MODEL_VERSION, embed
from actors.ai.protocol import Story
from actors.insights.events import SIZE, EventSettings, like, of_model, sketch
from actors.store.embeddings import written
from tests.lab.quality import corpora
from tests.lab.quality.corpora import cosine

HEADLINES = corpora.CORPUS / "headlines"
EQUAL = 3.0  # A pair of headlines that people rated EQUAL or higher reports one event.


def halves() -> tuple[list[tuple[float, str, str]], list[tuple[float, str, str]]]:
    """Sort the pairs of headlines by text; return the even ones for choosing and the odd ones for measuring."""
    lines = [line for file in sorted(HEADLINES.glob("*.tsv")) for line in file.read_text(encoding="utf-8").splitlines()]
    parts = [line.split("\t") for line in lines]
    pairs = sorted(
        (a, b, float(judged)) for judged, a, b, *_ in (row for row in parts if len(row) > 2 and row[0].strip())
    )
    told = [(judged, a, b) for a, b, judged in pairs]
    return told[0::2], told[1::2]


def precision(pairs: list[tuple[float, str, str]], embed_text: Callable[[str], list[float]], least: float) -> float:
    hits = [judged for judged, a, b in pairs if cosine(embed_text(a), embed_text(b)) >= least]
    return sum(judged >= EQUAL for judged in hits) / len(hits)


@pytest.mark.quality
@pytest.mark.skipif(not HEADLINES.is_dir(), reason="the headline corpus is not beside this checkout")
def test_wordllama_is_as_precise_as_hashed_words(figure: Callable[[str, float, float], None]) -> None:
    pytest.importorskip("wordllama", reason="the extra local is not installed")
    from actors.ai.hashing import wordllama

    model, version = wordllama()
    choosing, reporting = halves()
    hashed = [precision(half, embed, of_model(MODEL_VERSION)[0]) for half in (choosing, reporting)]
    ours = [precision(half, model, of_model(version)[0]) for half in (choosing, reporting)]
    assert precision(choosing, model, of_model(version)[0] - 0.02) < hashed[0] <= ours[0], "no lower threshold does"
    figure("same event by headlines, hashed words, reporting half, precision", hashed[1], 0.79)
    figure("same event by headlines, wordllama, reporting half, precision", ours[1], 0.8)


def test_a_text_in_a_script_that_a_model_does_not_know_is_compared_with_no_other() -> None:
    def look(model: str, text: str) -> list[UUID]:
        nowhere: Any = None  # Only a search would need a connection.
        story: Any = Story(UUID(int=1), "", text)
        return like(nowhere, story, written(model, (1.0,) * 1536), [], EventSettings())

    assert look("wordllama-0.4.0@256", "서울시는 내년부터 새로운 버스를 운행한다.") == []
    for model, text in (("wordllama-0.4.0@256", "The city buys buses."), (MODEL_VERSION, "서울시는 버스를 운행한다.")):
        with pytest.raises(AttributeError):
            look(model, text)


def test_a_model_without_a_threshold_of_its_own_has_the_common_one() -> None:
    models = ("hashed-words-1", "wordllama-0.4.0@256", "text-embedding-3@1536")
    assert [of_model(model)[0] for model in models] == [0.6, 0.8, 0.75]


def test_a_text_has_the_same_sketch_on_every_machine() -> None:
    assert sketch("Acme buys Initech")[:2] == [7981561506670418109, 9212416088607529387]


def test_scripts_without_spaces_share_groups_of_letters() -> None:
    one = "纽约时报中文网报道前高管揭露内幕配合北京开发审查工具"
    other = "前高管揭露内幕:为配合北京而开发的审查工具,纽约时报中文网称"
    assert len(set(sketch(one)) & set(sketch(other))) >= 5


def test_no_text_has_more_terms_than_are_kept() -> None:
    assert sketch("") == sketch("the of and") == []
    assert len(sketch(" ".join(f"word{n}" for n in range(3000)))) == SIZE
    assert len(sketch("\ud800 lone surrogate")) > 0
