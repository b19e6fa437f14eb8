-- Return the jobs that existed between two times, ordered by send time. Times are Unix times. Each attempt is a list: outcome, start, end, type of error.
WITH jobs AS (
  SELECT
    q.message_id AS id, q.task AS name, zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on)::text AS state, q.priority, q.key,
    q.attempt, q.parent, q.scheduled_for, q.created_on, q.run_at, q.expires_on, q.claimed_on, q.started_on, q.completed_on,
    q.attempts, c.cost, c.currency
  FROM zeke_jobs.queue AS q
  LEFT JOIN zeke_jobs.cost AS c ON c.job = q.message_id
  WHERE q.created_on < %(end)s AND (q.completed_on IS NULL OR q.completed_on >= %(begin)s)
  UNION ALL
  SELECT
    h.id, h.name, h.state::text, h.priority, h.key, h.attempt, h.parent, h.scheduled_for, h.created_on, h.run_at,
    h.expires_on, h.claimed_on, h.started_on, h.completed_on, h.attempts, h.cost, h.currency
  FROM zeke_jobs.history AS h
  -- Purged jobs are in the history.
  WHERE h.created_on < %(end)s AND h.completed_on >= %(begin)s AND h.purged_on >= %(begin)s
    AND NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = h.id)
)
SELECT
  j.id::text AS id, j.name, j.state, j.priority, j.key, j.attempt, j.parent::text AS parent, j.scheduled_for IS NOT NULL AS tick,
  extract(epoch FROM j.created_on)::float AS created, extract(epoch FROM j.run_at)::float AS run_at,
  extract(epoch FROM j.expires_on)::float AS expires,
  extract(epoch FROM j.claimed_on)::float AS claimed, extract(epoch FROM j.started_on)::float AS started,
  extract(epoch FROM j.completed_on)::float AS completed,
  CASE
    WHEN j.attempts = '[]' THEN '[]'
    ELSE (
      SELECT jsonb_agg(
        jsonb_build_array(
          a.value ->> 'outcome', extract(epoch FROM (a.value ->> 'started_on')::timestamptz),
          extract(epoch FROM (a.value ->> 'ended_on')::timestamptz), a.value #>> '{error,type}')
        ORDER BY a.n)
      FROM jsonb_array_elements(j.attempts) WITH ORDINALITY AS a (value, n))
  END AS attempts,
  j.cost::float AS cost, j.currency
FROM jobs AS j
ORDER BY j.created_on, j.id
