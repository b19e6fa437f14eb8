"""``python -m tests.actors.store.at_scale FOLDER`` measures lists, search and digests among a million stories.

The first run creates a PostgreSQL server in the folder, and stores ``--stories`` stories. Each run asks each query
several times and prints a table. ``--programs`` names the bin folder of another PostgreSQL, which then serves with its
default settings. The exit status is 1 if a query takes a second.
"""

import argparse
import itertools
import random
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from psycopg2.extensions import connection as Connection

from actors.ai import hashing
from actors.briefs.digest import top
from actors.store import embeddings, news
from actors.store.news import RANKED
from zeke_jobs.postgres import embedded, migrate
from zeke_jobs.postgres.pool import connect

DAY = datetime(2026, 11, 20, tzinfo=UTC)
WORDS, TEXTS, LENGTH, SOURCES, VECTORS = 60_000, 20_000, 100, 500, 500
STEP = 50_000
NEAR = embeddings.written("hashed-words-1", hashing.embed("w1 w2 w300 w400 w5000"))
STOCK = {"jit": "on", "shared_buffers": "128MB", "max_connections": "100"}
SIGNS = " || ".join(f"md5({k} || 'v' || n)" for k in range(8))
FILL = f"""
INSERT INTO raw_items (id, source_id, external_id)
SELECT md5('i' || n)::uuid, md5('s' || n %% 500)::uuid, n::text FROM generate_series(%(first)s, %(last)s) AS n;
INSERT INTO contents (id, raw_item_id, content_hash, text_body, language_code)
SELECT md5('c' || n)::uuid, md5('i' || n)::uuid, n::text, t.body || ' rare' || n, 'en'
FROM generate_series(%(first)s, %(last)s) AS n JOIN texts AS t ON t.k = n %% 20000;
INSERT INTO stories (id, content_id, title, primary_source_id, primary_url, published_at)
SELECT md5('t' || n)::uuid, md5('c' || n)::uuid, 'Title ' || n, md5('s' || n %% 500)::uuid, 'https://a.example/' || n,
  '2026-11-20Z'::timestamptz - interval '1 minute' * n
FROM generate_series(%(first)s, %(last)s) AS n;
INSERT INTO story_overlays (story_id, brief_one_liner, citations)
SELECT md5('t' || n)::uuid, 'One line of ' || n, jsonb_build_object('chili', CASE WHEN n %% 5000 = 0 THEN 5 ELSE n %% 4 END)
FROM generate_series(%(first)s, %(last)s) AS n;
INSERT INTO story_index (story_id, source_id, happened_at, language, document)
SELECT md5('t' || n)::uuid, md5('s' || n %% 500)::uuid, '2026-11-20Z'::timestamptz - interval '1 minute' * n, 'english',
  t.document || array_to_tsvector(ARRAY['rare' || n])
FROM generate_series(%(first)s, %(last)s) AS n JOIN texts AS t ON t.k = n %% 20000;
INSERT INTO story_signs (story_id, happened_at, model_version, signs)
SELECT md5('t' || n)::uuid, '2026-11-20Z'::timestamptz - interval '1 minute' * n, 'hashed-words-1', ('x' || {SIGNS})::bit(1024)
FROM generate_series(%(first)s, %(last)s) AS n;
"""
TEXT = """INSERT INTO texts SELECT %s + n - 1, body, to_tsvector('english', body)
  FROM unnest(%s::text[]) WITH ORDINALITY AS made (body, n)"""
SOURCE = """INSERT INTO sources (id, type, name, url)
  SELECT md5('s' || n)::uuid, 'rss', 'Source ' || n, 'https://s' || n || '.example/' FROM generate_series(0, %s) AS n"""
