-- Record the units, such as tokens, that a job used.
SELECT zeke_jobs.report(%(id)s::uuid, %(claim)s::bigint, %(units)s::jsonb)
