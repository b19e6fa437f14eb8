-- Within this transaction no statement and no lock may hold up the scheduler for long.
SELECT
  set_config('statement_timeout', '10s', true),
  set_config('lock_timeout', '5s', true),
  set_config('idle_in_transaction_session_timeout', '15s', true)
