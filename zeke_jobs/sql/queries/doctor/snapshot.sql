-- Let the statements of an examination use indexes and end in time, whatever a server, database or role has set, also behind a pooler.
SELECT
  set_config('enable_seqscan', 'off', true),
  set_config('enable_bitmapscan', 'off', true),
  set_config('enable_indexscan', 'on', true),
  set_config('enable_nestloop', 'on', true),
  set_config('jit', 'off', true),
  set_config('max_parallel_workers_per_gather', '0', true),
  set_config('statement_timeout', '15s', true)
