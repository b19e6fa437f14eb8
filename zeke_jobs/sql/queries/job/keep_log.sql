-- Store the lines that attempts have logged. Drop the lines of a job that was purged or claimed again in the meantime.
INSERT INTO zeke_jobs.job_log (job, claim, attempt, lines, dropped)
SELECT d.job, d.claim, d.attempt, d.lines, d.dropped
FROM unnest(%(jobs)s::uuid[], %(claims)s::bigint[], %(attempts)s::integer[], %(lines)s::text[], %(dropped)s::integer[])
  AS d (job, claim, attempt, lines, dropped)
WHERE EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = d.job AND q.claim = d.claim)
ON CONFLICT (job, claim) DO UPDATE
SET lines = excluded.lines, dropped = excluded.dropped, written_on = zeke_jobs.now()
