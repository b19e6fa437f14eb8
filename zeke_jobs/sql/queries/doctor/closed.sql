-- Return the limits under which no job (or only a probe) may start, because a provider throttled a job or a breaker is open.
SELECT u.name, u.closed_by, u.closed_until, u.closed_until <= zeke_jobs.now() AS probes, u.closed_why
FROM zeke_jobs.limit_use AS u WHERE u.closed_by IS NOT NULL ORDER BY u.name
