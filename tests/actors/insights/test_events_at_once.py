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
from tests.actors.insights.conftest import EVENTS
from zeke_jobs.postgres.pool import connect, transaction
from zeke_jobs.testing import FakeContext

RAIN = "Rain will fall over the whole coast until the weekend, and rivers may rise in the north. Ferries stay in port."
WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def analyse(database: str) -> Callable[..., None]:
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


def test_an_analysis_does_not_wait_while_another_event_is_held(
    deals: Any, add_story: Any, analyse: Any, rows: Any
) -> None:
    *first, last = deals(3)
    *rains, rain = (add_story(RAIN, title="Rain on the coast") for _ in range(3))
    for story in (*first, *rains):
        analyse(story)

    def an_unrelated_one() -> None:
        thread = threading.Thread(target=analyse, args=(rain,))
        thread.start()
        thread.join(10)
        assert not thread.is_alive(), "it waits for a lock of another event"

    analyse(last, an_unrelated_one)
    assert [row["metrics"]["stories"] for row in rows(EVENTS)] == [3, 3]


def test_an_analysis_waits_for_another_of_its_event(deals: Any, analyse: Any, conn: Connection, rows: Any) -> None:
    first, second = deals(2)
    threads: list[threading.Thread] = []
    analyse(first, lambda: threads.append(waiting(conn, analyse, second)))
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
        clusters.unite(tx, [a, d])
        thread = waiting(conn, unite, b, c)
    thread.join(10)
    assert rows(EVENTS) == [{"metrics": {"stories": 4, "sources": 4}}]
    assert len(rows("SELECT DISTINCT cluster_id FROM stories")) == 1


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


def test_a_story_whose_cluster_is_gone_is_held_all_the_same(deals: Any, conn: Connection) -> None:
    stories = deals(1)
    execute(conn, "ALTER TABLE stories DROP CONSTRAINT stories_cluster_id_fkey")
    execute(conn, "UPDATE stories SET cluster_id = gen_random_uuid()")
    execute(conn, "SET statement_timeout = '5s'")
    assert len(clusters.hold(conn, stories)) == 1


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
