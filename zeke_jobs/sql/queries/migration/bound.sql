-- Let the statements of this transaction wait for a lock at most this number of milliseconds.
SELECT set_config('lock_timeout', %(milliseconds)s::text, true)
