-- Seconds until the next delayed job of a queue is due; NULL when none waits.
SELECT extract(epoch FROM zeke_jobs.next_due(%(queue)s, %(tasks)s::text[]) - zeke_jobs.now())::double precision AS seconds
