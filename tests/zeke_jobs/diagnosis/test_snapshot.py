"""A look changes nothing, sees one moment, and ends soon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.zeke_jobs.worker.conftest import Jobs
from zeke_jobs.diagnosis.snapshot import snapshot

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from tests.zeke_jobs.diagnosis.conftest import Scene

COUNT = "SELECT count(*) AS jobs FROM zeke_jobs.queue"


def test_what_others_commit_meanwhile_is_not_seen(scene: Scene, other_conn: Connection) -> None:
    scene.use("  plain: {handler: 'H:echo'}\n")
    with snapshot(other_conn):
        looking = Jobs(other_conn)
        assert looking.rows(COUNT) == [{"jobs": 0}]
        scene.add("plain")
        assert looking.rows(COUNT) == [{"jobs": 0}]
    assert looking.rows(COUNT) == [{"jobs": 1}]


def test_what_it_sets_ends_with_it(scene: Scene) -> None:
    names = ("enable_seqscan", "enable_bitmapscan", "jit", "max_parallel_workers_per_gather", "statement_timeout")
    scene.rows("SET jit = on")  # as through a pooler
    settings = [scene.rows(f"SHOW {name}") for name in names]
    with snapshot(scene.conn):
        assert [row[name] for name in names for row in scene.rows(f"SHOW {name}")] == ["off", "off", "off", "0", "15s"]
    assert [scene.rows(f"SHOW {name}") for name in names] == settings
