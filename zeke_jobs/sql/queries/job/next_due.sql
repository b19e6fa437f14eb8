-- Return the seconds until a queue's next job becomes due, or NULL if no job waits. A job that became due in the last "since" seconds counts, too.
SELECT zeke_jobs.next_due(%(queue)s, %(tasks)s::text[], %(since)s::double precision) AS seconds
