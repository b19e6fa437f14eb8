-- Wait until all earlier commits are on disk. A small write in a transaction of its own waits for the disk, and so for all commits before it.
SELECT pg_logical_emit_message(true, 'zeke_jobs', 'flush') IS NOT NULL AS flushed
