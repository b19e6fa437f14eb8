-- The number of the revision in force. A process reads it once a minute, or once a second if no notifications arrive; each heartbeat returns it, too.
SELECT coalesce(max(number), 0) AS number FROM zeke_jobs.revision
