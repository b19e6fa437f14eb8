import uuid
from itertools import permutations
from typing import Any

import pytest

from actors.ai import Settings
from actors.ai.protocol import Analysis, Provenance
from actors.store import clusters
from tests.actors.database import execute

DEAL = "Acme buys Initech for two billion dollars in cash. The deal closes in June, the companies said on Monday."
SCORES = (
    "SELECT story_id, citations -> 'chili' AS chili, citations -> 'breakdown' AS parts FROM story_overlays ORDER BY 1"
)


def deals(add_story: Any, count: int) -> list[uuid.UUID]:
    return [add_story(f"{DEAL} Report {n}.", title="Acme buys Initech for $2bn", authority=0.6) for n in range(count)]


def test_in_whatever_order_the_stories_of_an_event_are_analysed_their_chili_is_the_same(
    add_story: Any, analyse: Any, rows: Any, conn: Any
) -> None:
    stories = deals(add_story, 3)
    found = []
    for order in permutations(stories):
        execute(conn, "DELETE FROM story_overlays")
        execute(conn, "DELETE FROM story_embeddings")
        execute(conn, "UPDATE stories SET cluster_id = NULL")
        execute(conn, "DELETE FROM story_clusters")
        outputs = [analyse(story).output for story in order]
        found.append(rows(SCORES))
        assert outputs[-1]["chili"] == found[-1][0]["chili"], "the output says what is stored"
    assert len(found[0]) == 3
    assert {row["parts"]["cluster"] for row in found[0]} == {0.667}
    assert all(each == found[0] for each in found)


def test_of_two_near_duplicates_the_first_is_scored_anew_when_the_second_is_analysed(
    add_story: Any, analyse: Any, rows: Any, conn: Any
) -> None:
    first, second = deals(add_story, 2)
    analyse(first)
    alone = rows(SCORES)[0]["parts"]["cluster"]
    clusters.unite(conn, [first, second])  # Filing the second story unites the events in the same way.
    analyse(second)
    assert (alone, {row["parts"]["cluster"] for row in rows(SCORES)}) == (0.0, {0.333})


def test_a_copy_from_one_more_source_makes_the_whole_event_hotter_and_nothing_else(
    add_story: Any, analyse: Any, rows: Any, add_copy: Any
) -> None:
    stories = deals(add_story, 2)
    analyse(stories[0])
    add_copy(stories[0])
    assert analyse(stories[0], "grown").output["outcome"] == "rescored", "without a cluster"
    assert rows(SCORES)[0]["parts"]["cluster"] == 0.333
    analyse(stories[1])
    before = rows("SELECT why_it_matters, analyzed_at FROM story_overlays ORDER BY story_id")
    add_copy(stories[0])
    grown = analyse(stories[0], "grown")
    assert (grown.output, grown.sent) == ({"outcome": "rescored", "stories": 2}, [])
    assert {row["parts"]["cluster"] for row in rows(SCORES)} == {1}
    assert rows("SELECT metrics FROM story_clusters") == [{"metrics": {"stories": 2, "sources": 4}}]
    assert rows("SELECT why_it_matters, analyzed_at FROM story_overlays ORDER BY story_id") == before
    assert analyse(stories[1], "grown").output == {"outcome": "unchanged", "stories": 0}


def test_a_score_that_a_person_or_a_model_gave_stays(add_story: Any, analyse: Any, rows: Any, conn: Any) -> None:
    by_person, by_model, last = deals(add_story, 3)

    told = Analysis("It matters.", 1, "completed", Provenance("openai", "m", "analyze/1"), 0.8)
    model = Settings().open()
    model.analyze = lambda *_: told  # type: ignore[method-assign]
    analyse(by_person)
    execute(
        conn, """UPDATE story_overlays SET citations = citations || '{"chili": 0}' WHERE story_id = %s""", by_person
    )
    analyse(by_model, ai=model)
    analyse(last)
    scores = {row["story_id"]: row["chili"] for row in rows(SCORES)}
    assert rows("SELECT metrics FROM story_clusters") == [{"metrics": {"stories": 3, "sources": 3}}]
    assert (scores[str(by_person)], scores[str(by_model)]) == (0, 1)


def test_every_story_near_enough_joins_not_the_ten_nearest(add_story: Any, analyse: Any, rows: Any, conn: Any) -> None:
    many, stranger = deals(add_story, 12), add_story(DEAL + " More follows.", title="Acme to buy Initech in $2bn deal")
    for story in (*many, stranger):
        analyse(story)
    execute(conn, "UPDATE stories SET cluster_id = NULL")
    last = add_story(f"{DEAL} Report 0.", title="Acme buys Initech for $2bn")
    assert analyse(last).output["same_event"] == 13
    assert len(rows("SELECT id FROM stories WHERE cluster_id IS NOT NULL")) == 14


@pytest.mark.parametrize("moment", ["0001-01-01", "9999-12-31"])
def test_a_story_of_the_end_of_all_time_is_analysed(add_story: Any, analyse: Any, conn: Any, moment: str) -> None:
    story = add_story(DEAL)
    execute(conn, "UPDATE stories SET published_at = %s", moment)
    assert analyse(story).output["outcome"] == "analyzed"
