-- Make the statements of this transaction use indexes and end within 15 s, whatever settings the server, the database or the role has.
SELECT set_config(s.name, s.value, true)
FROM (VALUES
  ('enable_seqscan', 'off'), ('enable_bitmapscan', 'off'), ('enable_indexscan', 'on'), ('enable_nestloop', 'on'),
  ('jit', 'off'), ('max_parallel_workers_per_gather', '0'), ('statement_timeout', '15s')) AS s (name, value)
