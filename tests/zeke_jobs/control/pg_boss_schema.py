"""This module makes the tables of pg-boss 10, 11 and 12 that an import reads, with columns, partitions and keys.

The tables follow ``src/plans`` of pg-boss: schema 24 (pg-boss 10.1), 25 (11.0), 26 (12.0), and a later schema of
pg-boss 12 with groups, heartbeats and flows. Functions, indexes and tables that an import does not read are left out.
"""

import json
import uuid
from typing import Any

from psycopg2.extensions import connection as Connection

from tests.fleet import query

VERSIONS = {"10": 24, "11": 25, "12": 26, "later 12": 40}

_TIMES = {
    "10": "expire_in interval NOT NULL DEFAULT '15 minutes'",
    "11": "retry_delay_max integer, expire_seconds integer NOT NULL DEFAULT 900, deletion_seconds integer NOT NULL DEFAULT 604800",
}
_TIMES["12"] = _TIMES["11"]
_TIMES["later 12"] = (
    _TIMES["11"]
    + """, group_id text, group_tier text, heartbeat_on timestamptz, heartbeat_seconds integer,
    blocked boolean NOT NULL DEFAULT false, blocking boolean NOT NULL DEFAULT false, pending_dependencies integer NOT NULL DEFAULT 0,
    source_name text, source_id uuid, source_created_on timestamptz, source_retry_count integer"""
)


def install(conn: Connection, version: str, *queues: str) -> None:
    with conn.cursor() as cursor:
        cursor.execute(f"""
            CREATE SCHEMA pgboss;
            CREATE TYPE pgboss.job_state AS ENUM ('created', 'retry', 'active', 'completed', 'cancelled', 'failed');
            CREATE TABLE pgboss.version (version integer PRIMARY KEY, cron_on timestamptz);
            INSERT INTO pgboss.version VALUES ({VERSIONS[version]});
            CREATE TABLE pgboss.queue (name text PRIMARY KEY, policy text, dead_letter text REFERENCES pgboss.queue (name));
            CREATE TABLE pgboss.schedule (
              name text REFERENCES pgboss.queue ON DELETE CASCADE, {"" if version == "10" else "key text NOT NULL DEFAULT '',"}
              cron text NOT NULL, timezone text, data jsonb, options jsonb,
              created_on timestamptz NOT NULL DEFAULT now(), updated_on timestamptz NOT NULL DEFAULT now(),
              PRIMARY KEY (name{"" if version == "10" else ", key"}));
            CREATE TABLE pgboss.job (
              id uuid NOT NULL DEFAULT gen_random_uuid(), name text NOT NULL, priority integer NOT NULL DEFAULT 0, data jsonb,
              state pgboss.job_state NOT NULL DEFAULT 'created', retry_limit integer NOT NULL DEFAULT 2,
              retry_count integer NOT NULL DEFAULT 0, retry_delay integer NOT NULL DEFAULT 0,
              retry_backoff boolean NOT NULL DEFAULT false, start_after timestamptz NOT NULL DEFAULT now(), started_on timestamptz,
              singleton_key text, singleton_on timestamp, created_on timestamptz NOT NULL DEFAULT now(), completed_on timestamptz,
              keep_until timestamptz NOT NULL DEFAULT now() + interval '14 days', output jsonb, dead_letter text, policy text,
              {_TIMES[version]}
            ) PARTITION BY LIST (name);
            ALTER TABLE pgboss.job ADD PRIMARY KEY (name, id);
        """)
        if version != "10":
            cursor.execute("CREATE TABLE pgboss.job_common PARTITION OF pgboss.job DEFAULT")
        for at, queue in enumerate(queues):
            cursor.execute("INSERT INTO pgboss.queue (name, policy) VALUES (%s, 'standard')", (queue,))
            if version == "10":
                cursor.execute(f"CREATE TABLE pgboss.j{at} PARTITION OF pgboss.job FOR VALUES IN (%s)", (queue,))


def put(conn: Connection, name: str, data: Any = None, **columns: Any) -> uuid.UUID:
    row = {"id": str(uuid.uuid4()), "name": name, "data": None if data is None else json.dumps(data), **columns}
    places = ", ".join(["%s"] * len(row))
    query(conn, f"INSERT INTO pgboss.job ({', '.join(row)}) VALUES ({places})", *row.values())
    return uuid.UUID(row["id"])


def fetch(conn: Connection, name: str) -> list[uuid.UUID]:
    """Take the due jobs, as a worker of pg-boss does."""
    sql = """
        WITH next AS (
          SELECT id FROM pgboss.job WHERE name = %s AND state < 'active' AND start_after < now()
          ORDER BY priority DESC, created_on, id FOR UPDATE SKIP LOCKED)
        UPDATE pgboss.job AS j
        SET state = 'active', started_on = now(), retry_count = CASE WHEN started_on IS NOT NULL THEN retry_count + 1 ELSE retry_count END
        FROM next WHERE j.name = %s AND j.id = next.id
        RETURNING j.id"""
    return [uuid.UUID(str(row[0])) for row in query(conn, sql, name, name)]


def states(conn: Connection, *, schema: str = "pgboss") -> dict[uuid.UUID, str]:
    found = query(conn, f"SELECT id, state::text FROM {schema}.job")
    return {uuid.UUID(str(job_id)): state for job_id, state in found}
