"""A digest groups stories by topic, and shows two stored sentences of each story without changing them."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from actors.briefs import rendering
from actors.briefs.generate import BriefSettings, generate_brief
from actors.schema import GenerateBrief
from tests.actors.database import execute

STORIES = {
    "Postgres 19: “Vacuum” speeds up": "The vacuum of Postgres reads large tables in parallel, and dead rows go sooner.",
    "A cat stops a train": "A cat sat on the rails of a small railway for two hours before a child led it away.",
    "Why vacuum in Postgres was slow": "Dead rows of large tables in Postgres kept the vacuum busy; it read them one by one.",
    "Release notes arrive": "The vacuum of Postgres reads large tables in parallel, and dead rows go sooner than ever.",
    "Postgres users meet in Ghent": "Four hundred people gathered in a hall in Belgium, drank coffee and heard talks on hiring.",
}


@pytest.fixture
def digest(handler_context: Any, rows: Callable[..., Any]) -> Callable[[], dict[str, Any]]:
    def write() -> dict[str, Any]:
        generate_brief(GenerateBrief.model_validate({"period": "day"}), handler_context(BriefSettings()))
        stored: dict[str, Any] = rows("SELECT period, ends_on, entries FROM digests")[0]
        return stored

    return write


def test_stories_that_are_alike_and_share_a_word_are_one_topic_named_by_it(told: Any, digest: Any) -> None:
    for chili, (title, text) in zip((5, 4, 3, 2, 1), STORIES.items(), strict=True):
        told(title, chili, text)
    made = digest()
    first, cat, second, notes, ghent = STORIES
    assert [(entry["title"], entry["topic"]) for entry in made["entries"]] == [
        (first, "Postgres, Vacuum"),
        (cat, None),
        (second, "Postgres, Vacuum"),
        (notes, None),
        (ghent, None),
    ]
    shown = rendering.text(made)
    places = [shown.index(each) for each in ("== Postgres, Vacuum", first, second, "== More", cat, notes, ghent)]
    assert places == sorted(places)
    assert f"2. {second}" in shown
    for text in (rendering.markdown(made), rendering.html(made)):
        assert (
            text.index("Postgres, Vacuum") < text.index("Why vacuum") < text.index("More") < text.index("A cat stops")
        )


@pytest.mark.parametrize(
    ("one", "why", "said"),
    [
        ("Vacuum reads in parallel.", "Because dead rows fill the disks of many users.", ["Vacuum reads in parallel.", "Because dead rows fill the disks of many users."]),
        ("Vacuum reads in parallel.", None, ["Vacuum reads in parallel.", "It took 40 minutes before and takes nine now."]),
        ("Vacuum reads in parallel.", "Vacuum reads in parallel now.", ["Vacuum reads in parallel.", "It took 40 minutes before and takes nine now."]),
        ("First it reads. Then dead rows leave the disk at once. Third.", None, ["First it reads.", "Then dead rows leave the disk at once."]),
        (None, None, ["It took 40 minutes before and takes nine now."]),
    ],
)  # fmt: skip
def test_two_sentences_come_from_the_brief_the_reason_and_highlights_that_stand(
    told: Any, digest: Any, conn: Any, one: str | None, why: str | None, said: list[str]
) -> None:
    title, text = next(iter(STORIES.items()))
    story = told(title, 3, text, one, why)
    facts: list[tuple[str, str | None, str, dict[str, Any]]] = [
        ("It took 40 minutes before and takes nine now.", None, "system", {"relevance": {"score": 0.5}}),
        ("That highlight of another edition was taken back.", None, "system", {"withdrawn": True, "relevance": {"score": 0.9}}),
        ("A reader wrote this note about large tables.", None, "user", {"relevance": {"score": 0.9}}),
        ("Only one team may see this sentence of theirs.", str(uuid.UUID(int=7)), "system", {"relevance": {"score": 0.9}}),
        ("parallel = 4", None, "system", {"relevance": {"score": 0.8}}),
    ]  # fmt: skip
    put = "INSERT INTO highlights (story_id, team_id, created_by, origin, summary, metadata) VALUES (%s, %s, 'x', %s, %s, %s)"
    for summary, team, origin, metadata in facts:
        execute(conn, put, story, team, origin, summary, json.dumps(metadata))
    (entry,) = digest()["entries"]
    assert "==" not in rendering.text(digest()), "a digest without topics has no headings"
    assert entry["said"] == said
    assert "highlights" not in entry
    assert all(sentence in " ".join(rendering.text(digest()).split()) for sentence in said)
