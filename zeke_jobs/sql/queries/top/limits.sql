-- Shared limits and tasks with a budget, and the author of a pause.
SELECT u.name, u.concurrency, u.active, u.rate_count, u.rate_period, u.used, u.free_on, u.closed_by, u.closed_until,
  jsonb_path_query_array(u.meters, '$[*] ? (@.per_key == false)') AS meters, p.paused_by
FROM zeke_jobs.gate_use AS u
LEFT JOIN zeke_jobs.pause AS p ON p.target = u.name
WHERE starts_with(u.name, 'limit/') OR EXISTS (SELECT 1 FROM zeke_jobs.meter AS m WHERE m.gate = u.name AND m.zone IS NOT NULL)
ORDER BY u.name
