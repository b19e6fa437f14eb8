import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from actors.ai import Settings
from actors.ai.protocol import Provenance, Summary
from actors.insights.analyze import analyze_story
from actors.insights.events import EventSettings
from actors.schema import AnalyzeStory, StorySummarize
from actors.stories.summarize import story_summarize
from tests.actors.database import execute
from zeke_jobs.postgres.pool import connect
from zeke_jobs.testing import FakeContext

ARTICLE = (
    "The registry now signs every package that a maintainer uploads. The signature is made in the maintainer's own "
    "pipeline, so that a stolen token alone is not enough. Old versions stay as they are, and nobody needs to act."
)
ANN, BOB, CAT = (uuid.UUID(int=number) for number in (1, 2, 3))


@pytest.fixture
def summarize(run_task: Any, conn: Any) -> Callable[..., tuple[str, str | None]]:
    """Run story-summarize; return its outcome and the story's summary."""

    def run(story: uuid.UUID, mode: str = "auto", ai: Any = None) -> tuple[str, str | None]:
        outcome = run_task("story-summarize", {"storyId": story, "mode": mode}, ai=ai).result["outcome"]
        return outcome, execute(conn, "SELECT summary FROM stories WHERE id = %s", story)[0][0]

    return run


def test_a_summary_has_the_storys_own_sentences_or_is_kept(add_story: Any, summarize: Any) -> None:
    story = add_story(ARTICLE, summary="From the feed.")
    assert summarize(story) == ("kept_existing", "From the feed.")
    outcome, text = summarize(story, "force")
    assert (outcome, text in ARTICLE) == ("written", True)
    assert summarize(story, "force") == ("unchanged", text)
    assert summarize(add_story(ARTICLE))[0] == "written"
    assert summarize(add_story("Menu\n\nHome"))[0] == "no_sentences"


@pytest.mark.parametrize("mode", ["auto", "force"])
@pytest.mark.parametrize("edited", ["before", "while the model writes"])
def test_a_summary_of_a_person_stays(add_story: Any, summarize: Any, conn: Any, mode: str, edited: str) -> None:
    def edit() -> None:
        execute(conn, "UPDATE stories SET summary = 'Mine.'")

    class Model:
        def summarize(self, *_: Any) -> Summary:
            edit()
            return Summary("A model's.", Provenance("openai", "m", "s/1"))

    story = add_story(ARTICLE)
    summarize(story)
    if edited == "before":
        edit()
    assert summarize(story, mode, object() if edited == "before" else Model()) == ("kept_edited", "Mine.")


@pytest.fixture
def move(run_task: Any) -> Callable[..., dict[str, Any]]:
    def run(story: uuid.UUID, state: str | None, team: uuid.UUID | None = None, **more: Any) -> dict[str, Any]:
        payload = {"storyId": story, "state": state, "teamId": team, **more}
        return dict(run_task("stories-update-status", payload).result)

    return run


@pytest.fixture
def states(conn: Any) -> Callable[[uuid.UUID], dict[uuid.UUID, str]]:
    stored = "SELECT team_id, state FROM team_story_states WHERE story_id = %s"
    return lambda story: dict(execute(conn, stored, story))


def test_a_team_gets_the_state_and_the_star_that_it_asks_for(add_story: Any, move: Any, states: Any, rows: Any) -> None:
    story = add_story(ARTICLE)
    for state in ("unread", "read", "archived", "unread"):
        assert move(story, state, ANN)["outcome"] == "updated"
        assert states(story) == {ANN: state}
    before = rows("SELECT * FROM team_story_states")
    assert move(story, "unread", ANN)["outcome"] == "unchanged"
    assert move(story, None, ANN, pinned=False)["outcome"] == "unchanged"
    assert rows("SELECT * FROM team_story_states") == before
    assert move(story, None, ANN, pinned=True)["outcome"] == move(story, "read", ANN)["outcome"] == "updated"
    assert move(story, "read", ANN, pinned=True)["outcome"] == "unchanged"
    assert rows("SELECT state, pinned FROM team_story_states") == [{"state": "read", "pinned": True}]


def test_without_a_team_every_follower_moves_forward(add_story: Any, move: Any, states: Any, conn: Any) -> None:
    source = uuid.uuid4()
    first, second, other = add_story(ARTICLE, source=source), add_story(ARTICLE, source=source), add_story(ARTICLE)
    move(first, "read", ANN)
    move(other, "read", CAT)
    teams = "jsonb_build_object('teams', jsonb_build_array(%s::text, 'not-a-team'))"
    execute(conn, f"UPDATE sources SET metadata = {teams} WHERE id = %s", str(BOB), source)
    assert move(second, "unread") == {"outcome": "updated", "teams": 2, "changed": 2}
    assert states(second) == {ANN: "unread", BOB: "unread"}
    assert move(second, "unread")["outcome"] == "unchanged"
    story = add_story(ARTICLE)  # What is archived never goes back by itself.
    assert move(story, "unread") == {"outcome": "no_followers", "teams": 0, "changed": 0}
    for state, team in (("archived", ANN), ("read", BOB), ("unread", CAT)):
        move(story, state, team)
    for state in ("unread", "read"):
        move(story, state)
        assert states(story)[ANN] == "archived"
    assert states(story) == {ANN: "archived", BOB: "read", CAT: "read"}
    move(story, "archived")
    assert set(states(story).values()) == {"archived"}


def test_a_summary_and_an_analysis_of_a_story_do_not_lock_each_other(add_story: Any, database: str, rows: Any) -> None:
    ai = Settings().open()
    stories = [add_story(f"{ARTICLE} Series {number}.") for number in range(2)]

    def work(task: Callable[..., Any], model: Callable[..., Any], settings: Any) -> None:
        with closing(connect(database)) as conn:
            for story in stories * 15:
                execute(conn, "UPDATE stories SET summary = NULL, cluster_id = NULL WHERE id = %s", story)
                execute(conn, "UPDATE story_overlays SET citations = '{}' WHERE story_id = %s", story)
                task(model(story_id=story), FakeContext(conn, settings=settings, services={"ai": ai}))

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(work, story_summarize, StorySummarize, None) for _ in range(2)]
        jobs += [pool.submit(work, analyze_story, AnalyzeStory, EventSettings()) for _ in range(2)]
        for job in jobs:
            job.result(60)
    assert len(rows("SELECT story_id FROM story_overlays WHERE analyzed_at IS NOT NULL")) == 2
