"""An event's stories share a score. Parallel analyses give the same scores as serial ones, and wait only within an event."""

import random
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import permutations
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from actors.ai import Settings
from actors.insights.analyze import analyze_story
from actors.insights.events import EventSettings
from actors.schema import AnalyzeStory
from actors.store import clusters
from tests.actors.database import execute
from tests.actors.insights.conftest import DEAL, EVENTS, model
from zeke_jobs.postgres.pool import connect, transaction
from zeke_jobs.testing import FakeContext

SCORES = (
    "SELECT story_id, citations -> 'chili' AS chili, citations -> 'breakdown' AS parts FROM story_overlays ORDER BY 1"
)


@pytest.fixture
def parts(rows: Any) -> Callable[[], set[float]]:
    """Return the points in each story's score that come from the number of sources."""
    return lambda: {row["parts"]["cluster"] for row in rows(SCORES)}


def test_in_any_order_of_analyses_the_chili_is_the_same(deals: Any, analyse: Any, rows: Any, conn: Any) -> None:
    found = []
    for order in permutations(deals(3)):
        for forget in ("DELETE FROM story_overlays", "DELETE FROM story_embeddings", "DELETE FROM story_clusters"):
            execute(conn, forget)
        outputs = [analyse(story).output for story in order]
        found.append(rows(SCORES))
        assert outputs[-1]["chili"] == found[-1][0]["chili"], "the output says what is stored"
    assert [row["parts"]["cluster"] for row in found[0]] == [0.667] * 3
    assert all(each == found[0] for each in found)


def test_a_copy_from_one_more_source_makes_the_event_hotter(
    deals: Any, analyse: Any, rows: Any, parts: Any, add_copy: Any, conn: Any
) -> None:
    first, second = deals(2)
    analyse(first)
    add_copy(first)
    assert analyse(first, "grown").output["outcome"] == "rescored", "without a cluster"
    assert parts() == {0.333}
    clusters.unite(conn, [first, second])  # Filing the second story unites near-duplicates in the same way.
    analyse(second)
    assert parts() == {0.667}, "the first is scored anew"
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


def test_every_story_near_enough_joins(deals: Any, add_story: Any, analyse: Any, rows: Any, conn: Any) -> None:
    stranger = add_story(f"{DEAL} More follows.", title="Acme to buy Initech in $2bn deal")
    *many, last = deals(13)
    for story in (*many, stranger):
        analyse(story)
    execute(conn, "UPDATE stories SET cluster_id = NULL")
    assert analyse(last).output["same_event"] == 13
    assert len(rows("SELECT FROM stories WHERE cluster_id IS NOT NULL")) == 14
    for moment in ("0001-01-01", "9999-12-31"):
        execute(conn, "UPDATE stories SET published_at = %s WHERE id = %s", moment, last)
        output = analyse(last, "manual").output
        assert output["outcome"] in {"analyzed", "unchanged"}, "a story of the end of all time is analysed"


RAIN = "Rain will fall over the whole coast until the weekend, and rivers may rise in the north. Ferries stay in port."
WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def analyse_beside(database: str) -> Callable[..., None]:
    """Analyse a story on a new connection; ``meanwhile`` is called just before the last transaction commits."""

    def run(story: uuid.UUID, meanwhile: Callable[[], object] = lambda: None) -> None:
        class Watched(FakeContext):
            def complete(self, output: Any = None) -> None:
                meanwhile()
                super().complete(output)

        with closing(connect(database)) as conn:
            ctx = Watched(conn, settings=EventSettings(), services={"ai": Settings().open()})
            analyze_story(AnalyzeStory(story_id=story), ctx)

    return run


@contextmanager
def another(database: str) -> Iterator[Connection]:
    """Open a transaction on another connection, with a lock timeout of two seconds."""
    with closing(connect(database)) as conn, transaction(conn):
        execute(conn, "SET LOCAL lock_timeout = '2s'")
        yield conn


