-- Limit how long this transaction's statements run and wait for locks, so that no statement delays the scheduler for long.
SELECT
  set_config('statement_timeout', '10s', true),
  set_config('lock_timeout', %(lock_wait)s::text, true),
  set_config('idle_in_transaction_session_timeout', '15s', true)
