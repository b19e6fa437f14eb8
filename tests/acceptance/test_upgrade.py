"""The new release migrates the database, and then replaces the old release one worker command at a time.

The old release is the newest tag ``v…``, or the commit in ``ZEKE_TEST_PREVIOUS``. If there is neither, this tree is
the old release, and the new one is this tree with another migration and a higher version.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from tests.acceptance.handlers import TABLES
from tests.acceptance.test_workers import DONE, OPEN, OVERLAP
from tests.fleet import ROOT, Command, Fleet, eventually, fleet as running, query, scalar
from zeke_jobs.postgres.pool import connect

TASKS = """
    version: 1
    tasks:
      work: {handler: "H:work", concurrency: 3}
      effect: {handler: "H:effect"}
"""
#: The migration changes the table and replaces the functions of every claim and send, which invalidates plans.
NEXT_MIGRATION = """-- What a later release may bring.
ALTER TABLE zeke_jobs.queue ADD COLUMN of_the_next_release text NOT NULL DEFAULT 'nothing';
CREATE INDEX queue_of_the_next_release ON zeke_jobs.queue (of_the_next_release) WHERE state = 'consumed';
DO $$ BEGIN
  EXECUTE (
    SELECT string_agg(pg_get_functiondef(oid), ';') FROM pg_proc
    WHERE pronamespace = 'zeke_jobs'::regnamespace AND proname IN ('claim', 'complete_and_claim', 'finish', 'enqueue'));
END $$;
"""


class Release(NamedTuple):
    """A release is a copy of the package in a folder, which comes first on Python's path."""

    folder: Path
    version: str

    @property
    def path(self) -> str:
        return f"{self.folder}{os.pathsep}{ROOT}"

    def migrations(self) -> set[str]:
        return {path.name for path in (self.folder / "zeke_jobs/sql/migrations").iterdir()}


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Release, Release]:
    old, new = (tmp_path_factory.mktemp("releases") / name for name in ("old", "new"))
    shutil.copytree(ROOT / "zeke_jobs", new / "zeke_jobs", ignore=shutil.ignore_patterns("__pycache__"))
    newest = ["git", "describe", "--tags", "--abbrev=0", "--match=v[0-9]*"]
    tag = subprocess.run(newest, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    if commit := os.environ.get("ZEKE_TEST_PREVIOUS") or tag:
        archive = subprocess.run(["git", "archive", commit, "zeke_jobs"], cwd=ROOT, check=True, capture_output=True)
        old.mkdir()
        subprocess.run(["tar", "-x", "-C", old], input=archive.stdout, check=True)
    else:
        shutil.copytree(new, old)
        (new / "zeke_jobs/sql/migrations/9999_next.sql").write_text(NEXT_MIGRATION)
    module = "zeke_jobs/__init__.py"
    text, version = (new / module).read_text(), re.compile(r'^__version__ = "(.*)"', re.MULTILINE)
    (new / module).write_text(version.sub('__version__ = "9.9.9"', text))  # Two releases never share a version.
    return Release(old, version.findall((old / module).read_text())[0]), Release(new, "9.9.9")


#: The program sends by SQL all the time, as an API that is not upgraded does.
SENDER = """
import sys, time, psycopg2
conn = psycopg2.connect(sys.argv[1])
conn.autocommit = True
while True:
    for task, seconds in (("work", 0.005), ("effect", 0.02)):
        payload = '{"seconds": %s}' % seconds
        conn.cursor().execute("SELECT zeke_jobs.send(%s, %s::jsonb)", (task, payload))
    time.sleep(0.02)
"""


@pytest.fixture
def fleet(new_database: Callable[..., str], tmp_path: Path) -> Iterator[Fleet]:
    with running(tmp_path, new_database()) as started:
        started.configure(TASKS)
        yield started


def migrate(fleet: Fleet, release: Release) -> None:
    command = fleet.run("zeke-jobs", "migrate", PYTHONPATH=release.path)
    assert command.wait(60) == 0, command.text()


def start(fleet: Fleet, release: Release) -> Command:
    return fleet.workers(threads=4, PYTHONPATH=release.path)


def live(conn: Connection) -> dict[str, int]:
    count = "SELECT version, count(*) FROM zeke_jobs.worker WHERE kind = 'worker' AND NOT stopping GROUP BY version"
    return dict(query(conn, count))


def test_old_workers_go_on_while_the_new_release_migrates_and_takes_their_place(fleet: Fleet, releases: Any) -> None:
    old, new = releases
    migrate(fleet, old)
    with closing(connect(fleet.database)) as conn, conn.cursor() as cursor:
        cursor.execute(TABLES)
        olds = [start(fleet, old), start(fleet, old)]
        eventually(lambda: live(conn) == {old.version: 2}, 60, fleet)
        sender = fleet.run("python", "-c", SENDER, fleet.database)
        completed(conn, 50, fleet)
        if new.migrations() - old.migrations():
            early = start(fleet, new)
            assert early.wait(60) == 2, "new code does not run on old tables"
            assert "run: zeke-jobs migrate" in early.text()
        migrate(fleet, new)
        completed(conn, 50, fleet)
        assert live(conn) == {old.version: 2}, "the old release works on the new tables"
        news = []
        for leaving in olds:
            news.append(start(fleet, new))
            eventually(lambda: live(conn).get(new.version) == len(news), 60, fleet)
            completed(conn, 50, fleet)
            assert leaving.stop(60) == 0
        completed(conn, 50, fleet)
        assert live(conn) == {new.version: 2}
        assert sender.process.poll() is None, sender.text()
        sender.kill()
        eventually(lambda: scalar(conn, OPEN) == 0, 60, fleet)
        sent = scalar(conn, "SELECT count(*) FROM zeke_jobs.queue WHERE task = 'effect'")
        assert scalar(conn, "SELECT count(*) FROM effect") == sent > 100
        assert scalar(conn, "SELECT count(*) FROM zeke_jobs.queue WHERE NOT (state = 'done' AND attempt = 1)") == 0
        query(conn, "DELETE FROM trace t USING zeke_jobs.queue q WHERE q.message_id = t.job AND q.task <> 'work'")
        assert scalar(conn, OVERLAP) <= 3
    unexpected = [line for line in fleet.logs().splitlines() if '"level": "error"' in line or "Traceback" in line]
    assert unexpected == []


def completed(conn: Connection, more: int, fleet: Fleet) -> None:
    enough = scalar(conn, DONE) + more
    eventually(lambda: scalar(conn, DONE) >= enough, 60, fleet)


def test_a_breaking_migration_keeps_old_code_from_starting(fleet: Fleet, releases: tuple[Release, Release]) -> None:
    old, _ = releases
    migrate(fleet, old)
    with closing(psycopg2.connect(fleet.database)) as conn, conn:
        columns = "zeke_jobs.migration (package, name, checksum, breaking)"
        query(conn, f"INSERT INTO {columns} VALUES ('zeke_jobs', '9998_breaks', '', true)")
    worker = start(fleet, old)
    assert worker.wait(60) == 2
    assert "past a breaking migration: zeke_jobs/9998_breaks\n" in worker.text()
