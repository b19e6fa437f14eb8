-- Record a heartbeat of this process. Return whether the process still counts as alive, and the number of the revision of jobs.yaml in force.
WITH proved AS (
  UPDATE zeke_jobs.worker AS w
  SET heartbeat_on = zeke_jobs.now(), beating_since = CASE WHEN w.heartbeat_on < zeke_jobs.now() - w.lost_after THEN zeke_jobs.now() ELSE w.beating_since END,
    busy = %(busy)s, revision = %(revision)s, stopping = %(stopping)s, alone = w.alone AND NOT %(stopping)s AND (EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.worker = w.id AND q.deaths > 1) OR EXISTS (
      SELECT 1 FROM zeke_jobs.suspect AS s WHERE s.queue = ANY (w.queues) AND s.task = ANY (w.tasks)))
  WHERE w.id = %(worker)s::uuid
  RETURNING w.id
)
SELECT EXISTS (SELECT 1 FROM proved) AS alive, (SELECT coalesce(max(r.number), 0) FROM zeke_jobs.revision AS r) AS revision
