-- Seconds until the next delayed job of a queue is due; NULL if none waits.
SELECT zeke_jobs.next_due(%(queue)s, %(tasks)s::text[]) AS seconds
