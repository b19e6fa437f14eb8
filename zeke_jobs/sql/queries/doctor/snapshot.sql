-- Make the statements of an examination use indexes and end in time, whatever the server, the database or the role has set.
SELECT set_config(s.name, s.value, true)
FROM (VALUES
  ('enable_seqscan', 'off'), ('enable_bitmapscan', 'off'), ('enable_indexscan', 'on'), ('enable_nestloop', 'on'),
  ('jit', 'off'), ('max_parallel_workers_per_gather', '0'), ('statement_timeout', '15s')) AS s (name, value)
