-- Let each statement of this transaction wait for a lock for at most this number of milliseconds.
SELECT set_config('lock_timeout', %(milliseconds)s::text, true)
