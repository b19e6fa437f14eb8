"""A site on loopback, and a jobs.yaml that lets the Engine fetch from it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection

from actors.cli.app import run
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
def news(
    database: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Runs zeke-news as on 80 columns; gives its status, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")

    def call(*arguments: str) -> tuple[int, str, str]:
        status = run(arguments)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


@pytest.fixture
def told(news: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Runs zeke-news as on 160 columns; gives its status, and its output with its errors."""
    monkeypatch.setenv("COLUMNS", "160")

    def call(*arguments: str) -> tuple[int, str]:
        status, out, err = news(*arguments)
        return status, out + err

    return call


@pytest.fixture
def jobs_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Names a jobs.yaml, which was never in force."""
    path = tmp_path / "jobs.yaml"
    path.write_text(JOBS)
    monkeypatch.setenv("ZEKE_JOBS_CONFIG", str(path))
    return path


@pytest.fixture
def in_force(conn: Connection, jobs_yaml: Path, database: str) -> Callable[[str], None]:
    """Puts a configuration in force, by default the one of ``jobs_yaml``."""

    def put(text: str = JOBS) -> None:
        jobs_yaml.write_text(text)
        applying.sync(conn, config.load(jobs_yaml))

    put()
    return put
