-- Wait until all that was committed so far is on disk: a transaction of its own that writes a little and waits for it.
SELECT pg_logical_emit_message(true, 'zeke_jobs', 'flush') IS NOT NULL AS flushed
