-- Let no job of a shared limit start for a time, because the provider asks for a pause.
SELECT zeke_jobs.throttle(%(limit)s, %(seconds)s::double precision, %(job)s::uuid, %(why)s) AS closed_until
