-- Register a live process. A process that was considered lost, but is alive, registers again with the same id.
INSERT INTO zeke_jobs.worker AS w (id, kind, host, pid, version, queues, tasks, threads, revision, file_revision,
  lost_after)
VALUES (%(id)s::uuid, %(kind)s, %(host)s, %(pid)s, %(version)s, %(queues)s::text[], %(tasks)s::text[], %(threads)s,
  %(revision)s, %(file_revision)s, %(lost_after)s::interval)
ON CONFLICT (id) DO UPDATE
SET heartbeat_on = zeke_jobs.now(), beating_since = CASE WHEN w.heartbeat_on < zeke_jobs.now() - w.lost_after THEN zeke_jobs.now() ELSE w.beating_since END,
  queues = excluded.queues, tasks = excluded.tasks, revision = excluded.revision,
  file_revision = excluded.file_revision, refusal = NULL
