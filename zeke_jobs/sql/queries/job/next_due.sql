-- Seconds until the next job of a queue becomes due; NULL if none waits. A job that became due within the last given seconds counts, too.
SELECT zeke_jobs.next_due(%(queue)s, %(tasks)s::text[], %(since)s::double precision) AS seconds
