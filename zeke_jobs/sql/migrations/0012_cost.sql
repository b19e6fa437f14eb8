-- What jobs cost, as far as their handlers say it: kept with the job, and in the history when its row goes.

ALTER TABLE zeke_jobs.queue
  ADD COLUMN cost numeric,
  ADD COLUMN currency text;
COMMENT ON COLUMN zeke_jobs.queue.cost IS 'What its handler said that it cost so far, over all attempts; NULL is unknown, not nothing.';
COMMENT ON COLUMN zeke_jobs.queue.currency IS 'What the cost is counted in, as ISO 4217 has it; NULL while the cost is.';

ALTER TABLE zeke_jobs.history
  ADD COLUMN currency text;
COMMENT ON COLUMN zeke_jobs.history.currency IS 'What the cost is counted in, as ISO 4217 has it; NULL while the cost is.';

CREATE OR REPLACE VIEW zeke_jobs.job AS
SELECT
  q.message_id AS id,
  q.task AS name,
  zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on) AS state,
  q.queue_name AS queue,
  q.priority,
  zeke_jobs.masked(q.message -> 'kwargs', t.sensitive) AS data,
  CASE WHEN q.state = 'done' THEN zeke_jobs.masked(nullif(q.result, 'null'), t.sensitive) END AS output,
  CASE
    WHEN q.state = 'rejected' AND q.cancelled_on IS NOT NULL
      THEN jsonb_build_object('type', 'Cancelled', 'message', coalesce(q.cancel_reason, 'cancelled'))
    WHEN q.state = 'rejected' OR q.attempt > 0 AND q.state = 'queued' THEN (
      SELECT a.value -> 'error'
      FROM jsonb_array_elements(q.attempts) WITH ORDINALITY AS a (value, n)
      WHERE a.value ? 'error'
      ORDER BY a.n DESC
      LIMIT 1)
  END AS error,
  greatest(q.attempt - 1, 0) AS retry_count,
  coalesce(t.retry_limit, 0) AS retry_limit,
  q.attempt,
  q.attempts,
  q.deaths,
  q.progress,
  q.waiting_for,
  q.key,
  q.unique_key,
  q.idempotency_key,
  q.parent,
  q.scheduled_for,
  q.revision,
  q.worker,
  q.run_at AS start_after,
  q.expires_on,
  q.created_on,
  q.started_on,
  q.completed_on,
  q.cancelled_on,
  q.cancel_reason,
  q.cost,
  q.currency
FROM zeke_jobs.queue AS q
LEFT JOIN zeke_jobs.task AS t ON t.id = q.task;

CREATE OR REPLACE VIEW zeke_jobs.finished AS
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
  q.cost,
  q.currency
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
  h.cost,
  h.currency
FROM zeke_jobs.history AS h
WHERE NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = h.id);

-- Move up to p_limit jobs of a task, that ended in one way before p_before, from the table to the history, the oldest first. Rows that
-- somebody holds are left for the next time. Answers how many, and when the last of them ended: the next call goes on from there,
-- past the index's entries of what was removed.
CREATE OR REPLACE FUNCTION zeke_jobs.purge(
  p_task text, p_status zeke_jobs.job_status, p_after timestamptz, p_before timestamptz, p_limit integer,
  OUT purged integer, OUT reached timestamptz)
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_places tid[];
BEGIN
  -- What a crash of the server undoes is purged again.
  PERFORM set_config('synchronous_commit', 'off', true);
  IF p_status = 'completed' THEN
    v_places := ARRAY(
      SELECT q.ctid FROM zeke_jobs.queue AS q
      WHERE q.state = 'done' AND q.task = p_task
        AND q.completed_on >= p_after AND q.completed_on < p_before
      ORDER BY q.completed_on LIMIT p_limit
      FOR UPDATE SKIP LOCKED);
  ELSIF p_status = 'failed' THEN
    v_places := ARRAY(
      SELECT q.ctid FROM zeke_jobs.queue AS q
      WHERE q.state = 'rejected' AND q.cancelled_on IS NULL AND q.task = p_task
        AND q.completed_on >= p_after AND q.completed_on < p_before
      ORDER BY q.completed_on LIMIT p_limit
      FOR UPDATE SKIP LOCKED);
  ELSE
    v_places := ARRAY(
      SELECT q.ctid FROM zeke_jobs.queue AS q
      WHERE q.state = 'rejected' AND q.cancelled_on IS NOT NULL AND q.task = p_task
        AND q.completed_on >= p_after AND q.completed_on < p_before
      ORDER BY q.completed_on LIMIT p_limit
      FOR UPDATE SKIP LOCKED);
  END IF;
  WITH gone AS (
    DELETE FROM zeke_jobs.queue AS q
    WHERE q.ctid = ANY (v_places)
    RETURNING q.message_id, q.task, q.queue_name, q.priority, q.key, q.attempt, q.deaths, q.parent, q.scheduled_for, q.revision,
      q.run_at, q.created_on, q.started_on, q.completed_on, q.cost, q.currency
  ),
  kept AS (
    INSERT INTO zeke_jobs.history AS h (
      id, name, state, queue, priority, key, attempt, deaths, parent, scheduled_for, revision, run_at, created_on, started_on,
      completed_on, purged_on, cost, currency)
    SELECT
      g.message_id, g.task, p_status, g.queue_name, g.priority, g.key, g.attempt, g.deaths, g.parent, g.scheduled_for, g.revision,
      g.run_at, g.created_on, g.started_on, g.completed_on, v_now, g.cost, g.currency
    FROM gone AS g
    -- The caller's own id, used again after the first job with it was purged.
    ON CONFLICT (id) DO UPDATE
    SET name = excluded.name, state = excluded.state, queue = excluded.queue, priority = excluded.priority, key = excluded.key,
      attempt = excluded.attempt, deaths = excluded.deaths, parent = excluded.parent, scheduled_for = excluded.scheduled_for,
      revision = excluded.revision, run_at = excluded.run_at, created_on = excluded.created_on, started_on = excluded.started_on,
      completed_on = excluded.completed_on, purged_on = excluded.purged_on, cost = excluded.cost,
      currency = excluded.currency
  )
  SELECT count(*), max(g.completed_on) INTO purged, reached FROM gone AS g;
END
$$;
