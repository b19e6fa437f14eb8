-- Return the seconds until a queue's next job becomes due, or NULL if no job waits. The result is negative if a job became due in the last seconds (parameter since).
SELECT zeke_jobs.next_due(%(queue)s, %(tasks)s::text[], %(since)s::double precision) AS seconds
