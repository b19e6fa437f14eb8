import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from actors.ai.protocol import Brief, Provenance
from actors.ai.sentences import sentences
from actors.briefs.generate import BriefSettings, generate_brief
from actors.schema import GenerateBrief
from tests.actors.database import execute

OVERLAY = "SELECT * FROM story_overlays"
ARTICLE = (
    "The registry now signs every package that a maintainer uploads to PyPI. The signature is made in the maintainer's own "
    "pipeline, so that a stolen token alone is not enough. Old versions stay as they are, and nobody needs to act "
    "before June. Mirrors check the signature before they copy a file. The change follows three incidents in spring. "
) + "Filler words follow here to make it long. " * 100


WRITTEN = Brief(
    "One line.", "It is one. It is two.", "It is one. It is two. It is three.", Provenance("openai", "m", "b/1")
)


@pytest.fixture
def run(handler_context: Any) -> Callable[..., dict[str, Any]]:
    def brief(story: uuid.UUID, reason: str = "new_story", ai: Any = None) -> dict[str, Any]:
        payload = GenerateBrief.model_validate({"storyId": story, "reason": reason})
        return generate_brief(payload, handler_context(BriefSettings(), ai=ai))

    return brief


def test_a_story_gets_a_brief_of_its_own_sentences_within_the_limits(add_story: Any, run: Any, rows: Any) -> None:
    output = run(add_story(ARTICLE, title="The registry"))
    (overlay,) = rows(OVERLAY)
    assert output["outcome"] == "written"
    assert output["missing"] == []
    assert len(overlay["brief_one_liner"]) <= 140
    assert len(sentences(overlay["brief_two_liner"])) == 2
    assert len(overlay["brief_two_liner"]) <= 280
    assert len(sentences(overlay["brief_elevator"])) in {3, 4}
    for part in ("brief_one_liner", "brief_two_liner", "brief_elevator"):
        assert all(sentence.text in ARTICLE for sentence in sentences(overlay[part]))
    read = sum(len(overlay[part].split()) for part in ("brief_one_liner", "brief_two_liner", "brief_elevator"))
    assert overlay["time_saved_seconds"] == round((len(ARTICLE.split()) - read) * 60 / 200)
    assert overlay["citations"]["brief"]["provider"] == "local"


def test_a_podcast_saves_its_length(add_story: Any, run: Any, rows: Any) -> None:
    run(add_story(ARTICLE, kind="podcast", duration=3600))
    (overlay,) = rows(OVERLAY)
    assert 3500 < overlay["time_saved_seconds"] < 3600


@pytest.mark.parametrize("reason", ["new_story", "manual", "regenerate"])
def test_a_brief_that_a_person_edits_stays_also_while_the_model_writes(
    add_story: Any, run: Any, rows: Any, other_conn: Any, reason: str
) -> None:
    story = add_story(ARTICLE)
    run(story)

    def slow(*_: Any) -> Brief:
        execute(other_conn, "UPDATE story_overlays SET brief_elevator = 'Mine.'")
        return WRITTEN

    if reason == "regenerate":
        assert run(story, reason, SimpleNamespace(brief=slow))["outcome"] == "kept_edited"
    execute(other_conn, "UPDATE story_overlays SET brief_one_liner = 'Mine.'")
    before = rows(OVERLAY)
    assert run(story, reason, object())["outcome"] == "kept_edited", "no model is asked"
    assert rows(OVERLAY) == before


def test_a_text_of_one_sentence_has_no_elevator_pitch_and_none_is_invented(add_story: Any, run: Any, rows: Any) -> None:
    sentence = "The registry now signs every package that a maintainer uploads to PyPI."
    output = run(add_story(sentence, title="The registry"))
    (overlay,) = rows(OVERLAY)
    assert output["missing"] == ["two_liner", "elevator"]
    assert overlay["brief_one_liner"] == sentence
    assert (overlay["brief_two_liner"], overlay["brief_elevator"]) == (None, None)
