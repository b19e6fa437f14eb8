"""This module fills the table of jobs with the backlog of several months, and counts the reads of each statement."""

import os
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

from tests.zeke_jobs.worker.conftest import Jobs
from zeke_jobs.postgres.pool import transaction

ROWS = 1_000_000 if os.environ.get("ZEKE_TEST_DEEP") else 16_000
TOP = "limits: {pool: {concurrency: 40}, slow: {rate: 60/m}}"
TASKS = """
  bulk: {handler: 'H:echo'}
  urgent: {handler: 'H:echo', priority: 5, uses: [slow]}
  full: {handler: 'H:echo', aliases: [was-full], concurrency: 5}
  shared: {handler: 'H:echo', aliases: [was-shared], uses: [pool]}
  keyed: {handler: 'H:echo', aliases: [was-keyed, once-keyed], uses: [pool], concurrency: {limit: 50, per_key: 1}}
  later: {handler: 'H:echo'}
  capped: {handler: 'H:echo', max_queued: 500}
  once: {handler: 'H:echo', unique: {fields: [n]}}
"""
WORKER, LOST = UUID(int=1), UUID(int=2)
ACTIVE = {"bulk": 20, "full": 5, "keyed": 1, "shared": 3}


# Each line of "shares" gives a task, a state, and the percentage of the rows.
SEED = """
  INSERT INTO zeke_jobs.queue (
    queue_name, message_id, state, task, message, priority, run_at, expires_on, key, extra, created_on,
    claimed_on, started_on, completed_on, cancelled_on, attempt, claim, revision, parent)
  SELECT
    'default',
    m.id,
    s.state::zeke_jobs.state,
    s.task,
    jsonb_build_object('queue_name', 'default', 'actor_name', s.task, 'args', '[]'::jsonb, 'kwargs', jsonb_build_object('n', n),
      'options', '{}'::jsonb, 'message_id', m.id, 'message_timestamp', 0),
    CASE WHEN s.task = 'later' THEN n %% 40 ELSE t.priority END,
    made + s.delay * interval '1 day',
    CASE WHEN s.task = 'bulk' AND n %% 100 = 7 AND s.state = 'queued' THEN made + interval '1 year' END,
    -- One key has half of the jobs, and one of them is active; the others are many.
    CASE WHEN t.per_key IS NOT NULL THEN CASE WHEN n %% 2 = 0 THEN 'key-5' ELSE 'key-' || n %% 2000 END END,
    CASE WHEN s.task = 'once' THEN jsonb_build_object('unique_key', 'seeded ' || m.id) END,
    made,
    CASE WHEN s.state <> 'queued' THEN made END,
    CASE WHEN s.state <> 'queued' THEN made END,
    CASE WHEN s.state IN ('done', 'rejected') THEN made + interval '1 minute' END,
    CASE WHEN s.state = 'rejected' AND n %% 3 = 0 THEN made END,
    CASE WHEN s.state = 'queued' THEN 0 ELSE 1 END,
    1,
    1,
    CASE WHEN n %% 10 = 0 THEN '00000000-0000-0000-0000-000000000003'::uuid END
  FROM (VALUES
    ('bulk', 'queued', 0, 35), ('urgent', 'queued', 0, 2), ('full', 'queued', 0, 8), ('shared', 'queued', 0, 5), ('keyed', 'queued', 0, 10),
    ('later', 'queued', 400, 5), ('capped', 'queued', 0, 2), ('once', 'queued', 0, 3), ('bulk', 'done', 0, 20), ('keyed', 'done', 0, 5),
    ('bulk', 'rejected', 0, 5)
  ) AS s (task, state, delay, percent)
  JOIN zeke_jobs.task AS t ON t.id = s.task
  CROSS JOIN LATERAL generate_series(1, %(rows)s * s.percent / 100) AS n
  CROSS JOIN LATERAL (
    SELECT zeke_jobs.new_id(), zeke_jobs.now() - interval '30 days' + n * interval '1 second'
  ) AS m (id, made)
"""

FEW = """
  UPDATE zeke_jobs.queue AS q SET state = 'consumed', worker = %(worker)s, claimed_on = zeke_jobs.now(), attempt = 0, started_on = NULL
  WHERE q.message_id IN (SELECT c.message_id FROM zeke_jobs.queue AS c WHERE c.state = 'queued' AND c.task = %(task)s
    AND (c.key IS NULL OR c.key = 'key-5') ORDER BY c.seq LIMIT %(count)s)
"""


