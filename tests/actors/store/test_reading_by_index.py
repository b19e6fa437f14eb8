"""Lists, search and digests read few rows, for any number of stories and any statistics."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from hashlib import md5
from typing import Any
from uuid import UUID

import pytest
from psycopg2.extensions import connection as Connection

from actors.briefs.digest import top
from actors.store import news
from tests.actors.database import execute, rows_read
from tests.conftest import databases
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


@pytest.mark.parametrize(
    ("look", "found", "most"),
    [
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
    ],
    ids=["stories", "unread", "since", "starred", "archived", "a rare word", "a word", "a common word", "by number", "digest"],
)  # fmt: skip
def test_no_look_reads_a_table_through(library: Connection, look: Any, found: int, most: int) -> None:
    answer, read = rows_read(library, TABLES, lambda: look(library))
    assert len(answer) == found
    assert sum(read.values()) <= most, read
    assert read["contents"] <= 60, "texts are read for what is shown"


def test_a_frequent_word_is_looked_for_among_the_newest_stories(library: Connection) -> None:
    """The word ``common`` is in 2,000 stories, which the planner knows once the table has statistics."""
    answer, read = rows_read(library, TABLES, lambda: news.search(library, "common", limit=20, ranked=100))
    newest = {row[0] for row in execute(library, "SELECT happened_at FROM story_index ORDER BY 1 DESC LIMIT 100")}
    assert {row["compared"] for row in answer} == {100}
    assert {row["published_at"] for row in answer} <= newest
    if execute(library, "SELECT FROM pg_stats WHERE tablename = 'story_index'"):
        assert read["story_index"] < 500, read


@pytest.mark.parametrize(
    ("words", "filters"),
    [
        ("common words", {}),
        ("title or some7", {}),
        ("common -some7", {}),
        ('"words of story"', {}),
        ("old", {}),
        ("common", {"since": DAY - timedelta(days=3)}),
        ("common", {"sources": [UUID(md5(b"source7").hexdigest())]}),
        ("old", {"since": DAY - timedelta(days=80), "sources": [UUID(md5(b"source7").hexdigest())]}),
        ("common", {"sources": []}),
    ],
)  # fmt: skip
def test_windows_find_what_a_look_at_all_finds(library: Connection, words: str, filters: dict[str, Any]) -> None:
    """The word ``old`` is frequent, but is in none of the newest thousand stories."""
    by_windows = news.search(library, words, limit=200, ranked=50, **filters)
    everything = news.search(library, words, limit=5000, ranked=5000, **filters)
    newest = sorted(everything, key=lambda row: row["published_at"], reverse=True)[:50]
    assert {row["id"] for row in by_windows} == {row["id"] for row in newest}
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


def test_the_words_of_a_story_stand_apart_from_its_row(library: Connection) -> None:
    """A search for the newest matches must not read the words of stories, so a disk page must hold a hundred rows."""
    kept = execute(library, "SELECT reltoastrelid <> 0, reloptions FROM pg_class WHERE relname = 'story_index'")
    assert kept == [(True, ["toast_tuple_target=128", "fillfactor=90"])]
