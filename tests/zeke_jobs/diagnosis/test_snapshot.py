"""A look changes nothing, sees one moment, and ends soon."""

from psycopg2.extensions import connection as Connection

from tests.zeke_jobs.diagnosis.conftest import Scene
from tests.zeke_jobs.worker.conftest import Jobs
from zeke_jobs.postgres.queries import snapshot

COUNT = "SELECT count(*) AS jobs FROM zeke_jobs.queue"


def test_what_others_commit_meanwhile_is_not_seen(scene: Scene, other_conn: Connection) -> None:
    scene.use("  plain: {handler: 'H:echo'}\n")
    with snapshot(other_conn):
        looking = Jobs(other_conn)
        assert looking.rows(COUNT) == [{"jobs": 0}]
        scene.add("plain")
        assert looking.rows(COUNT) == [{"jobs": 0}]
    assert looking.rows(COUNT) == [{"jobs": 1}]
