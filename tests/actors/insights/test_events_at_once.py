"""Parallel analyses of one event end as if run one after the other; analyses of other events do not wait."""

import random
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from actors.ai import Settings
from actors.insights.analyze import analyze_story
from actors.insights.events import EventSettings
from actors.schema import AnalyzeStory
from actors.store import clusters
from tests.actors.database import execute
from zeke_jobs.postgres.pool import connect, transaction
from zeke_jobs.testing import FakeContext

DEAL = "Acme buys Initech for two billion dollars in cash. The deal closes in June, the companies said on Monday."
RAIN = "Rain will fall over the whole coast until the weekend, and rivers may rise in the north. Ferries stay in port."


@pytest.fixture
def analyse(database: str) -> Callable[..., None]:
    """Analyse a story on a new connection; ``meanwhile`` is called just before the last transaction commits."""
    ai = Settings().open()

    def run(story: uuid.UUID, meanwhile: Callable[[], object] = lambda: None) -> None:
        class Watched(FakeContext):
            def complete(self, output: Any = None) -> None:
                meanwhile()
                super().complete(output)

        with closing(connect(database)) as conn:
            ctx = Watched(conn, settings=EventSettings(), services={"ai": ai})
            analyze_story(AnalyzeStory(story_id=story), ctx)

    return run


@contextmanager
def another(database: str) -> Iterator[Connection]:
    """Open a transaction on another connection, with a lock timeout of two seconds."""
    with closing(connect(database)) as conn, transaction(conn), conn.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '2s'")
        yield conn


def waits(conn: Connection) -> bool:
    """Say whether a session in this database waits for a lock."""
    of_ours = "datname = current_database() AND wait_event_type = 'Lock'"
    return bool(execute(conn, f"SELECT 1 FROM pg_stat_activity WHERE {of_ours}"))


def until_waiting(conn: Connection, thread: threading.Thread) -> None:
    while thread.is_alive() and not waits(conn):
        thread.join(0.01)
    assert thread.is_alive(), "expected it to wait for a lock"


def test_an_analysis_does_not_wait_while_another_event_is_held(add_story: Any, analyse: Any, rows: Any) -> None:
    deals = [add_story(DEAL, title="Acme buys Initech for $2bn") for _ in range(3)]
    rains = [add_story(RAIN, title="Rain on the coast") for _ in range(3)]
    for story in (*deals[:2], *rains[:2]):
        analyse(story)

    def an_unrelated_one() -> None:
        thread = threading.Thread(target=analyse, args=(rains[2],))
        thread.start()
        thread.join(10)
        assert not thread.is_alive(), "it waits for a lock of another event"

    analyse(deals[2], an_unrelated_one)
    assert [row["metrics"]["stories"] for row in rows("SELECT metrics FROM story_clusters")] == [3, 3]


def test_an_analysis_waits_for_another_of_its_event(add_story: Any, analyse: Any, conn: Connection, rows: Any) -> None:
    first, second = (add_story(DEAL, title="Acme buys Initech for $2bn") for _ in range(2))
    other = threading.Thread(target=analyse, args=(second,))

    def the_same_event() -> None:
        other.start()
        until_waiting(conn, other)

    analyse(first, the_same_event)
    other.join(20)
    assert rows("SELECT metrics FROM story_clusters") == [{"metrics": {"stories": 2, "sources": 2}}]
    chili = "SELECT DISTINCT citations -> 'breakdown' -> 'cluster' AS part FROM story_overlays"
    assert rows(chili) == [{"part": 0.333}]


def test_two_events_that_are_one_at_once_become_one(add_story: Any, database: str, conn: Connection, rows: Any) -> None:
    a, b, c, d = (add_story(DEAL) for _ in range(4))
    clusters.unite(conn, [a, b])
    clusters.unite(conn, [c, d])

    def unite(*stories: uuid.UUID) -> None:
        with another(database) as tx:
            clusters.unite(tx, stories)

    thread = threading.Thread(target=unite, args=(b, c))
    with another(database) as tx:
        clusters.unite(tx, [a, d])
        thread.start()
        until_waiting(conn, thread)
    thread.join(10)
    assert rows("SELECT metrics FROM story_clusters") == [{"metrics": {"stories": 4, "sources": 4}}]
    assert len({row["cluster_id"] for row in rows("SELECT cluster_id FROM stories")}) == 1


def test_who_waited_for_a_story_holds_its_cluster_of_now(add_story: Any, database: str, conn: Connection) -> None:
    first, second = add_story(DEAL), add_story(DEAL)
    held: list[dict[str, Any]] = []
    release = threading.Event()

    def hold() -> None:
        with another(database) as tx:
            held.extend(clusters.hold(tx, [first]))
            release.wait(10)

    thread = threading.Thread(target=hold)
    with another(database) as tx:
        cluster = clusters.unite(tx, [first, second])
        thread.start()
        until_waiting(conn, thread)
    while not held:
        thread.join(0.01)
    assert str(held[0]["cluster_id"]) == str(cluster)
    assert execute(conn, "SELECT id FROM story_clusters FOR NO KEY UPDATE SKIP LOCKED") == []
    release.set()
    thread.join(10)


def test_a_story_whose_cluster_is_gone_is_held_all_the_same(add_story: Any, conn: Connection) -> None:
    story = add_story(DEAL)
    execute(conn, "ALTER TABLE stories DROP CONSTRAINT stories_cluster_id_fkey")
    execute(conn, "UPDATE stories SET cluster_id = gen_random_uuid()")
    execute(conn, "SET statement_timeout = '5s'")
    assert len(clusters.hold(conn, [story])) == 1


def test_workers_that_unite_stories_do_not_lock_each_other(add_story: Any, database: str, rows: Any) -> None:
    stories = [add_story(DEAL) for _ in range(24)]

    def work(seed: int) -> None:
        chance = random.Random(seed)
        with closing(connect(database)) as conn:
            for _ in range(40):
                with transaction(conn):
                    clusters.unite(conn, chance.sample(stories, 3))

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(work, seed) for seed in range(6)]:
            done.result(60)
    assert rows("SELECT metrics -> 'stories' AS stories FROM story_clusters") == [{"stories": 24}]
