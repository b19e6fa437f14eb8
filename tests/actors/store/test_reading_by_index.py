"""Lists, searches and digests read few rows, with any number of stories and any statistics of the planner."""

import random
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from hashlib import md5
from typing import Any
from uuid import UUID

import pytest
from psycopg2.extensions import connection as Connection

from actors.briefs.digest import top
from actors.insights import events
from actors.store import clusters, news, texts
from tests.actors.database import execute, rows_read
from tests.conftest import databases
from tests.each import cases
from zeke_jobs.postgres.pool import connect

DAY = datetime(2026, 11, 20, tzinfo=UTC)
COUNT = 2000
TABLES = ("story_index", "stories", "contents", "story_overlays", "team_story_states")
#: FILL adds a story per hour from 20 sources. Each of 50 words is in one of fifty stories, `rare7` is in one story,
#: `old` is in the older half, and one story in 200 is hot.
FILL = """
INSERT INTO sources (id, type, name, url)
SELECT md5('source' || n)::uuid, 'rss', 'Source ' || n, 'https://s' || n || '.example/' FROM generate_series(0, 19) AS n;
INSERT INTO raw_items (source_id, external_id)
SELECT md5('source' || n % 20)::uuid, n::text FROM generate_series(1, {count}) AS n;
INSERT INTO contents (raw_item_id, content_hash, text_body, language_code)
SELECT id, external_id, 'common words of story rare' || external_id || ' and some' || external_id::int % 50 || ' others' ||
  CASE WHEN external_id::int > 1000 THEN ' old' ELSE '' END, 'en'
FROM raw_items;
ALTER TABLE stories DISABLE TRIGGER story_index_insert;
INSERT INTO stories (content_id, title, primary_source_id, published_at)
SELECT c.id, 'Title ' || c.content_hash, r.source_id, '2026-11-20Z'::timestamptz - interval '1 hour' * c.content_hash::int
FROM contents AS c JOIN raw_items AS r ON r.id = c.raw_item_id;
ALTER TABLE stories ENABLE TRIGGER story_index_insert;
SELECT story_index_put(ARRAY(SELECT id FROM stories));
INSERT INTO story_overlays (story_id, brief_one_liner, citations)
SELECT s.id, s.title, jsonb_build_object('chili', CASE WHEN c.content_hash::int % 200 = 0 THEN 5 ELSE 1 END)
FROM stories AS s JOIN contents AS c ON c.id = s.content_id;
"""


@pytest.fixture(scope="module", params=["never analysed", "analysed"])
def library(request: pytest.FixtureRequest, server_url: str, template: str) -> Iterator[Connection]:
    with databases(server_url) as new, closing(connect(new(template))) as conn, conn.cursor() as cursor:
        cursor.execute(FILL.format(count=COUNT))
        if request.param == "analysed":
            cursor.execute(f"ANALYZE {', '.join(TABLES)}")
        yield conn


@cases(
    "look found most",
    (lambda conn: news.stories(conn, limit=30), 30, 200),
    (lambda conn: news.stories(conn, limit=30, state="unread"), 30, 200),
    (lambda conn: news.stories(conn, limit=30, since=DAY - timedelta(hours=12)), 12, 200),
    (lambda conn: news.stories(conn, limit=30, starred=True), 0, 100),
    (lambda conn: news.stories(conn, limit=30, state="archived"), 0, 100),
    (lambda conn: news.search(conn, "rare777", limit=20), 1, 60),
    (lambda conn: news.search(conn, "some7", limit=20), 20, 900),
    (lambda conn: news.search(conn, "common", limit=20, ranked=100), 20, COUNT + 900),
    (lambda conn: [news.find_story(conn, "777")], 1, 10),
    (lambda conn: top(conn, since=date(2026, 11, 18), until=date(2026, 11, 18), team_id=None, limit=10), 10, 300),
    ids=["stories", "unread", "since", "starred", "archived", "a rare word", "a word", "a common word", "by number", "digest"],
)  # fmt: skip
def test_no_look_reads_a_table_through(library: Connection, look: Any, found: int, most: int) -> None:
    answer, read = rows_read(library, TABLES, lambda: look(library))
    assert len(answer) == found
    assert sum(read.values()) <= most, read
    assert read["contents"] <= 60, "texts are read for what is shown"
    if most > COUNT and execute(library, "SELECT FROM pg_stats WHERE tablename = 'story_index'"):
        assert read["story_index"] < 500, "statistics tell the planner that the word is frequent"


