"""These fixtures make a jobs.yaml whose engine may fetch from loopback."""

from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection

from zeke_jobs import config
from zeke_jobs.revisions import applying

JOBS = """
version: 1
services:
  engine: {use: actors.engine:Settings, allow_networks: [127.0.0.0/8], feed_timeout: 5s}
  ai: {use: actors.ai:Settings, provider: local}
tasks:
  ingest-source: {handler: actors.sources.source:ingest_source, settings: {first_fetch: {items: 2}}}
  ingest-pull: {handler: actors.sources.pull:ingest_pull}
  ingest-pull-youtube: {handler: actors.sources.pull_youtube:ingest_pull_youtube}
  fetch-content: {handler: actors.sources.content:fetch_content}
  stories-update-status: {handler: actors.stories.status:stories_update_status}
"""


@pytest.fixture
def jobs_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a jobs.yaml without applying it."""
    path = tmp_path / "jobs.yaml"
    path.write_text(JOBS)
    monkeypatch.setenv("ZEKE_JOBS_CONFIG", str(path))
    return path


@pytest.fixture
def in_force(conn: Connection, jobs_yaml: Path, database: str) -> Callable[[str], None]:
    """Put a configuration in force, by default the text ``JOBS``."""

    def put(text: str = JOBS) -> None:
        jobs_yaml.write_text(text)
        applying.sync(conn, config.load(jobs_yaml))

    put()
    return put
