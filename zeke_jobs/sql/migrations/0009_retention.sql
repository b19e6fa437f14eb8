-- Retention: finished rows leave the table of jobs when their time is over, and stay known in the history for ninety days.

-- Serve retention: what ended first, by task and outcome. An index for each outcome, so that each finish writes one, and rows that are
-- kept long (failed ones) are not walked over in search of those that are kept for a short time.
CREATE INDEX queue_completed ON zeke_jobs.queue (task, completed_on) WHERE state = 'done';
CREATE INDEX queue_failed ON zeke_jobs.queue (task, completed_on) WHERE state = 'rejected' AND cancelled_on IS NULL;
CREATE INDEX queue_cancelled ON zeke_jobs.queue (task, completed_on) WHERE state = 'rejected' AND cancelled_on IS NOT NULL;
DROP INDEX zeke_jobs.queue_ended;

ALTER TABLE zeke_jobs.history
  ADD COLUMN cost numeric;
COMMENT ON COLUMN zeke_jobs.history.cost IS 'What the job cost, where somebody knows; NULL is unknown, not nothing.';
-- Serves comparing and predicting: a task's jobs of a time.
CREATE INDEX history_task ON zeke_jobs.history (name, completed_on);
-- Serves its own retention; rows come in this order, so each goes to the index's right edge.
CREATE INDEX history_purged ON zeke_jobs.history (purged_on);
DROP INDEX zeke_jobs.history_ended;

CREATE VIEW zeke_jobs.finished AS
SELECT
  q.message_id AS id,
  q.task AS name,
  zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on) AS state,
  q.queue_name AS queue,
  q.priority,
  q.key,
  q.attempt,
  q.deaths,
  q.parent,
  q.scheduled_for,
  q.revision,
  q.run_at,
  q.created_on,
  q.started_on,
  q.completed_on,
  NULL::timestamptz AS purged_on,
  NULL::numeric AS cost
FROM zeke_jobs.queue AS q
WHERE q.state IN ('done', 'rejected')
UNION ALL
SELECT
  h.id,
  h.name,
  h.state,
  h.queue,
  h.priority,
  h.key,
  h.attempt,
  h.deaths,
  h.parent,
  h.scheduled_for,
  h.revision,
  h.run_at,
  h.created_on,
  h.started_on,
  h.completed_on,
  h.purged_on,
  h.cost
FROM zeke_jobs.history AS h
WHERE NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = h.id);
COMMENT ON VIEW zeke_jobs.finished IS 'Jobs that ended: those whose rows are there, and those of the last ninety days whose rows are not.';

CREATE TABLE zeke_jobs.retention (
  singleton boolean NOT NULL DEFAULT true,
  due_on timestamptz NOT NULL DEFAULT zeke_jobs.now(),
  CONSTRAINT retention_pkey PRIMARY KEY (singleton),
  CONSTRAINT retention_singleton CHECK (singleton)
);
COMMENT ON TABLE zeke_jobs.retention IS 'Whose turn it is to purge: the first process that moves due_on on.';
INSERT INTO zeke_jobs.retention DEFAULT VALUES;

-- The next task, in the order of ids, that has finished jobs. Probes of the indexes only.
CREATE FUNCTION zeke_jobs.ended_task_after(p_task text) RETURNS text
LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0
AS $$
  SELECT least(
    (SELECT q.task FROM zeke_jobs.queue AS q
     WHERE q.state = 'done' AND q.task > p_task ORDER BY q.task LIMIT 1),
    (SELECT q.task FROM zeke_jobs.queue AS q
     WHERE q.state = 'rejected' AND q.cancelled_on IS NULL AND q.task > p_task ORDER BY q.task LIMIT 1),
    (SELECT q.task FROM zeke_jobs.queue AS q
     WHERE q.state = 'rejected' AND q.cancelled_on IS NOT NULL AND q.task > p_task ORDER BY q.task LIMIT 1))
$$;

-- What is past its time: tasks with finished jobs, by how they ended, that ended before a moment. One whose fields are to be unique for a
-- period stays at least so long. A task that left jobs.yaml keeps its jobs as long as the longest default.
CREATE FUNCTION zeke_jobs.overdue() RETURNS TABLE (task text, status zeke_jobs.job_status, before timestamptz)
LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0
AS $$
  WITH RECURSIVE present (task) AS (
    SELECT zeke_jobs.ended_task_after('')
    UNION ALL
    SELECT zeke_jobs.ended_task_after(p.task) FROM present AS p WHERE p.task IS NOT NULL
  )
  SELECT p.task, s.status, b.before
  FROM present AS p
  CROSS JOIN unnest('{completed,failed,cancelled}'::zeke_jobs.job_status[]) AS s (status)
  LEFT JOIN zeke_jobs.task AS t ON t.id = p.task
  CROSS JOIN LATERAL (
    SELECT zeke_jobs.now() - greatest(
      coalesce((t.definition #>> ARRAY['keep', s.status::text])::interval, '30 days'), t.unique_period) AS before
  ) AS b
  WHERE p.task IS NOT NULL AND CASE s.status
    WHEN 'completed' THEN EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q WHERE q.state = 'done' AND q.task = p.task AND q.completed_on < b.before)
    WHEN 'failed' THEN EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q
      WHERE q.state = 'rejected' AND q.cancelled_on IS NULL AND q.task = p.task AND q.completed_on < b.before)
    ELSE EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q
      WHERE q.state = 'rejected' AND q.cancelled_on IS NOT NULL AND q.task = p.task AND q.completed_on < b.before) END
$$;
