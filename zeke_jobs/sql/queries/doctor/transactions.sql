-- Return the transactions that have been open for a long time. Vacuum cannot remove dead rows that they may still see, and dead rows make claims slow.
SELECT
  a.pid, a.application_name AS program, a.usename AS role, a.state,
  extract(epoch FROM clock_timestamp() - a.xact_start)::double precision AS seconds
FROM pg_stat_activity AS a WHERE a.datname = current_database()
  AND a.backend_type = 'client backend'
  AND a.pid <> pg_backend_pid()
  AND a.xact_start < clock_timestamp() - make_interval(secs => %(seconds)s::double precision)
ORDER BY a.xact_start
