-- Lock and return the next page of pg-boss's queued jobs in given queues, the oldest first. Pages work as in page.sql. Skip jobs locked by pg-boss.
SELECT to_jsonb(j)::text AS job
FROM job AS j
WHERE j.name = ANY (%(names)s) AND j.state::text IN ('created', 'retry')
  AND (%(after)s::uuid IS NULL OR (j.created_on, j.id) > (%(after_time)s::timestamptz, %(after)s::uuid))
  AND NOT EXISTS (SELECT 1 FROM zeke_jobs.imported AS i WHERE i.source = %(source)s AND i.source_id = j.id AND i.name = j.name)
ORDER BY j.created_on, j.id LIMIT %(most)s FOR UPDATE OF j SKIP LOCKED
