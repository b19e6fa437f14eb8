"""``zeke-news interests suggest`` suggests interests from readers' marks, and changes nothing without consent."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from actors.cli.engine import in_force as configuration, task_settings
from tests.actors.cli.conftest import JOBS
from tests.actors.conftest import News
from tests.actors.database import execute
from zeke_jobs.revisions import applying

TEAM = uuid.UUID(int=7)
ANALYSE = "  analyze-story: {handler: actors.insights.analyze:analyze_story}\n"
TEXTS = {
    "Postgres": "Postgres vacuum, Postgres vacuum, and people at {n}.",
    "Bitcoin": "Bitcoin exchange, bitcoin exchange at {n}.",
    "A cat": "Cats on rails, cats on rails, and people at {n}.",
}


@pytest.fixture(autouse=True)
def analysed(in_force: Callable[[str], None]) -> None:
    in_force(JOBS + ANALYSE)


@pytest.fixture
def add(add_story: Any, analyse: Any, conn: Any) -> Callable[..., None]:
    """Add an analysed story that readers without a team have marked."""

    def make(title: str, n: int, state: str | None = None, *, starred: bool = False) -> None:
        story = add_story(TEXTS[title].format(n=n), title=f"{title} {n}", days_old=30 if state else 1)
        analyse(story, same_event_cosine=1)
        if state:
            put = "INSERT INTO team_story_states (team_id, story_id, state, pinned) VALUES (%s, %s, %s, %s)"
            execute(conn, put, uuid.UUID(int=0), story, state, starred)

    return make


@pytest.fixture
def marked(add: Callable[..., None]) -> None:
    """Add stories that readers read, starred, archived or did not mark."""
    for title, state in {"Postgres": "read", "Bitcoin": "archived", "A cat": None}.items():
        for n in range(1, 5):
            add(title, n, state if n < 4 else None, starred=(title, n) == ("Postgres", 1))


def proposals(news: News, *more: str) -> dict[str, dict[str, Any]]:
    return {one["accept"]: one for one in news.json("interests", "suggest", *more)}


def teams(conn: Any) -> Any:
    return task_settings(configuration(conn), "analyze-story").get("interests")


def test_words_and_examples_are_proposed_and_what_is_accepted_is_in_force(news: News, marked: None, conn: Any) -> None:
    made = proposals(news)
    assert made["more:postgres"]["liked"] == 3
    assert [(story["number"], story["by"]) for story in made["more:postgres"]["moved"]] == [(4, 0.5)]
    assert [(story["number"], story["by"]) for story in made["less:bitcoin"]["moved"]] == [(8, -0.5)]
    assert [(story["number"], story["by"]) for story in made["like:1"]["moved"]] == [(4, 1.0)]
    assert {name for name in made if name.startswith("unlike")} <= {"unlike:5", "unlike:6", "unlike:7"}
    assert [name for name in made if name.startswith("more")] == ["more:postgres", "more:vacuum"]
    assert [name for name in made if name.startswith("less")] == ["less:bitcoin", "less:exchange"]
    assert teams(conn) is None
    out = news("interests", "suggest")
    for words in (
        "by 3 stories starred or read and 3 archived; 6 are of the last week",
        "more:postgres: in 3 starred or read, 0 archived; would have moved 1",
        *("+0.5  4  Postgres 4", "to accept: zeke-news interests suggest --accept more:"),
    ):
        assert words in out
    assert proposals(news, "--team", str(TEAM)) == {}, "a team's own marks count"
    assert "nothing to propose yet" in news("interests", "suggest", "--team", str(TEAM))
    news("interests", "suggest", "--accept", "more:postgres", "--accept", "like:1")
    assert teams(conn) == {"teams": {"all": {"more": ["postgres"], "like": [1]}}}
    made = proposals(news)
    assert "more:postgres" not in made
    assert "like:1" not in made
    assert [story["number"] for story in made["less:bitcoin"]["moved"]] == [8]
    news("interests", "suggest", "--accept", "less:bitcoin", "--accept", "more:postgres")
    assert teams(conn) == {"teams": {"all": {"more": ["postgres"], "like": [1], "less": ["bitcoin"]}}}
    news("interests", "suggest", "--accept", "unlike:5", "--team", str(TEAM))
    assert teams(conn)["teams"][str(TEAM)] == {"more": ["postgres"], "like": [1], "less": ["bitcoin"], "unlike": [5]}


def test_two_people_who_accept_at_once_lose_no_word_and_what_is_no_interest_is_refused(
    news: News, conn: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_by_hand = applying.set_by_hand

    def after_another(*given: Any, **named: Any) -> Any:
        monkeypatch.setattr(applying, "set_by_hand", set_by_hand)
        news("interests", "suggest", "--accept", "more:bob")
        return set_by_hand(*given, **named)

    monkeypatch.setattr(applying, "set_by_hand", after_another)
    news("interests", "suggest", "--accept", "more:ada")
    assert teams(conn) == {"teams": {"all": {"more": ["bob", "ada"]}}}
    for accepted in ("Postgres", "most:Postgres", "like:postgres"):
        said = news("interests", "suggest", "--accept", accepted, status=2)
        assert "expected more:WORD, less:WORD, like:STORY or unlike:STORY" in said
    assert teams(conn) == {"teams": {"all": {"more": ["bob", "ada"]}}}


def test_an_example_is_like_more_liked_stories_than_archived_ones(news: News, marked: None, add: Any) -> None:
    for n in range(5, 8):
        for title in ("Postgres", "Bitcoin"):
            add(title, n, "read", starred=True)
    made = proposals(news)
    assert "like:1" in made
    assert [name for name in made if name in {"like:14", "like:16", "like:18"}] == [], "three are archived, two liked"
