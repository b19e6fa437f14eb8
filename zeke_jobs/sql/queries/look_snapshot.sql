-- Begin to look: one snapshot for all statements that follow, by indexes where there are some, and never for long.
SELECT
  set_config('enable_seqscan', 'off', true),
  set_config('enable_bitmapscan', 'off', true),
  set_config('statement_timeout', '15s', true)
