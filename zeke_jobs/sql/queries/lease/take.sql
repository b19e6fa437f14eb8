-- Take a lease, or find its holder.
SELECT t.outcome, t.holder, t.task, t.since
FROM zeke_jobs.take_lease(%(name)s, %(limit)s, %(worker)s::uuid, %(job)s::uuid, %(claim)s) AS t
