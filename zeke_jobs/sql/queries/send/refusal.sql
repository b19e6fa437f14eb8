-- The error for a send with these options, as JSON; NULL if the options are accepted.
SELECT CAST(zeke_jobs.refuse_sender(CAST(%(task)s AS text), CAST(%(options)s AS jsonb)) AS text) AS refusal
