-- Return the error for a send with these options, as JSON, or NULL if the options are accepted.
SELECT CAST(zeke_jobs.refuse_sender(CAST(%(task)s AS text), CAST(%(options)s AS jsonb)) AS text) AS refusal
