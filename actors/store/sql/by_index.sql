-- A few rows are wanted of large tables: by a plan that guesses wrongly they would be read through.
SELECT
  set_config('enable_seqscan', 'off', true),
  set_config('enable_hashjoin', 'off', true),
  set_config('enable_mergejoin', 'off', true),
  set_config('jit', 'off', true)
