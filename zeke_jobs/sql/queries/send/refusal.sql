-- Why a send with these options would be refused; NULL if it would not.
SELECT CAST(zeke_jobs.refuse_sender(CAST(%(task)s AS text), CAST(%(options)s AS jsonb)) AS text) AS refusal
