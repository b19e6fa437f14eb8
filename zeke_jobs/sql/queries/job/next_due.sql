-- Return the seconds until a queue's next job becomes due, or NULL if there is none. The result is negative if a job became due within a given time before now.
SELECT zeke_jobs.next_due(%(queue)s, %(tasks)s::text[], %(since)s::double precision) AS seconds
