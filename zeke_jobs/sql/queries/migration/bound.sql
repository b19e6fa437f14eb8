-- Let the statements of this transaction wait for a lock at most for the given time.
SELECT set_config('lock_timeout', %(milliseconds)s::text, true)