EMBEDDING = """INSERT INTO story_embeddings (story_id, model_version, embedding) SELECT i.story_id, 'hashed-words-1', v.vector
  FROM (SELECT story_id FROM (SELECT story_id FROM story_signs ORDER BY bit_count(signs # %s::bit(1024)) LIMIT 2000) AS near
    UNION (SELECT story_id FROM story_index ORDER BY happened_at DESC LIMIT 20000)
    UNION (SELECT story_id FROM story_index WHERE document @@ 'w1200'::tsquery ORDER BY happened_at DESC LIMIT 2000)
    UNION SELECT story_id FROM story_index WHERE source_id = md5('s77')::uuid) AS i
  JOIN vectors AS v ON v.k = abs(hashtext(i.story_id::text)) %% 500"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--stories", type=int, default=1_000_000)
    parser.add_argument("--programs", type=Path)
    chosen = parser.parse_args()
    settings = {**(STOCK if chosen.programs else {}), "fsync": "off", "max_wal_size": "8GB"}
    url = embedded.ensure(chosen.folder, bin_dir=chosen.programs, settings=settings)
    try:
        with closing(connect(url)) as conn:
            migrate.migrate(conn, ["actors.store"])
            if not news.stories(conn, limit=1):
                fill(conn, chosen.stories)
            return int(measure(conn) >= 1000)
    finally:
        embedded.stop(chosen.folder)


def fill(conn: Connection, count: int) -> None:
    """Add invented stories of 500 sources, one story for each minute; word frequencies follow Zipf's law."""
    chance = random.Random(7)
    weights = list(itertools.accumulate(1 / (rank + 3) for rank in range(WORDS)))

    def text() -> str:
        return " ".join(f"w{n}" for n in chance.choices(range(WORDS), cum_weights=weights, k=LENGTH))

    with conn.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off; SET maintenance_work_mem = '512MB'; SET work_mem = '64MB'")
        cursor.execute("CREATE UNLOGGED TABLE texts (k int PRIMARY KEY, body text, document tsvector)")
        for start in range(0, TEXTS, 1000):
            cursor.execute(TEXT, (start, [text() for _ in range(1000)]))
        cursor.execute("ALTER TABLE stories DISABLE TRIGGER ALL; ALTER TABLE contents DISABLE TRIGGER ALL")
        cursor.execute("DROP INDEX story_index_document_idx")
        cursor.execute(SOURCE, (SOURCES - 1,))
        cursor.execute("CREATE UNLOGGED TABLE vectors (k int PRIMARY KEY, vector real[])")
        for k in range(VECTORS):
            cursor.execute(
                "INSERT INTO vectors VALUES (%s, %s)", (k, embeddings.written("m", hashing.embed(text())).literal)
            )
        for start in range(0, count, STEP):
            cursor.execute(FILL, {"first": start, "last": min(start + STEP, count) - 1})
            print(f"{min(start + STEP, count):,}", flush=True)
        cursor.execute("CREATE INDEX story_index_document_idx ON story_index USING gin (document)")
        # Only stories that a measured query may read get vectors, because vectors of all stories would take 6 GB.
        cursor.execute(EMBEDDING, (NEAR.signs,))
        cursor.execute("ALTER TABLE stories ENABLE TRIGGER ALL; ALTER TABLE contents ENABLE TRIGGER ALL")
        cursor.execute("VACUUM ANALYZE")


def measure(conn: Connection) -> float:
    """Run each query five times, print its times, and return the longest median in milliseconds."""
    source = news.sources_like(conn, "Source 77")

    def alike(**more: Any) -> Callable[[], Any]:
        asked = {"words": "", "sources": None, "since": None, "limit": 20, **more}
        return lambda: embeddings.alike(conn, NEAR, **asked)[0]

    def of(words: str, **more: Any) -> Callable[[], Any]:
        return lambda: news.search(conn, words, ranked=RANKED, **more)

    looks: dict[str, Callable[[], Any]] = {
        "stories": lambda: news.stories(conn),
        "stories --unread": lambda: news.stories(conn, state="unread"),
        "stories --source": lambda: news.stories(conn, sources=source),
        "stories --min-chili 5": lambda: news.stories(conn, min_chili=5),
        "stories --starred": lambda: news.stories(conn, starred=True),
        "story by number": lambda: news.find_story(conn, "777"),
        "search: a word of one story": of("rare777777"),
        "search: a word of 1 %": of("w1200"),
        "search: a word of 10 %": of("w110"),
        "search: the most frequent word": of("w0"),
        "search: a phrase of frequent words": of('"w1 w2"'),
        "search: frequent, since 7d": of("w1", since=DAY - timedelta(days=7)),
        "search --meaning": alike(),
        "search --meaning, since 7d": alike(since=DAY - timedelta(days=7)),
        "search --meaning, a word of 1 %": alike(words="w1200"),
        "digest of a week": lambda: top(conn, since=date(2026, 11, 12), until=date(2026, 11, 18), team_id=None, limit=10),
    }  # fmt: skip
    longest = 0.0
    print(f"{'look':36} {'rows':>5} {'first ms':>9} {'median ms':>9} {'CPU ms':>9}")
    for name, look in looks.items():
        times, used = [], _cpu(conn)
        for _ in range(5):
            begin = time.perf_counter()
            found = look()
            times.append((time.perf_counter() - begin) * 1000)
        rows = len(found) if isinstance(found, list) else 1
        median = sorted(times)[2]
        longest = max(longest, median)
        print(f"{name:36} {rows:5} {times[0]:9.0f} {median:9.0f} {(_cpu(conn) - used) * 200:9.0f}", flush=True)
    return longest


def _cpu(conn: Connection) -> float:
    """Return the seconds of CPU that the server has used, including its parallel workers."""
    backend = psutil.Process(conn.info.backend_pid)
    server = backend.parent()
    assert server is not None
    ended = server.cpu_times()
    return sum(backend.cpu_times()[:2]) + ended.children_user + ended.children_system


if __name__ == "__main__":
    sys.exit(main())
