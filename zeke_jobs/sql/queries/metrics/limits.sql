-- For the metrics, return each limit's number of active jobs, its rate, and whether throttling or an open breaker lets no job (or only a probe) start.
SELECT
  l.name AS "limit", l.closed_by AS by, l.active AS limit_active, l.concurrency AS limit_concurrency,
  l.rate_count AS limit_rate,
  CASE WHEN l.rate_count IS NOT NULL THEN greatest(0, extract(epoch FROM l.next_on - zeke_jobs.now())) END AS limit_rate_wait_seconds,
  CASE WHEN l.closed_by IS NOT NULL THEN 1 END AS limit_closed
FROM zeke_jobs.limit_use AS l
ORDER BY l.name
