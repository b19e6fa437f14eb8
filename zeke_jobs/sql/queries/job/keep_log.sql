-- Store the lines that attempts have logged so far, unless their job is gone. Also removes the lines of the last call whose job was
-- purged at the same time.
WITH orphaned AS (
  DELETE FROM zeke_jobs.job_log AS l
  WHERE l.job = ANY (%(before)s::uuid[]) AND NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = l.job)
)
INSERT INTO zeke_jobs.job_log (job, claim, attempt, lines, dropped)
SELECT d.job, d.claim, d.attempt, d.lines, d.dropped
FROM unnest(%(jobs)s::uuid[], %(claims)s::bigint[], %(attempts)s::integer[], %(lines)s::text[], %(dropped)s::integer[])
  AS d (job, claim, attempt, lines, dropped)
WHERE EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = d.job)
ON CONFLICT (job, claim) DO UPDATE
SET lines = excluded.lines, dropped = excluded.dropped, written_on = zeke_jobs.now()
