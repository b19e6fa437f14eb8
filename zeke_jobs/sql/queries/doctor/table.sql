-- Return how many dead rows the busy tables of zeke_jobs have, and whether autovacuum removes dead rows.
SELECT
  s.relname AS name, s.n_live_tup AS live, s.n_dead_tup AS dead,
  pg_total_relation_size(s.relid) AS bytes,
  greatest(s.last_autovacuum, s.last_vacuum) AS vacuumed_on,
  current_setting('autovacuum')::boolean AND current_setting('track_counts')::boolean AS server_vacuums,
  coalesce((
    SELECT o.option_value::boolean FROM pg_options_to_table(c.reloptions) AS o WHERE o.option_name = 'autovacuum_enabled'), true)
    AS table_vacuums
FROM pg_stat_user_tables AS s
JOIN pg_class AS c ON c.oid = s.relid
WHERE s.schemaname = 'zeke_jobs' AND s.relname IN ('queue', 'worker', 'bucket', 'bucket_key', 'bucket_change', 'unit_use')
ORDER BY s.relname
