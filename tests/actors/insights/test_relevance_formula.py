from __future__ import annotations

import uuid
from typing import Any

import pytest

from actors.ai.keywords import DEFAULT_KEYWORDS, hits
from actors.insights.relevance import RelevanceSettings, Weights, relevance
from actors.store.highlights import Highlight


def highlight(summary: str, kind: str = "metric", **fields: Any) -> Highlight:
    return Highlight(uuid.uuid4(), uuid.uuid4(), None, "system", kind, "system", None, summary, None, True, fields)


def test_the_formula_is_that_of_the_documentation() -> None:
    found = relevance(highlight("A benchmark of Postgres and its latency."), 0.9, 15, RelevanceSettings())
    assert found["keywords"] == ["benchmark", "latency", "Postgres"]
    assert found["parts"] == {"keyword": 0.6, "kind": 0.9, "authority": 0.9, "freshness": 0.75}
    assert found["score"] == round(0.4 * 0.6 + 0.3 * 0.9 + 0.2 * 0.9 + 0.1 * 0.75, 4)


def test_authority_is_used_which_the_earlier_version_never_did() -> None:
    scores = [relevance(highlight("x"), authority, 0, RelevanceSettings())["score"] for authority in (0.1, 0.7, 1.0)]
    assert scores == sorted(scores)
    assert len(set(scores)) == 3
    assert relevance(highlight("x"), None, 0, RelevanceSettings())["parts"]["authority"] == 0.7


@pytest.mark.parametrize(("days", "freshness"), [(0, 1.0), (30, 0.5), (600, 0.5)])
def test_freshness_falls_to_one_half(days: float, freshness: float) -> None:
    assert relevance(highlight("x"), 0.5, days, RelevanceSettings())["parts"]["freshness"] == freshness


def test_more_than_five_keywords_count_as_five() -> None:
    found = relevance(highlight(" ".join(DEFAULT_KEYWORDS)), None, 0, RelevanceSettings())
    assert found["parts"]["keyword"] == 1.0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Cheap storage for everyone", []),
        ("RAG beats fine-tuning", ["rag"]),
        ("we use rag, and like it", ["rag"]),
        ("a bragging drag", []),
        ("rag_pipeline", []),
        ("(rag)", ["rag"]),
    ],
)
def test_keyword_rag_does_not_match_storage_as_in_the_earlier_version(text: str, found: list[str]) -> None:
    assert hits(text, ("rag",)) == found


@pytest.mark.parametrize("text", ["An open source tool", "an Open-Source tool", "open\nsource"])
def test_a_keyword_of_two_words_matches_across_hyphen_and_line(text: str) -> None:
    assert hits(text, ("open source",)) == ["open source"]


def test_the_numbers_are_settings() -> None:
    settings = RelevanceSettings(
        keywords=("llama",), enough_keywords=1, weights=Weights(keyword=1, kind=0, authority=0, freshness=0)
    )
    assert relevance(highlight("The llama sleeps."), 0.1, 900, settings)["score"] == 1.0
    assert relevance(highlight("Postgres sleeps."), 0.1, 900, settings)["score"] == 0.0


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValueError, match="fresh_dayz"):
        RelevanceSettings.model_validate({"fresh_dayz": 3})
