-- Let this transaction's statements wait half a second for a lock.
SELECT set_config('lock_timeout', '500ms', true)
