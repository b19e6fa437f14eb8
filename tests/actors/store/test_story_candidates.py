from __future__ import annotations

import random
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from actors.store import stories
from actors.store.statements import SQL

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

FILL = """
INSERT INTO sources (id, type) VALUES ('00000000-0000-0000-0000-000000000001', 'rss');
INSERT INTO raw_items (source_id, external_id)
SELECT '00000000-0000-0000-0000-000000000001', n::text FROM generate_series(1, 6000) AS n;
INSERT INTO contents (raw_item_id, content_hash, text_body) SELECT id, external_id, 'text ' || external_id FROM raw_items;
INSERT INTO stories (content_id, title) SELECT id, content_hash FROM contents;
INSERT INTO story_signatures (story_id, signature, bands)
SELECT id, '{1}', (SELECT array_agg(title::bigint * 100 + n) FROM generate_series(1, 42) AS n) FROM stories;
ANALYZE;
"""


@pytest.fixture
def filled(conn: Connection) -> Connection:
    with conn.cursor() as cursor:
        cursor.execute(FILL)
    return conn


def story(conn: Connection, title: int) -> UUID:
    with conn.cursor() as cursor:
        cursor.execute("SELECT id FROM stories WHERE title = %s", (str(title),))
        row = cursor.fetchone()
    assert row is not None
    return UUID(str(row[0]))


def test_stories_that_share_a_band_are_found_the_most_alike_first(filled: Connection) -> None:
    mine = story(filled, 1)
    bands = [101, 102, 501, 502, 503, 701, 99_999_999]
    found = stories.candidates(filled, mine, bands)
    assert [one.text for one in found] == ["text 5", "text 7"]
    assert stories.candidates(filled, mine, []) == []


def test_the_signatures_are_not_read_through_to_find_them(filled: Connection) -> None:
    # It happens while all other workers wait to file a story: reading 30,000 signatures took 140 ms.
    chance = random.Random(3)
    bands = [chance.getrandbits(62) for _ in range(42)]
    with filled.cursor() as cursor:
        values = {"story_id": str(story(filled, 1)), "bands": bands, "most": 50}
        cursor.execute(f"EXPLAIN {SQL.text('story_candidates')}", values)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Seq Scan on story_signatures" not in plan, plan
    assert "story_signatures_bands_idx" in plan
