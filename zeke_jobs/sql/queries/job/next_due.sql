-- Seconds until the next job of a queue becomes due; NULL if no job waits. A job that became due within the last "since" seconds counts, too.
SELECT zeke_jobs.next_due(%(queue)s, %(tasks)s::text[], %(since)s::double precision) AS seconds
