-- Limit the wait of this transaction's statements for a lock to this number of milliseconds.
SELECT set_config('lock_timeout', %(milliseconds)s::text, true)
