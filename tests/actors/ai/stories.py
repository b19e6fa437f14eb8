"""Stories in a database, and the pipeline's jobs.yaml with a provider over loopback."""

import json
from typing import Any

import yaml
from psycopg2.extensions import connection as Connection
from psycopg2.extras import execute_values

from tests.actors.ai.provider import TEXT, title
from tests.fleet import ROOT, query, scalar

UNFINISHED = "SELECT count(*) FROM zeke_jobs.queue WHERE state IN ('queued', 'consumed')"
PRICES = {"m": {"input": 1.0, "output": 10.0}, "e": {"input": 0.1}}


def jobs_yaml(url: str, tasks: dict[str, dict[str, Any]], **ai: Any) -> str:
    """The shipped file with the provider at ``url``, and without crons; ``tasks`` changes tasks, and ``ai`` the service."""
    text: dict[str, Any] = yaml.safe_load((ROOT / "jobs.yaml").read_text())
    openai = {"base_url": url, "model": "m", "embedding_dimensions": 16, "prices": PRICES, **ai.pop("openai")}
    text["services"]["ai"] |= {"provider": "openai", "openai": openai, **ai}
    for name, task in text["tasks"].items():
        task.pop("cron", None)
        task.update(tasks.get(name, {}))
    return json.dumps(text)  # YAML of a kind, without anchors


def add_stories(conn: Connection, count: int) -> list[str]:
    """Stories with the titles that the provider knows; returns their ids, the first of story 1."""
    source = scalar(conn, _SOURCE)
    given = [(source, number, TEXT.format(number=7919 * number), title(number)) for number in range(1, count + 1)]
    with conn.cursor() as cursor:
        execute_values(cursor, _STORIES, given, page_size=count)
    return [row[0] for row in query(conn, _IDS)]


_IDS = "SELECT id::text FROM stories ORDER BY substring(title from '[0-9]+')::integer"
_SOURCE = """
INSERT INTO sources (id, type, name, url) VALUES (gen_random_uuid(), 'rss', 'Feed', 'https://a.example/') RETURNING id"""


_STORIES = """
WITH given (source, number, text, title) AS (VALUES %s),
items AS (
  INSERT INTO raw_items (id, source_id, external_id)
  SELECT gen_random_uuid(), source::uuid, number::text FROM given RETURNING id, external_id
), texts AS (
  INSERT INTO contents (id, raw_item_id, text_body, content_hash, language_code)
  SELECT gen_random_uuid(), i.id, g.text, g.number::text, 'en' FROM given AS g JOIN items AS i ON i.external_id = g.number::text
  RETURNING id, content_hash
)
INSERT INTO stories (id, content_id, primary_source_id, title, kind, primary_url, published_at)
SELECT
  gen_random_uuid(), t.id, g.source::uuid, g.title, 'article', 'https://a.example/' || g.number,
  zeke_jobs.now() - make_interval(days => 10 * g.number)
FROM given AS g JOIN texts AS t ON t.content_hash = g.number::text
"""
