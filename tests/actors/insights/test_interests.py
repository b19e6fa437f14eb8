"""The words and example stories of a team raise and lower its scores, with readable reasons."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from actors.cli.app import run
from actors.insights.extract import extract_highlights
from actors.insights.interests import Interest, Interests, score
from actors.insights.selection import Selection
from actors.schema import ExtractHighlights
from actors.store import news
from tests.actors.database import execute

TEAM = uuid.UUID(int=7)
TEXT = (
    "The registry now signs every package that a maintainer uploads. The signature is made in the "
    "maintainer's own pipeline, so that a stolen token alone is not enough. Latency of signed uploads to Postgres mirrors rose by 4 % in May. "
    "Signed reads of Postgres fell by 12 % at 40 jobs a second."
)
ALIKE = TEXT.replace("registry", "index").replace("May", "June")
OTHER = "A cat sat on a mat and looked at the moon for a whole night. In the morning 4 % of the milk was gone."


@pytest.mark.parametrize(
    ("interest", "shift"),
    [
        ({}, 0),
        ({"more": ["postgres"]}, 0.5),
        ({"more": ["postgres", "stolen token", "llama"]}, 1),
        ({"less": ["Postgres"]}, -0.5),
        ({"more": ["Postgres"], "less": ["token"]}, 0),
        ({"more": ["Post"]}, 0),
        ({"like": [3]}, 1),
        ({"like": [4]}, 0),
        ({"unlike": [3, 4], "more": ["Postgres"]}, -0.5),
    ],
)
def test_words_and_examples_move_the_chili(interest: dict[str, Any], shift: float) -> None:
    near = [
        {"story_id": uuid.UUID(int=3), "number": 3, "title": "Near", "cosine": 0.5},
        {"story_id": uuid.UUID(int=4), "number": 4, "title": "Far", "cosine": 0.1},
    ]
    assert score(Interest.model_validate(interest), Interests(), TEXT, near)[0] == shift


@pytest.fixture
def judge(analyse: Any, handler_context: Any) -> Callable[..., Any]:
    """Analyse a story with the interests of teams, and score its highlights; return the context."""

    def run_all(story: uuid.UUID, teams: dict[str, Any], trigger: str = "auto") -> Any:
        ctx = analyse(story, trigger, interests={"teams": teams})
        if trigger == "auto":
            extract_highlights(ExtractHighlights(story_id=story), handler_context(Selection()))
        return ctx

    return run_all


def chilis(conn: Any, **wanted: Any) -> dict[str, float]:
    return {row["title"]: float(row["chili"]) for row in news.stories(conn, **wanted)}


def test_a_team_sees_its_own_chili_and_others_that_of_all(add_story: Any, judge: Any, conn: Any, rows: Any) -> None:
    story, other = add_story(TEXT, title="Signed", days_old=1), add_story(OTHER, title="A cat", days_old=1)
    for one in (story, other):
        judge(one, {})
    example, _ = rows("SELECT number FROM story_index ORDER BY number")
    alike = add_story(ALIKE, title="Signed again", days_old=1)
    teams = {"all": {"more": ["Postgres", "token"]}, str(TEAM): {"less": ["cat", "moon"], "like": [example["number"]]}}
    for one in (story, other, alike):
        judge(one, teams)
    shifts = execute(conn, "SELECT story_id, shift FROM team_scores WHERE team_id = %s", TEAM)
    assert {one: float(shift) for one, shift in shifts} == {story: 0, other: -1, alike: 1}
    chili = "SELECT s.title, (o.citations -> 'chili')::float8 FROM stories AS s JOIN story_overlays AS o ON o.story_id = s.id"
    base = dict(execute(conn, chili))
    assert chilis(conn) == {**base, "Signed": base["Signed"] + 1, "Signed again": base["Signed again"] + 1}
    assert chilis(conn, team=TEAM) == {**base, "A cat": base["A cat"] - 1, "Signed again": base["Signed again"] + 1}
    assert "A cat" not in chilis(conn, team=TEAM, min_chili=base["A cat"])
    assert "A cat" in chilis(conn, min_chili=base["A cat"])
    assert "Signed" in chilis(conn, min_chili=base["Signed"] + 1)


def test_interests_that_change_are_applied_when_a_story_is_scored_again_and_then_change_nothing(
    add_story: Any, judge: Any, rows: Any
) -> None:
    story = add_story(TEXT, title="Signed")
    judge(story, {})
    assert rows("SELECT FROM team_scores") == []
    ctx = judge(story, {"all": {"more": ["Postgres"]}}, trigger="grown")
    assert json.dumps(ctx.output) == '{"outcome": "rescored", "stories": 1}'
    assert [float(row["shift"]) for row in rows("SELECT shift FROM team_scores")] == [0.5]
    scored = "SELECT metadata -> 'relevance' -> 'teams' AS teams FROM highlights WHERE summary LIKE '%%Postgres%%'"
    assert rows(scored)[0]["teams"][str(uuid.UUID(int=0))]["more"] == ["Postgres"]
    before = rows("SELECT * FROM team_scores")
    ctx = judge(story, {"all": {"more": ["Postgres"]}}, trigger="grown")
    assert (rows("SELECT * FROM team_scores"), ctx.sent, ctx.output["outcome"]) == (before, [], "unchanged")
    judge(story, {}, trigger="grown")
    assert rows("SELECT FROM team_scores") == []


def test_a_story_says_what_its_scores_are_of(add_story: Any, judge: Any, capsys: pytest.CaptureFixture[str]) -> None:
    first = add_story(TEXT, title="Signed", authority=0.9)
    judge(first, {})
    story = add_story(ALIKE, title="Signed again", days_old=2)
    judge(story, {"all": {"more": ["Postgres"], "less": ["token"], "like": [1]}})
    assert run(["story", "2"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for words in (
        "Its parts, each from 0 to 1:",
        "nobody rated Feed: the default",
        "interests move it by +1 to",
        "it says Postgres; it says token, which lowers it; it resembles story 1, Signed (cosine",
        "raised by Postgres, from 0.",
    ):
        assert words in said, words
    assert run(["story", "2", "--team", str(TEAM), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["team_scores"][0]["parts"]["like"]["number"] == 1


def test_a_models_opinion_is_named(add_story: Any, analyse: Any, conn: Any, capsys: pytest.CaptureFixture[str]) -> None:
    analyse(add_story(TEXT))
    said = """'{"chili": 4, "analysis": {"provider": "openai", "model": "m-1"}}'"""
    execute(conn, f"UPDATE story_overlays SET citations = citations - 'breakdown' || {said}")
    assert run(["story", "1"]) == 0
    assert "chili 4 is what the model m-1 said; no formula has a part in it" in capsys.readouterr().out
