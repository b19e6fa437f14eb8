"""A team's words and example stories raise or lower stories' scores for this team; each score names its reasons."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from actors.insights.interests import Interest, Interests, score
from actors.store.news import stories
from tests.actors.database import execute
from tests.each import cases

TEAM = uuid.UUID(int=7)
TEXT = (
    "The registry now signs every package that a maintainer uploads. The signature is made in the "
    "maintainer's own pipeline, so that a stolen token alone is not enough. Latency of signed uploads to Postgres mirrors rose by 4 % in May. "
    "Signed reads of Postgres fell by 12 % at 40 jobs a second."
)
ALIKE = TEXT.replace("registry", "index").replace("May", "June")
OTHER = "A cat sat on a mat and looked at the moon for a whole night. In the morning 4 % of the milk was gone."


@cases(
    "interest shift",
    ({}, 0),
    ({"more": ["postgres"]}, 0.5),
    ({"more": ["postgres", "stolen token", "llama"]}, 1),
    ({"less": ["Postgres"]}, -0.5),
    ({"more": ["Postgres"], "less": ["token"]}, 0),
    ({"more": ["Post"]}, 0),
    ({"like": [3]}, 1),
    ({"like": [4]}, 0),
    ({"unlike": [3, 4], "more": ["Postgres"]}, -0.5),
)
def test_words_and_examples_move_the_chili(interest: dict[str, Any], shift: float) -> None:
    near = [
        {"story_id": uuid.UUID(int=number), "number": number, "title": "Near or far", "cosine": cosine}
        for number, cosine in ((3, 0.5), (4, 0.1))
    ]
    assert score(Interest.model_validate(interest), Interests(), TEXT, near)[0] == shift


@pytest.fixture
def judge(analyse: Any, run_task: Any) -> Callable[..., Any]:
    """Analyse a story with the interests of teams, and extract its highlights; return the context of the analysis."""

    def run_all(story: uuid.UUID, trigger: str = "auto", **teams: Any) -> Any:
        ctx = analyse(story, trigger, interests={"teams": teams})
        if trigger == "auto":
            run_task("extract-highlights", {"story_id": story})
        return ctx

    return run_all


def test_a_team_sees_its_own_chili_and_others_that_of_all(add_story: Any, judge: Any, conn: Any, rows: Any) -> None:
    def chilis(**wanted: Any) -> dict[str, float]:
        return {row["title"]: float(row["chili"]) for row in stories(conn, **wanted)}

    story, other = add_story(TEXT, title="Signed", days_old=1), add_story(OTHER, title="A cat", days_old=1)
    for one in (story, other):
        judge(one)
    example, _ = rows("SELECT number FROM story_index ORDER BY number")
    alike = add_story(ALIKE, title="Signed again", days_old=1)
    own = {"less": ["cat", "moon"], "like": [example["number"]]}
    for one in (story, other, alike):
        judge(one, **{"all": {"more": ["Postgres", "token"]}, str(TEAM): own})
    shifts = execute(conn, "SELECT story_id, shift FROM team_scores WHERE team_id = %s", TEAM)
    assert {one: float(shift) for one, shift in shifts} == {story: 0, other: -1, alike: 1}
    chili = "SELECT s.title, (o.citations -> 'chili')::float8 FROM stories AS s JOIN story_overlays AS o ON o.story_id = s.id"
    base = dict(execute(conn, chili))
    assert chilis() == {**base, "Signed": base["Signed"] + 1, "Signed again": base["Signed again"] + 1}
    assert chilis(team=TEAM) == {**base, "A cat": base["A cat"] - 1, "Signed again": base["Signed again"] + 1}
    assert "A cat" not in chilis(team=TEAM, min_chili=base["A cat"])
    assert "A cat" in chilis(min_chili=base["A cat"])
    assert "Signed" in chilis(min_chili=base["Signed"] + 1)


def test_changed_interests_apply_when_a_story_is_scored_again_once(add_story: Any, judge: Any, rows: Any) -> None:
    story, more = add_story(TEXT, title="Signed"), {"all": {"more": ["Postgres"]}}
    judge(story)
    assert rows("SELECT FROM team_scores") == []
    assert json.dumps(judge(story, "grown", **more).output) == '{"outcome": "rescored", "stories": 1}'
    before = rows("SELECT * FROM team_scores")
    assert [float(row["shift"]) for row in before] == [0.5]
    scored = "SELECT metadata -> 'relevance' -> 'teams' AS teams FROM highlights WHERE summary LIKE '%%Postgres%%'"
    assert rows(scored)[0]["teams"][str(uuid.UUID(int=0))]["more"] == ["Postgres"]
    ctx = judge(story, "grown", **more)
    assert (rows("SELECT * FROM team_scores"), ctx.sent, ctx.output["outcome"]) == (before, [], "unchanged")
    judge(story, "grown")
    assert rows("SELECT FROM team_scores") == []


def test_a_story_says_what_its_scores_are_of(add_story: Any, judge: Any, conn: Any, news: Any) -> None:
    judge(add_story(TEXT, title="Signed", authority=0.9))
    story = add_story(ALIKE, title="Signed again", days_old=2)
    judge(story, all={"more": ["Postgres"], "less": ["token"], "like": [1]})
    said = " ".join(news("story", "2").split())
    for words in (
        "Its parts, each from 0 to 1:",
        "nobody rated Feed: the default",
        "interests move it by +1 to",
        "it says Postgres; it says token, which lowers it; it resembles story 1, Signed (cosine",
        "raised by Postgres, from 0.",
    ):
        assert words in said, words
    assert news.json("story", "2", "--team", str(TEAM))["team_scores"][0]["parts"]["like"]["number"] == 1
    opinion = """'{"chili": 4, "analysis": {"provider": "openai", "model": "m-1"}}'"""
    execute(conn, f"UPDATE story_overlays SET citations = citations - 'breakdown' || {opinion}")
    news("story", "1", has=["chili 4 is what the model m-1 said; no formula has a part in it"])