@cases(
    "words filters",
    ("common words", {}),
    ("title or some7", {}),
    ("common -some7", {}),
    ('"words of story"', {}),
    ("old", {}),
    ("common", {"since": DAY - timedelta(days=3)}),
    ("common", {"sources": [UUID(md5(b"source7").hexdigest())]}),
    ("old", {"since": DAY - timedelta(days=80), "sources": [UUID(md5(b"source7").hexdigest())]}),
    ("common", {"sources": []}),
)  # fmt: skip
def test_windows_find_what_a_look_at_all_finds(library: Connection, words: str, filters: dict[str, Any]) -> None:
    """The word ``old`` is frequent, but is in none of the newest thousand stories."""
    by_windows = news.search(library, words, limit=200, ranked=50, **filters)
    everything = news.search(library, words, limit=5000, ranked=5000, **filters)
    newest = sorted(everything, key=lambda row: row["published_at"], reverse=True)[:50]
    assert {row["id"] for row in by_windows} == {row["id"] for row in newest}
    assert {row["compared"] for row in by_windows} <= {len(newest)}
    assert len(everything) == 0 if filters.get("sources") == [] else len(everything) > 40


def test_hot_stories_are_found_by_their_score(library: Connection) -> None:
    answer, read = rows_read(library, TABLES, lambda: news.stories(library, limit=30, min_chili=4))
    assert len(answer) == 10
    assert read["contents"] == 0
    with library.cursor() as cursor:
        cursor.execute(
            "SET LOCAL enable_seqscan = off; EXPLAIN SELECT story_id FROM story_overlays WHERE citations -> 'chili' >= to_jsonb(4)"
        )
        assert "story_overlays_chili_idx" in "\n".join(row[0] for row in cursor.fetchall())


READ = ("stories", "contents", "story_overlays", "story_bands", "story_terms")
PLANT = """
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
    execute(conn, PLANT.format(first=1, last=200))
    return conn


def test_stories_that_share_bands_or_terms_are_found_the_most_alike_first(filled: Connection, monkeypatch: Any) -> None:
    mine, five, seven = (story(filled, number) for number in (1, 5, 7))
    shared = [101, 102, 501, 502, 503, 701, 99_999_999]
    assert [one.text for one in clusters.candidates(filled, mine, shared)] == ["text 5", "text 7"]
    assert clusters.candidates(filled, mine, []) == []
    assert look_at(filled, mine, shared) == [five, seven]
    assert look_at(filled, mine, []) == []
    execute(filled, "UPDATE story_terms SET happened_at = '2026-11-10Z' WHERE term = 701")
    assert look_at(filled, mine, [501, 701]) == [five], "outside the window"
    monkeypatch.setattr(events, "_NEWEST", 64)
    mine = story(filled, 1)
    execute(filled, "INSERT INTO story_terms SELECT 7, published_at + interval '1s' * title::int, id FROM stories")
    assert set(look_at(filled, mine, [7])) == {story(filled, number) for number in range(137, 201)}


@cases(
    "stages",
    [(1000, False), (1000, True), (2500, False), (2500, True)],
    [(0, True), (1000, False)],
    [(50, True), (1000, False)],
    ids=["never analysed", "analysed empty", "analysed small"],
)
def test_no_look_for_candidates_reads_a_table_through(conn: Connection, stages: list[tuple[int, bool]]) -> None:
    # When the plan depended on the statistics, a search took 16 ms among 1,000 stories and 0.8 ms among 3,000.
    first = 1
    for count, is_analysed in stages:
        execute(conn, PLANT.format(first=first, last=count))
        first = count + 1
        if is_analysed:
            execute(conn, f"ANALYZE {', '.join(READ)}")
        if count >= 1000:
            look_all_ways(conn)


def look_all_ways(conn: Connection) -> None:
    mine, chance = story(conn, 1), random.Random(3)
    numbers = [chance.getrandbits(62) for _ in range(42)] + [501, 502, 503]
    (alike, of_its_event, told), read = rows_read(
        conn,
        READ,
        lambda: (clusters.candidates(conn, mine, numbers), look_at(conn, mine, numbers), texts.needed(conn, mine)),
    )
    assert (len(alike), len(of_its_event), told.title) == (1, 1, "1")
    assert {name: count for name, count in read.items() if count > 10} == {}
