"""A database of version 0.1.0, as its own code left it (with jobs, a pause and a revision), comes to this one's schema."""

from __future__ import annotations

import gzip
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import zeke_jobs
from tests.conftest import server_binaries
from tests.zeke_jobs.postgres.schema_dump import dump
from zeke_jobs.errors import MigrationError
from zeke_jobs.postgres import migrate
from zeke_jobs.postgres.pool import connect

if TYPE_CHECKING:
    from collections.abc import Callable

OLD = Path(__file__).parent / "schemas" / "0.1.0.sql.gz"


@pytest.fixture
def old(new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> str:
    url = new_database()
    with closing(connect(url)) as conn, conn.cursor() as cursor:
        cursor.execute(gzip.decompress(OLD.read_bytes()).decode())
    monkeypatch.setenv("DATABASE_URL", url)
    return url


def shape(url: str) -> list[str]:
    """The lines of the schema without their order: an ALTER TABLE cannot choose the place of a column."""
    return sorted(line.rstrip(",") for line in dump(url).splitlines())


def test_it_is_refused_until_it_is_migrated(old: str) -> None:
    with closing(connect(old)) as conn, pytest.raises(MigrationError, match="run: zeke-jobs migrate"):
        migrate.verify(conn)


@pytest.mark.skipif(server_binaries() is not None, reason="dumped as the embedded server's version spells it")
def test_it_gets_the_schema_of_a_new_database(old: str, new_database: Callable[..., str]) -> None:
    fresh = new_database()
    for url in (old, fresh):
        with closing(connect(url)) as conn:
            migrate.migrate(conn)
            assert migrate.migrate(conn) == []
    assert shape(old) == shape(fresh)


def test_its_jobs_pauses_and_revisions_are_kept(old: str) -> None:
    with closing(connect(old)) as conn, conn.cursor() as cursor:
        migrate.migrate(conn)
        cursor.execute("SELECT state::text, count(*)::int FROM zeke_jobs.job GROUP BY 1 ORDER BY 1")
        assert cursor.fetchall() == [("cancelled", 1), ("created", 5)]
        cursor.execute("SELECT target, paused_by FROM zeke_jobs.pause")
        assert cursor.fetchall() == [("task/b", "ada")]
        cursor.execute("SELECT number, origin FROM zeke_jobs.revision")
        assert cursor.fetchall() == [(1, "boot")]
    assert zeke_jobs.send("a", {"n": 1}).status == "created"


def test_a_schema_between_two_versions_is_refused_with_a_way_out(old: str) -> None:
    with closing(connect(old)) as conn, conn.cursor() as cursor:
        cursor.execute("UPDATE zeke_jobs.migration SET checksum = 'other' WHERE name = '0004_claim.sql'")
        with pytest.raises(MigrationError, match="made in between"):
            migrate.migrate(conn)
