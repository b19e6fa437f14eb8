-- Return how many connections the server allows, how many of them other programs use, and how many processes, threads and event loops zeke_jobs has.
SELECT
  current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
    - coalesce(current_setting('reserved_connections', true)::integer, 0) AS available,
  (SELECT count(*) FROM pg_stat_activity AS a
   WHERE a.backend_type = 'client backend' AND a.application_name !~ %(ours)s) AS others,
  count(*) FILTER (WHERE w.kind = 'worker') AS workers,
  count(*) FILTER (WHERE w.kind = 'scheduler') AS schedulers,
  coalesce(sum(w.threads) FILTER (WHERE w.kind = 'worker'), 0) AS threads,
  count(*) FILTER (WHERE w.async_tasks <> '{}') AS loops
FROM zeke_jobs.worker AS w
