-- Exported figures of limits, of single tasks and shared.
SELECT l.name, l.active, l.concurrency, l.rate_count,
  CASE WHEN l.rate_count IS NOT NULL THEN greatest(0, extract(epoch FROM l.next_on - zeke_jobs.now())) END AS rate_wait,
  l.closed_by, l.units
FROM zeke_jobs.limit_use AS l
ORDER BY l.name
