-- Return the next page of pg-boss's jobs in given queues and states, the oldest first. "after" and "after_time" are the previous page's last id and created_on.
SELECT to_jsonb(j)::text AS job
FROM job AS j
WHERE j.name = ANY (%(names)s) AND j.state::text = ANY (%(states)s) AND (j.completed_on IS NULL OR j.completed_on >= %(since)s::timestamptz)
  AND (%(after)s::uuid IS NULL OR (j.created_on, j.id) > (%(after_time)s::timestamptz, %(after)s::uuid))
  AND NOT EXISTS (SELECT 1 FROM zeke_jobs.imported AS i WHERE i.source = %(source)s AND i.source_id = j.id AND i.name = j.name)
ORDER BY j.created_on, j.id LIMIT %(most)s
