from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest

from actors.store import clusters
from tests.actors.database import execute
from tests.actors.insights.conftest import DEAL, EVENTS, model

SCORES = (
    "SELECT story_id, citations -> 'chili' AS chili, citations -> 'breakdown' AS parts FROM story_overlays ORDER BY 1"
)


@pytest.fixture
def parts(rows: Any) -> Callable[[], set[float]]:
    """Return which part of each story's score comes from the number of sources."""
    return lambda: {row["parts"]["cluster"] for row in rows(SCORES)}


def test_in_whatever_order_the_stories_of_an_event_are_analysed_their_chili_is_the_same(
    deals: Any, analyse: Any, rows: Any, conn: Any
) -> None:
    found = []
    for order in permutations(deals(3)):
        for forget in ("DELETE FROM story_overlays", "DELETE FROM story_embeddings", "DELETE FROM story_clusters"):
            execute(conn, forget)
        outputs = [analyse(story).output for story in order]
        found.append(rows(SCORES))
        assert outputs[-1]["chili"] == found[-1][0]["chili"], "the output says what is stored"
    assert [row["parts"]["cluster"] for row in found[0]] == [0.667] * 3
    assert all(each == found[0] for each in found)


def test_of_two_near_duplicates_the_first_is_scored_anew_when_the_second_is_analysed(
    deals: Any, analyse: Any, parts: Any, conn: Any
) -> None:
    first, second = deals(2)
    analyse(first)
    assert parts() == {0.0}
    clusters.unite(conn, [first, second])  # Filing the second story unites the events in the same way.
    analyse(second)
    assert parts() == {0.333}


def test_a_copy_from_one_more_source_makes_the_whole_event_hotter_and_nothing_else(
    deals: Any, analyse: Any, rows: Any, parts: Any, add_copy: Any
) -> None:
    first, second = deals(2)
    analyse(first)
    add_copy(first)
    assert analyse(first, "grown").output["outcome"] == "rescored", "without a cluster"
    assert parts() == {0.333}
    analyse(second)
    analysed = "SELECT why_it_matters, analyzed_at FROM story_overlays ORDER BY story_id"
    before = rows(analysed)
    add_copy(first)
    grown = analyse(first, "grown")
    assert (grown.output, grown.sent) == ({"outcome": "rescored", "stories": 2}, [])
    assert (parts(), rows(EVENTS), rows(analysed)) == ({1}, [{"metrics": {"stories": 2, "sources": 4}}], before)
    assert analyse(second, "grown").output == {"outcome": "unchanged", "stories": 0}


def test_a_score_that_a_person_or_a_model_gave_stays(deals: Any, analyse: Any, rows: Any, conn: Any) -> None:
    by_person, by_model, last = deals(3)
    analyse(by_person)
    execute(conn, """UPDATE story_overlays SET citations = citations || '{"chili": 0}'""")
    analyse(by_model, ai=model(chili=1))
    analyse(last)
    scores = {row["story_id"]: row["chili"] for row in rows(SCORES)}
    assert rows(EVENTS) == [{"metrics": {"stories": 3, "sources": 3}}]
    assert (scores[str(by_person)], scores[str(by_model)]) == (0, 1)


def test_every_story_near_enough_joins_not_the_ten_nearest(
    deals: Any, add_story: Any, analyse: Any, rows: Any, conn: Any
) -> None:
    stranger = add_story(f"{DEAL} More follows.", title="Acme to buy Initech in $2bn deal")
    *many, last = deals(13)
    for story in (*many, stranger):
        analyse(story)
    execute(conn, "UPDATE stories SET cluster_id = NULL")
    assert analyse(last).output["same_event"] == 13
    assert len(rows("SELECT FROM stories WHERE cluster_id IS NOT NULL")) == 14


@pytest.mark.parametrize("moment", ["0001-01-01", "9999-12-31"])
def test_a_story_of_the_end_of_all_time_is_analysed(add_story: Any, analyse: Any, conn: Any, moment: str) -> None:
    story = add_story(DEAL)
    execute(conn, "UPDATE stories SET published_at = %s", moment)
    assert analyse(story).output["outcome"] == "analyzed"
