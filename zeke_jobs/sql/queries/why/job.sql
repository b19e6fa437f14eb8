-- Return the columns of a job that explain why the job waits, runs or has ended. Sensitive fields are masked.
SELECT
  zeke_jobs.now() AS now,
  j.id, j.name AS task, j.state::text AS status, j.queue, j.priority, j.attempt, q.attempt_base, j.attempts, j.deaths,
  j.error, j.output, j.progress, j.waiting_for,
  EXISTS (SELECT 1 FROM zeke_jobs.wait AS w WHERE w.job = j.id AND w.came_on IS NULL AND w.until = j.start_after) AS awaits_event,
  j.key,
  j.unique_key IS NOT NULL AS is_unique,
  CASE WHEN starts_with(j.unique_key, j.name || ' =') THEN substr(j.unique_key, length(j.name) + 3) END AS own_key,
  j.parent,
  (SELECT p.task FROM zeke_jobs.queue AS p WHERE p.message_id = j.parent) AS parent_task,
  j.scheduled_for, j.worker, j.start_after AS run_at, q.seq, j.expires_on, j.created_on, q.claimed_on, j.started_on,
  j.completed_on, j.cancelled_on, j.cancelled_by, j.cancel_reason, j.retry_limit, j.timeout
FROM zeke_jobs.job AS j
JOIN zeke_jobs.queue AS q ON q.message_id = j.id
WHERE j.id = %(id)s::uuid
