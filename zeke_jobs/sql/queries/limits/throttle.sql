-- Let no job start under a shared limit for a given time, because the provider that its jobs call asks for a pause.
SELECT zeke_jobs.throttle(%(limit)s, %(seconds)s::double precision, %(job)s::uuid, %(why)s) AS closed_until
