-- What people and their dashboards read.

-- A payload without what its task calls sensitive.
CREATE FUNCTION zeke_jobs.masked(p_value jsonb, p_fields text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT CASE
    WHEN coalesce(cardinality(p_fields), 0) = 0 OR jsonb_typeof(p_value) <> 'object' THEN p_value
    ELSE coalesce(
      (SELECT jsonb_object_agg(
         e.key, CASE WHEN e.key = ANY (p_fields) OR f.name IS NOT NULL THEN '"***"' ELSE e.value END)
       FROM jsonb_each(p_value) AS e (key, value)
       LEFT JOIN unnest(p_fields) AS f (name) ON zeke_jobs.camel(f.name) = e.key),
      '{}')
  END
$$;

-- Jobs in pg-boss's vocabulary. data has its keys as stored, in snake_case; schema pgboss has a view with pg-boss's own columns.
CREATE VIEW zeke_jobs.job AS
SELECT
  q.message_id AS id,
  q.task AS name,
  zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on, q.waits) AS state,
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
  q.cancel_reason
FROM zeke_jobs.queue AS q
LEFT JOIN zeke_jobs.task AS t ON t.id = q.task;
COMMENT ON VIEW zeke_jobs.job IS 'All jobs, in the words of pg-boss. Sensitive fields are masked.';

-- What is left of a job when its row is removed: enough to say that it existed, to compare revisions, and to predict.
CREATE TABLE zeke_jobs.history (
  id uuid NOT NULL,
  name text NOT NULL,
  state zeke_jobs.job_status NOT NULL,
  queue text NOT NULL,
  priority integer NOT NULL,
  key text,
  attempt integer NOT NULL,
  deaths integer NOT NULL,
  parent uuid,
  scheduled_for timestamptz,
  revision integer,
  run_at timestamptz NOT NULL,
  created_on timestamptz NOT NULL,
  started_on timestamptz,
  completed_on timestamptz NOT NULL,
  purged_on timestamptz NOT NULL DEFAULT zeke_jobs.now(),
  CONSTRAINT history_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE zeke_jobs.history IS 'Jobs whose rows were removed at the end of their retention.';
-- Serves its own retention.
CREATE INDEX history_ended ON zeke_jobs.history (completed_on);
