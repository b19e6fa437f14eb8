-- Wait until all earlier commits are on disk: a small write in a transaction of its own, which waits for the disk.
SELECT pg_logical_emit_message(true, 'zeke_jobs', 'flush') IS NOT NULL AS flushed
