"""The search for stories of one event by terms is compared with a comparison of all pairs."""

import os
import uuid
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.lab.events.measure import one_by_one, quality
from tests.lab.events.world import World
from zeke_jobs.postgres.pool import connect

KNOWN, ARRIVING = (800, 200) if os.environ.get("ZEKE_TEST_DEEP") else (200, 60)


@pytest.mark.quality
@pytest.mark.parametrize("has_pgvector", [True, False])
def test_terms_find_what_a_comparison_of_all_finds(
    database: str, world: World, figure: Callable[[str, float, float], None], has_pgvector: bool
) -> None:
    with closing(connect(database)) as conn, conn.cursor() as cursor:
        if not has_pgvector:
            cursor.execute("ALTER TABLE story_embeddings DROP COLUMN embedding, ADD COLUMN embedding real[] NOT NULL")
        world.load(conn)
    places = range(KNOWN, KNOWN + ARRIVING)
    _, hits = one_by_one(database, world, places)
    found = quality(database, world, places, hits)
    assert found.pairs > 10
    way = "pgvector" if has_pgvector else "plain"
    figure(f"same event among {len(world.ids):,}, {way}, recall", found.together / found.pairs, 0.98)
    figure(f"same event among {len(world.ids):,}, {way}, precision", 1 - found.wrong / found.found, 1)


@pytest.fixture(scope="module")
def world() -> World:
    made = World.made(KNOWN, ARRIVING)
    made.ids = [uuid.UUID(int=place + 1) for place in range(KNOWN + ARRIVING)]
    return made
