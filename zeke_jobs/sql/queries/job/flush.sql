-- Wait until all earlier commits are on disk. The commit of this small write waits for the disk, and so for all earlier commits.
SELECT pg_logical_emit_message(true, 'zeke_jobs', 'flush') IS NOT NULL AS flushed
