-- Record what a job used of units.
SELECT zeke_jobs.report(%(id)s::uuid, %(claim)s::bigint, %(units)s::jsonb)
