-- Lock the next queued jobs of pg-boss with these names, the oldest first, after a given time and id. Jobs locked by workers of pg-boss are skipped.
SELECT to_jsonb(j)::text AS job
FROM job AS j
WHERE j.name = ANY (%(names)s) AND j.state::text IN ('created', 'retry')
  AND (%(after)s::uuid IS NULL OR (j.created_on, j.id) > (%(after_time)s::timestamptz, %(after)s::uuid))
  AND NOT EXISTS (SELECT 1 FROM zeke_jobs.imported AS i WHERE i.source = %(source)s AND i.source_id = j.id AND i.name = j.name)
ORDER BY j.created_on, j.id LIMIT %(most)s FOR UPDATE OF j SKIP LOCKED