def waiting(conn: Connection, work: Callable[..., object], *args: Any) -> threading.Thread:
    """Start work in a thread, and return the thread when it waits for a lock."""
    thread = threading.Thread(target=work, args=args)
    thread.start()
    while thread.is_alive() and not execute(conn, WAITING):
        thread.join(0.01)
    assert thread.is_alive(), "expected it to wait for a lock"
    return thread


def test_an_analysis_does_not_wait_for_another_event(
    deals: Any, add_story: Any, analyse: Any, analyse_beside: Any, rows: Any
) -> None:
    *first, last = deals(3)
    *rains, rain = (add_story(RAIN, title="Rain on the coast") for _ in range(3))
    for story in (*first, *rains):
        analyse(story)

    def an_unrelated_one() -> None:
        thread = threading.Thread(target=analyse_beside, args=(rain,))
        thread.start()
        thread.join(10)
        assert not thread.is_alive(), "it waits for a lock of another event"

    analyse_beside(last, an_unrelated_one)
    assert [row["metrics"]["stories"] for row in rows(EVENTS)] == [3, 3]


def test_an_analysis_waits_for_one_of_its_event(deals: Any, analyse_beside: Any, conn: Connection, rows: Any) -> None:
    first, second = deals(2)
    threads: list[threading.Thread] = []
    analyse_beside(first, lambda: threads.append(waiting(conn, analyse_beside, second)))
    threads[0].join(20)
    assert rows(EVENTS) == [{"metrics": {"stories": 2, "sources": 2}}]
    chili = "SELECT DISTINCT citations -> 'breakdown' -> 'cluster' AS part FROM story_overlays"
    assert rows(chili) == [{"part": 0.333}]


def test_two_events_that_are_one_at_once_become_one(deals: Any, database: str, conn: Connection, rows: Any) -> None:
    a, b, c, d = deals(4)
    clusters.unite(conn, [a, b])
    clusters.unite(conn, [c, d])

    def unite(*stories: uuid.UUID) -> None:
        with another(database) as tx:
            clusters.unite(tx, stories)

    with another(database) as tx:
        cluster = clusters.unite(tx, [a, d])
        assert execute(tx, "SELECT count(*) FROM stories WHERE cluster_id = %s", cluster) == [(4,)], "all"
        thread = waiting(conn, unite, b, c)
    thread.join(10)
    assert rows(EVENTS) == [{"metrics": {"stories": 4, "sources": 4}}]
    assert len(rows("SELECT DISTINCT cluster_id FROM stories")) == 1
    # A story can be locked even if its cluster no longer exists.
    execute(conn, "ALTER TABLE stories DROP CONSTRAINT stories_cluster_id_fkey; SET statement_timeout = '5s'")
    execute(conn, "UPDATE stories SET cluster_id = gen_random_uuid()")
    assert len(clusters.hold(conn, [a])) == 1


def test_who_waited_for_a_story_holds_its_cluster_of_now(deals: Any, database: str, conn: Connection) -> None:
    first, second = deals(2)
    held: list[Any] = []

    def hold() -> None:
        with another(database) as tx:
            held.extend(row["cluster_id"] for row in clusters.hold(tx, [first]))
            held.append(execute(conn, "SELECT id FROM story_clusters FOR NO KEY UPDATE SKIP LOCKED"))

    with another(database) as tx:
        cluster = clusters.unite(tx, [first, second])
        thread = waiting(conn, hold)
    thread.join(10)
    assert held == [cluster, []]


def test_workers_that_unite_stories_do_not_lock_each_other(deals: Any, database: str, rows: Any) -> None:
    stories = deals(24)

    def work(seed: int) -> None:
        chance = random.Random(seed)
        with closing(connect(database)) as conn:
            for _ in range(40):
                with transaction(conn):
                    clusters.unite(conn, chance.sample(stories, 3))

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(work, seed) for seed in range(6)]:
            done.result(60)
    assert [row["metrics"]["stories"] for row in rows(EVENTS)] == [24]
