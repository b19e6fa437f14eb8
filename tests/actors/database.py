"""These helpers run SQL, count the rows that a query reads, and add stories."""

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from psycopg2.extensions import connection as Connection

from zeke_jobs.postgres.pool import transaction

_READ = """SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
  WHERE schemaname = 'public' AND relname = ANY (%s)"""
_STORY = """
INSERT INTO sources (id, type, name, url, authority_score)
VALUES (%(source)s, 'rss', 'Feed', 'https://a.example/', %(authority)s) ON CONFLICT (id) DO NOTHING;
INSERT INTO raw_items (id, source_id, external_id, url) VALUES (%(item)s, %(source)s, %(item)s, %(url)s);
INSERT INTO contents (id, raw_item_id, text_body, content_hash, duration_seconds, language_code)
VALUES (%(content)s, %(item)s, %(document)s, %(content)s, %(duration)s, 'en');
INSERT INTO content_details (content_id, markdown, text_origin) VALUES (%(content)s, %(document)s, 'page');
INSERT INTO stories (id, content_id, primary_source_id, title, kind, summary, primary_url, published_at)
VALUES (%(story)s, %(content)s, %(source)s, %(title)s, %(kind)s, %(summary)s, %(url)s,
  zeke_jobs.now() - make_interval(secs => %(days_old)s * 86400))"""
#: These are the columns of a story that a test does not give.
_USUAL = {"title": "A title", "authority": None, "days_old": 0, "kind": "article", "duration": None, "summary": None}


def execute(conn: Connection, sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with conn.cursor() as cursor:
        cursor.execute(sql, params or None)
        return cursor.fetchall() if cursor.description is not None else []


def end_items(conn: Connection, outcome: str, story: uuid.UUID | None = None) -> None:
    """Record this outcome for the item of the story, or of every story if none is given."""
    put = """INSERT INTO item_outcomes (raw_item_id, outcome, story_id) SELECT c.raw_item_id, %s, s.id
      FROM stories AS s JOIN contents AS c ON c.id = s.content_id WHERE s.id = coalesce(%s, s.id)"""
    execute(conn, put, outcome, story)


def rows_read(conn: Connection, tables: Sequence[str], look: Callable[[], Any]) -> tuple[Any, dict[str, int]]:
    """Return the result of ``look``, and the number of rows that it reads in each table."""
    with transaction(conn):
        before = dict(execute(conn, _READ, list(tables)))
        found = look()
        after = dict(execute(conn, _READ, list(tables)))
    return found, {name: after[name] - before[name] for name in tables}


def add_story(
    conn: Connection, document: str, *, source: uuid.UUID | None = None, url: str = "", **known: Any
) -> uuid.UUID:
    """Add a story that has not been analysed yet; ``known`` replaces default values."""
    assert known.keys() <= _USUAL.keys(), known
    story, item, content = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    ids = {"story": story, "item": item, "content": content, "source": source or uuid.uuid4()}
    given = {**_USUAL, **known, "document": document, "url": url or f"https://a.example/{story}"}
    with conn.cursor() as cursor:
        cursor.execute(_STORY, {**given, **{name: str(value) for name, value in ids.items()}})
    return story
