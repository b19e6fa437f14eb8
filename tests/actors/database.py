"""These helpers run SQL, count the rows that a query reads, and add stories."""

import uuid
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from psycopg2.extensions import connection as Connection

from zeke_jobs.postgres.pool import transaction

T = TypeVar("T")
_READ = """SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
  WHERE schemaname = 'public' AND relname = ANY (%s)"""

_SOURCE = """INSERT INTO sources (id, type, name, url, authority_score) VALUES (%s, 'rss', 'Feed', 'https://a.example/', %s)
  ON CONFLICT (id) DO NOTHING"""
_CONTENT = """INSERT INTO contents (id, raw_item_id, text_body, content_hash, duration_seconds, language_code)
  VALUES (%s, %s, %s, %s, %s, 'en')"""
_DETAILS = "INSERT INTO content_details (content_id, markdown, text_origin) VALUES (%s, %s, 'page')"
_STORY = """INSERT INTO stories (id, content_id, primary_source_id, title, kind, summary, primary_url, published_at)
  VALUES (%s, %s, %s, %s, %s, %s, %s, zeke_jobs.now() - make_interval(secs => %s))"""


def execute(conn: Connection, sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with conn.cursor() as cursor:
        cursor.execute(sql, params or None)
        return cursor.fetchall() if cursor.description is not None else []


def end_items(conn: Connection, outcome: str, story: uuid.UUID | None = None) -> None:
    """Record this outcome for the item of a story, or for the item of every story."""
    put = """INSERT INTO item_outcomes (raw_item_id, outcome, story_id) SELECT c.raw_item_id, %s, s.id
      FROM stories AS s JOIN contents AS c ON c.id = s.content_id WHERE s.id = coalesce(%s, s.id)"""
    execute(conn, put, outcome, story)


def rows_read(conn: Connection, tables: Sequence[str], look: Callable[[], T]) -> tuple[T, dict[str, int]]:
    """Return the result of ``look``, and the number of rows that it reads in each table."""
    with transaction(conn):
        before = dict(execute(conn, _READ, list(tables)))
        found = look()
        after = dict(execute(conn, _READ, list(tables)))
    return found, {name: after[name] - before[name] for name in tables}


def add_story(
    conn: Connection,
    document: str,
    *,
    title: str = "A title",
    authority: float | None = None,
    days_old: float = 0,
    source: uuid.UUID | None = None,
    kind: str = "article",
    duration: int | None = None,
    summary: str | None = None,
    url: str = "",
) -> uuid.UUID:
    """Add a story that has not been analysed yet."""
    source_id, item, content, story = source or uuid.uuid4(), uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    execute(conn, _SOURCE, source_id, authority)
    address = url or f"https://a.example/{story}"
    execute(
        conn,
        "INSERT INTO raw_items (id, source_id, external_id, url) VALUES (%s, %s, %s, %s)",
        item,
        source_id,
        str(item),
        address,
    )
    execute(conn, _CONTENT, content, item, document, str(content), duration)
    execute(conn, _DETAILS, content, document)
    execute(conn, _STORY, story, content, source_id, title, kind, summary, address, days_old * 86400)
    return story
