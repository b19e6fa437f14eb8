"""Unmodified dramatiq-pg runs with its broker and its command line."""

import os
from contextlib import closing
from typing import Any

import dramatiq
import dramatiq_pg
import psycopg2
from dramatiq_pg.schema import generate_init_sql
from psycopg2.extensions import connection as Connection

from tests.fleet import Fleet, query, scalar
from tests.lab.bench.ours import calls_a_second

# By default, dramatiq prefetches two messages per thread. Whenever these fill the worker's queue, dramatiq-pg sleeps
# for up to a second, because it never resets its back-off. The sleeps make it a third slower.
_PREFETCH = 1000


def declare(url: str) -> dramatiq.Actor:
    """Make a broker with an actor that does nothing."""
    dramatiq.set_broker(dramatiq_pg.PostgresBroker(url=url))

    def no_op(n: int) -> None:
        pass

    return dramatiq.actor(no_op)


if os.environ.get("BENCH_URL"):  # The command line loads this module.
    declare(os.environ["BENCH_URL"])


class System:
    """This system has the methods of ``tests.lab.bench.ours.Installation``."""

    def __init__(self, url: str) -> None:
        self.url = url
        with closing(psycopg2.connect(url)) as conn, conn, conn.cursor() as cursor:
            cursor.execute(generate_init_sql())

    def start(self, fleet: Fleet) -> None:
        environment = {"BENCH_URL": self.url, "dramatiq_queue_prefetch": str(_PREFETCH)}
        fleet.run("dramatiq", __name__, "-p", "2", "-t", "8", **environment)

    def ready(self, conn: Connection) -> bool:
        """Say whether both processes listen, each on a connection for the queue and on one for its delay queue."""
        sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        return int(scalar(conn, sql)) >= 4

    def seed(self, conn: Connection, count: int, **_: Any) -> None:
        """Insert a row and send a NOTIFY with the message for each job, as dramatiq-pg's ``enqueue`` does."""
        query(
            conn,
            """WITH message AS (
              SELECT gen_random_uuid() AS id, n FROM generate_series(1, %s) AS n
            ), inserted AS (
              INSERT INTO dramatiq.queue (queue_name, message_id, state, message)
              SELECT 'default', id, 'queued', jsonb_build_object('queue_name', 'default', 'actor_name', 'no_op',
                'args', jsonb_build_array(n), 'kwargs', '{}'::jsonb, 'options', '{}'::jsonb, 'message_id', id,
                'message_timestamp', 1700000000000)
              FROM message RETURNING queue_name, message
            ) SELECT pg_notify('dramatiq.default.enqueue', message::text) FROM inserted""",
            count,
        )

    def left(self, conn: Connection, **_: Any) -> bool:
        sql = "SELECT EXISTS (SELECT FROM dramatiq.queue WHERE state IN ('queued', 'consumed'))"
        return bool(scalar(conn, sql))

    def completions(self, conn: Connection, since: float) -> list[float]:
        """Return when messages were taken; dramatiq-pg records no other times."""
        sql = """SELECT extract(epoch FROM mtime)::double precision FROM dramatiq.queue
            WHERE state = 'done' AND mtime >= to_timestamp(%s) ORDER BY 1"""
        return [row[0] for row in query(conn, sql, since)]

    def send_rate(self, seconds: float, at_once: int) -> float:
        actor = declare(self.url)
        found = calls_a_second(actor.send, at_once, seconds)
        actor.broker.pool.closeall()
        return found
