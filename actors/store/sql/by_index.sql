-- Prefer indexes: a wrong estimate of the planner would scan large tables for a few rows.
SELECT
  set_config('enable_seqscan', 'off', true),
  set_config('enable_hashjoin', 'off', true),
  set_config('enable_mergejoin', 'off', true),
  set_config('jit', 'off', true)
