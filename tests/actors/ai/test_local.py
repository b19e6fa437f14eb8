from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.ai import Settings
from actors.ai.chili import Chili, ChiliWeights
from actors.ai.protocol import Story

DOCUMENT = (
    "# Signed packages\n\nThe registry now signs **every** package that a maintainer uploads. The signature is made in the "
    "maintainer's own pipeline, so that a stolen token alone is not enough. Old versions stay as they are.\n\n"
    "## What to do\n\nNobody needs to act before June. Is that soon? Mirrors check the signature before they copy a file."
)


def story(document: str = DOCUMENT, **fields: Any) -> Story:
    return Story(uuid.UUID(int=1), fields.pop("title", "Signed packages"), document, **fields)


def test_an_extractive_analysis_says_so_and_has_no_opinion() -> None:
    analysis = Settings().open().analyze(story())
    assert analysis.state == "extractive"
    assert analysis.confidence is None
    assert analysis.made_by.provider == "local"
    assert analysis.made_by.prompt is None


def test_why_it_matters_is_taken_word_for_word_and_cited() -> None:
    analysis = Settings().open().analyze(story())
    assert analysis.why_it_matters is not None
    assert "so that a stolen token alone is not enough" in analysis.why_it_matters
    assert analysis.citations
    for citation in analysis.citations:
        assert DOCUMENT[citation.start : citation.end] == citation.text
    assert "**" not in analysis.why_it_matters


@given(st.text(max_size=300))
def test_any_document_can_be_analysed(document: str) -> None:
    analyst = Settings().open()
    analysis = analyst.analyze(story(document))
    assert 0 <= analysis.chili <= 5
    assert all(document[each.start : each.end] == each.text for each in analysis.citations)
    analyst.brief(story(document))
    analyst.summarize(story(document))
    assert len(analyst.embed(story(document)).vector) == 1536


def test_nothing_is_said_of_a_document_without_sentences() -> None:
    analyst = Settings().open()
    assert analyst.analyze(story("Menu\n\nHome")).why_it_matters is None
    assert analyst.summarize(story("Menu\n\nHome")).text is None


def test_embeddings_carry_their_true_name_unlike_those_of_the_earlier_version() -> None:
    assert Settings().open().embed(story()).model_version == "hashed-words-1"


def test_the_chili_formula_is_that_of_the_documentation() -> None:
    chili = Chili(keywords=("registry", "token", "llama"))
    value, breakdown = chili.score(story(authority=0.9, age_days=3.5, cluster_size=3))
    assert breakdown["found"] == ["registry", "token"]
    expected = 0.30 * 0.9 + 0.35 * 2 / 5 + 0.20 * 2 / 3 + 0.15 * 0.5
    assert breakdown["value"] == round(expected, 3)
    assert value == round(5 * expected)


@pytest.mark.parametrize(
    ("hotter", "cooler"),
    [
        ({"authority": 1.0}, {"authority": 0.0}),
        ({"cluster_size": 4}, {"cluster_size": 1}),
        ({"age_days": 0.0}, {"age_days": 30.0}),
        ({"title": "AI agents break Postgres API security, CVE out"}, {"title": "A walk in the park"}),
    ],
)
def test_each_part_makes_a_story_hotter(hotter: dict[str, Any], cooler: dict[str, Any]) -> None:
    assert Chili().score(story(**hotter))[1]["value"] > Chili().score(story(**cooler))[1]["value"]


def test_chili_goes_from_0_to_5() -> None:
    hot = Chili(keywords=("registry",), enough_keywords=1).score(story(authority=1, cluster_size=9, age_days=0))
    cold = Chili(keywords=("llama",)).score(story(authority=0, cluster_size=1, age_days=99))
    assert (hot[0], cold[0]) == (5, 0)


def test_weights_are_settings() -> None:
    only = Chili(weights=ChiliWeights(authority=1, keywords=0, cluster=0, freshness=0))
    assert only.score(story(authority=0.8))[0] == 4


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValueError, match="providr"):
        Settings.model_validate({"providr": "local"})
