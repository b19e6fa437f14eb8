-- Let this transaction's statements wait for a lock no longer than the given time.
SELECT set_config('lock_timeout', %(milliseconds)s::text, true)
