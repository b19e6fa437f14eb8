-- Return the number of the revision in force, as each heartbeat does. A process asks once a minute, or once a second without notifications.
SELECT coalesce(max(number), 0) AS number FROM zeke_jobs.revision
