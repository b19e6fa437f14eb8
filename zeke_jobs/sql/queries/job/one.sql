-- The status of one job.
SELECT
  j.id::text,
  j.state::text,
  j.name,
  j.data::text,
  j.output::text,
  j.created_on,
  j.started_on,
  j.completed_on,
  j.retry_count,
  j.error::text,
  j.parent::text,
  j.attempts::text,
  j.progress::text,
  j.scheduled_for,
  j.priority,
  j.start_after,
  j.expires_on,
  j.revision,
  j.queue,
  j.key,
  j.waiting_for,
  j.cancelled_on,
  j.cancel_reason,
  j.cost::text,
  j.currency
FROM zeke_jobs.job AS j
WHERE j.id = CAST(%(id)s AS uuid)
