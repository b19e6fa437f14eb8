-- Close a shared limit for a time, because its provider asks for a pause.
SELECT zeke_jobs.throttle(%(limit)s, %(seconds)s::double precision, %(job)s::uuid, %(why)s) AS closed_until
