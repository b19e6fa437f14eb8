-- What jobs cost, as far as their handlers say it: kept with the job, and in the history when its row goes.

ALTER TABLE zeke_jobs.queue
  ADD COLUMN cost numeric,
  ADD COLUMN currency text;
COMMENT ON COLUMN zeke_jobs.queue.cost IS 'What its handler said that it cost so far, over all attempts; NULL is unknown, not nothing.';
COMMENT ON COLUMN zeke_jobs.queue.currency IS 'What the cost is counted in, as ISO 4217 has it; NULL while the cost is.';

ALTER TABLE zeke_jobs.history
  ADD COLUMN currency text,
  ADD COLUMN is_sensitive boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN zeke_jobs.history.is_sensitive IS 'Its key quoted a sensitive field of its payload: views mask it.';
COMMENT ON COLUMN zeke_jobs.history.currency IS 'What the cost is counted in, as ISO 4217 has it; NULL while the cost is.';

CREATE OR REPLACE VIEW zeke_jobs.job AS
SELECT
  q.message_id AS id,
  q.task AS name,
  zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on, q.waits) AS state,
  q.queue_name AS queue,
  q.priority,
  zeke_jobs.masked(q.message -> 'kwargs', s.fields) AS data,
  CASE WHEN q.state = 'done'
    THEN zeke_jobs.unquoted(zeke_jobs.masked(nullif(q.result, 'null'), s.fields), q.message, s.fields) END AS output,
  zeke_jobs.unquoted(CASE
    WHEN q.state = 'rejected' AND q.cancelled_on IS NOT NULL
      THEN jsonb_build_object('type', 'Cancelled', 'message', coalesce(q.cancel_reason, 'cancelled'))
    WHEN q.state = 'rejected' OR q.attempt > 0 AND q.state = 'queued' THEN (
      SELECT a.value -> 'error'
      FROM jsonb_array_elements(q.attempts) WITH ORDINALITY AS a (value, n)
      WHERE a.value ? 'error'
      ORDER BY a.n DESC
      LIMIT 1)
  END, q.message, s.fields) AS error,
  greatest(q.attempt - 1, 0) AS retry_count,
  coalesce(t.retry_limit, 0) AS retry_limit,
  q.attempt,
  zeke_jobs.unquoted(q.attempts, q.message, s.fields) AS attempts,
  q.deaths,
  zeke_jobs.unquoted(q.progress, q.message, s.fields) AS progress,
  zeke_jobs.unquoted(q.waiting_for, q.message, s.fields) AS waiting_for,
  zeke_jobs.unquoted(q.key, q.message, s.fields) AS key,
  q.unique_key,
  zeke_jobs.unquoted(q.idempotency_key, q.message, s.fields) AS idempotency_key,
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
  zeke_jobs.unquoted(q.cancel_reason, q.message, s.fields) AS cancel_reason,
  q.cost,
  q.currency
FROM zeke_jobs.queue AS q
LEFT JOIN zeke_jobs.task AS t ON t.id = q.task
CROSS JOIN LATERAL (
  -- What was sensitive when it was sent, and what is now: under the name that its task has by now, too.
  SELECT nullif(q.sensitive || coalesce(t.sensitive, (
    SELECT a.sensitive FROM zeke_jobs.task AS a WHERE q.task = ANY (a.aliases) LIMIT 1)), '{}') AS fields
) AS s;

CREATE OR REPLACE VIEW zeke_jobs.finished AS
SELECT
  q.message_id AS id,
  q.task AS name,
  zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on) AS state,
  q.queue_name AS queue,
  q.priority,
  zeke_jobs.unquoted(q.key, q.message, s.fields) AS key,
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
LEFT JOIN zeke_jobs.task AS t ON t.id = q.task
CROSS JOIN LATERAL (
  SELECT nullif(q.sensitive || coalesce(t.sensitive, (
    SELECT a.sensitive FROM zeke_jobs.task AS a WHERE q.task = ANY (a.aliases) LIMIT 1)), '{}') AS fields
) AS s
WHERE q.state IN ('done', 'rejected')
UNION ALL
SELECT
  h.id,
  h.name,
  h.state,
  h.queue,
  h.priority,
  CASE WHEN h.is_sensitive THEN '***' ELSE h.key END,
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
