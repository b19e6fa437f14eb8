-- Prefer indexes, because with a wrong estimate the planner would scan large tables for a few rows.
SELECT
  set_config('enable_seqscan', 'off', true),
  set_config('enable_hashjoin', 'off', true),
  set_config('enable_mergejoin', 'off', true),
  set_config('jit', 'off', true)
