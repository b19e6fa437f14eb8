-- Let this transaction's statements wait no longer than this for a lock.
SELECT set_config('lock_timeout', %(milliseconds)s::text, true)
