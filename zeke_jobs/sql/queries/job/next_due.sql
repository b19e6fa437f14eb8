-- Seconds until the next delayed job of a queue is due, also of one that became due within so many seconds; NULL if none waits.
SELECT zeke_jobs.next_due(%(queue)s, %(tasks)s::text[], %(since)s::double precision) AS seconds
