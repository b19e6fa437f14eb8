-- Return the shared limits, the limits of single tasks that count units (such as tokens) or costs, and who paused each limit.
SELECT u.name, u.concurrency AS active_limit, u.active, u.rate_count, u.rate_period, u.next_on, u.closed_by, u.closed_until, u.units, p.paused_by
FROM zeke_jobs.limit_use AS u
LEFT JOIN zeke_jobs.pause AS p ON p.target = u.name
WHERE starts_with(u.name, 'limit/') OR u.units IS NOT NULL
ORDER BY u.name
