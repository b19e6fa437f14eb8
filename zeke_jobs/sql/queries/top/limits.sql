-- Shared limits, and the author of a pause.
SELECT u.name, u.concurrency, u.active, u.rate_count, u.rate_period, u.used, u.free_on, u.closed_by, u.closed_until, u.meters, p.paused_by
FROM zeke_jobs.gate_use AS u
LEFT JOIN zeke_jobs.pause AS p ON p.target = u.name
WHERE starts_with(u.name, 'limit/')
ORDER BY u.name
