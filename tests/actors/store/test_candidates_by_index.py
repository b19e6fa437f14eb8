"""The searches for similar stories, and the query for one story, use an index whatever the planner's statistics."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from psycopg2.extensions import connection as Connection

from actors.insights import events
from actors.store import stories, texts
from tests.actors.database import execute, rows_read

DAY = datetime(2026, 11, 20, tzinfo=UTC)
TABLES = ("stories", "contents", "story_overlays", "story_bands", "story_terms")
FILL = """
INSERT INTO sources (id, type) VALUES ('00000000-0000-0000-0000-000000000001', 'rss') ON CONFLICT DO NOTHING;
INSERT INTO raw_items (source_id, external_id)
SELECT '00000000-0000-0000-0000-000000000001', n::text FROM generate_series({first}, {last}) AS n;
INSERT INTO contents (raw_item_id, content_hash, text_body)
SELECT id, external_id, 'text ' || external_id FROM raw_items WHERE external_id::int BETWEEN {first} AND {last};
INSERT INTO stories (content_id, title, published_at)
SELECT id, content_hash, '2026-11-20Z' FROM contents WHERE content_hash::int BETWEEN {first} AND {last};
INSERT INTO story_overlays (story_id) SELECT id FROM stories AS s WHERE s.title::int BETWEEN {first} AND {last};
INSERT INTO story_bands (story_id, bands)
SELECT s.id, (SELECT array_agg(s.title::bigint * 100 + n) FROM generate_series(1, 42) AS n)
FROM stories AS s WHERE s.title::int BETWEEN {first} AND {last};
INSERT INTO story_terms (term, happened_at, story_id)
SELECT s.title::bigint * 100 + n, s.published_at, s.id
FROM stories AS s CROSS JOIN generate_series(1, 16) AS n WHERE s.title::int BETWEEN {first} AND {last};
"""


def story(conn: Connection, title: int) -> UUID:
    return UUID(str(execute(conn, "SELECT id FROM stories WHERE title = %s", str(title))[0][0]))


def look_at(conn: Connection, mine: UUID, terms: list[int]) -> list[UUID]:
    found = events.candidates(conn, mine, terms, DAY - timedelta(days=3), DAY + timedelta(days=3))
    return [one["story_id"] for one in found]


@pytest.fixture
def filled(conn: Connection) -> Connection:
    execute(conn, FILL.format(first=1, last=200))
    return conn


def test_the_terms_of_a_story_go_with_it(filled: Connection) -> None:
    execute(filled, "DELETE FROM stories WHERE title::int > 150")
    assert of_nobody(filled) == (150 * 16, 0)
    execute(filled, "DELETE FROM sources")
    assert of_nobody(filled) == (0, 0)


def of_nobody(conn: Connection) -> tuple[int, int]:
    """Count all terms, and the terms of deleted stories."""
    counts = "count(*), count(*) FILTER (WHERE s.id IS NULL)"
    ((terms, lost),) = execute(
        conn, f"SELECT {counts} FROM story_terms AS t LEFT JOIN stories AS s ON s.id = t.story_id"
    )
    return terms, lost


def test_stories_that_share_bands_or_terms_are_found_the_most_alike_first(filled: Connection) -> None:
    mine, five, seven = (story(filled, number) for number in (1, 5, 7))
    shared = [101, 102, 501, 502, 503, 701, 99_999_999]
    assert [one.text for one in stories.candidates(filled, mine, shared)] == ["text 5", "text 7"]
    assert stories.candidates(filled, mine, []) == []
    assert look_at(filled, mine, shared) == [five, seven]
    assert look_at(filled, mine, []) == []
    execute(filled, "UPDATE story_terms SET happened_at = '2026-11-10Z' WHERE term = 701")
    assert look_at(filled, mine, [501, 701]) == [five], "outside the window"


def test_of_a_term_of_many_stories_the_newest_are_read(filled: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_NEWEST", 64)
    mine = story(filled, 1)
    execute(filled, "INSERT INTO story_terms SELECT 7, published_at + interval '1s' * title::int, id FROM stories")
    found = look_at(filled, mine, [7])
    assert set(found) == {story(filled, number) for number in range(137, 201)}


@pytest.mark.parametrize(
    "stages",
    [
        [(1000, False), (1000, True), (2500, False), (2500, True)],
        [(0, True), (1000, False)],
        [(50, True), (1000, False)],
    ],
    ids=["never analysed", "analysed empty", "analysed small"],
)
def test_no_look_reads_a_table_through(conn: Connection, stages: list[tuple[int, bool]]) -> None:
    # When the plan depended on the statistics, a search took 16 ms among 1,000 stories and 0.8 ms among 3,000.
    first = 1
    for count, is_analysed in stages:
        execute(conn, FILL.format(first=first, last=count))
        first = count + 1
        if is_analysed:
            execute(conn, f"ANALYZE {', '.join(TABLES)}")
        if count >= 1000:
            look_all_ways(conn)


def look_all_ways(conn: Connection) -> None:
    mine, chance = story(conn, 1), random.Random(3)
    numbers = [chance.getrandbits(62) for _ in range(42)] + [501, 502, 503]
    (alike, of_its_event, told), read = rows_read(
        conn,
        TABLES,
        lambda: (stories.candidates(conn, mine, numbers), look_at(conn, mine, numbers), texts.needed(conn, mine)),
    )
    assert (len(alike), len(of_its_event), told.title) == (1, 1, "1")
    assert {name: count for name, count in read.items() if count > 10} == {}
