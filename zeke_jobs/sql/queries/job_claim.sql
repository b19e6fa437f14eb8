-- Claim due jobs of a queue, within all limits. Where there are none and it is asked for: one row without a job, which says in how many
-- seconds the next delayed one is due.
WITH claimed AS MATERIALIZED (
  SELECT message_id, claim, task, message, attempt, attempt_base, deaths, revision, parent, scheduled_for
  FROM zeke_jobs.claim(
    %(worker)s::uuid, %(queue)s, %(tasks)s::text[], %(want)s::integer, %(free)s::integer, %(threads)s::integer, %(short)s::text[])
)
SELECT message_id, claim, task, message, attempt, attempt_base, deaths, revision, parent, scheduled_for, NULL::double precision
FROM claimed
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
  extract(epoch FROM zeke_jobs.next_due(%(queue)s, %(tasks)s::text[]) - zeke_jobs.now())::double precision AS seconds
WHERE %(ask)s AND NOT EXISTS (SELECT 1 FROM claimed)
