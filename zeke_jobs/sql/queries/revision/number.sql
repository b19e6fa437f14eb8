-- Return the number of the revision of jobs.yaml in force. A process reads it once a minute, or once a second if it gets no notifications.
SELECT coalesce(max(number), 0) AS number FROM zeke_jobs.revision
