-- Return one job by its id, or the newest jobs that pass all given filters, beginning after a given job.
SELECT
  j.id::text, j.state::text, j.name, j.data::text, j.output::text, j.created_on, j.started_on, j.completed_on,
  j.retry_count, j.error::text, j.parent::text, j.attempts::text, j.progress::text, j.scheduled_for, j.priority,
  j.start_after, j.expires_on, j.revision, j.queue, j.key, j.waiting_for, j.cancelled_on, j.cancel_reason, j.cost::text,
  j.currency, j.batch, j.attempt, j.worker::text
FROM zeke_jobs.job AS j WHERE (CAST(%(id)s AS uuid) IS NULL OR j.id = CAST(%(id)s AS uuid))
  AND (CAST(%(task)s AS text) IS NULL
    OR j.name = (SELECT coalesce(max(t.id), CAST(%(task)s AS text)) FROM zeke_jobs.known_task(CAST(%(task)s AS text)) AS t))
  AND (CAST(%(status)s AS text[]) IS NULL OR j.state::text = ANY (CAST(%(status)s AS text[])))
  AND (CAST(%(parent)s AS uuid) IS NULL OR j.parent = CAST(%(parent)s AS uuid))
  AND (CAST(%(batch)s AS text) IS NULL OR j.batch = CAST(%(batch)s AS text))
  AND (CAST(%(queue)s AS text) IS NULL OR j.queue = CAST(%(queue)s AS text))
  AND (CAST(%(key)s AS text) IS NULL OR j.key = CAST(%(key)s AS text))
  AND (CAST(%(error)s AS text) IS NULL
    OR strpos(lower(concat_ws(': ', j.error ->> 'type', j.error ->> 'message')), lower(CAST(%(error)s AS text))) > 0)
  AND (CAST(%(newer)s AS double precision) IS NULL
    OR j.created_on > zeke_jobs.now() - make_interval(secs => CAST(%(newer)s AS double precision)))
  AND (CAST(%(older)s AS double precision) IS NULL
    OR j.created_on <= zeke_jobs.now() - make_interval(secs => CAST(%(older)s AS double precision)))
  AND (CAST(%(sent)s AS timestamptz) IS NULL OR j.created_on <= CAST(%(sent)s AS timestamptz)
    AND (j.created_on < CAST(%(sent)s AS timestamptz) OR j.id < CAST(%(after)s AS uuid)))
ORDER BY j.created_on DESC, j.id DESC LIMIT CAST(%(limit)s AS integer)