#: A server, a database or a role may have the settings in ODD, which all slow down the statements.
ODD = {
    "enable_indexscan": "off", "enable_indexonlyscan": "off", "enable_nestloop": "off", "enable_sort": "off",
    "plan_cache_mode": "force_custom_plan", "random_page_cost": "1000", "parallel_setup_cost": "0",
    "parallel_tuple_cost": "0", "min_parallel_table_scan_size": "0", "min_parallel_index_scan_size": "0",
}  # fmt: skip


class Reads(NamedTuple):
    """What one transaction read of ``zeke_jobs.queue``; ``entries`` counts index entries, and rows of sequential scans."""

    seq_scans: int
    entries: int
    indexes: set[str]


class BigTable:
    """This migrated database gets a backlog. Each call is measured and rolled back."""

    def __init__(self, jobs: Jobs) -> None:
        self.jobs = jobs
        self._known: dict[str, list[dict[str, Any]]] = {}
        jobs.rows("ALTER TABLE zeke_jobs.queue SET (autovacuum_enabled = false)")
        jobs.use(TASKS, TOP)
        jobs.worker(WORKER)
        jobs.worker(LOST)

    def seed(self, rows: int) -> None:
        """Add jobs; a few are active, a few must run alone after two deaths, and a few have expired."""
        run = self.jobs.rows
        with transaction(self.jobs.conn), self.jobs.conn.cursor() as cursor:
            cursor.execute(SEED, {"rows": rows})
            for task, count in ACTIVE.items():
                cursor.execute(FEW, {"worker": str(WORKER), "task": task, "count": count})
        run("UPDATE zeke_jobs.queue SET worker = %s WHERE worker IS NOT NULL AND task = 'bulk'", LOST)
        some = "SELECT message_id FROM zeke_jobs.queue WHERE task = 'bulk' AND state = 'queued' AND deaths = 0 ORDER BY seq"
        run(f"UPDATE zeke_jobs.queue SET deaths = 2, attempt = 1 WHERE message_id IN ({some} DESC LIMIT 3)")
        late = "expires_on = zeke_jobs.now() - interval '1 s'"
        run(f"UPDATE zeke_jobs.queue SET {late} WHERE message_id IN ({some} LIMIT 20)")
        self._known.clear()

    def known(self, where: str) -> UUID:
        """Return the id of a job that matches the condition, and the same id at later calls."""
        found: UUID = self._jobs(f"{where} LIMIT 1")[0]["message_id"]
        return found

    def active(self, task: str) -> list[dict[str, Any]]:
        return self._jobs(f"worker = '{WORKER}' AND task = '{task}'")

    def _jobs(self, where: str) -> list[dict[str, Any]]:
        if not self._known.get(where):
            self._known[where] = self.jobs.rows(f"SELECT message_id, claim FROM zeke_jobs.queue WHERE {where}")
        return self._known[where]

    def claim(self, *tasks: str) -> None:
        """Claim 64 jobs of these tasks, or of all tasks if none is given."""
        served = list(tasks) or [row["id"] for row in self.jobs.rows("SELECT id FROM zeke_jobs.task")]
        self.jobs.rows("SELECT * FROM zeke_jobs.claim(%s::uuid, 'default', %s::text[], 64)", WORKER, served)

    def measure(self, call: Callable[[], Any]) -> Reads:
        """Run the call, count its reads, and roll back."""
        with self.jobs.conn.cursor() as cursor:
            cursor.execute("BEGIN")
            try:
                before = self._counters()
                call()
                after = self._counters()
            finally:
                cursor.execute("ROLLBACK")
        read = {name: (after[name][0] - before[name][0], after[name][1] - before[name][1]) for name in after}
        table = read.pop("queue")
        entries = table[1] + sum(entries for _, entries in read.values())
        return Reads(table[0], entries, {name for name, (scans, _) in read.items() if scans})

    def _counters(self) -> dict[str, tuple[int, int]]:
        sql = """
          SELECT c.relname, pg_stat_get_xact_numscans(c.oid) AS scans, pg_stat_get_xact_tuples_returned(c.oid) AS entries
          FROM pg_class AS c LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
          WHERE c.oid = 'zeke_jobs.queue'::regclass OR i.indrelid = 'zeke_jobs.queue'::regclass"""
        return {row["relname"]: (row["scans"], row["entries"]) for row in self.jobs.rows(sql)}
