-- The fence of a handler's transaction: still ours, and not cancelled?
SELECT zeke_jobs.hold(%(worker)s::uuid, %(id)s::uuid, %(claim)s::bigint) AS ours
