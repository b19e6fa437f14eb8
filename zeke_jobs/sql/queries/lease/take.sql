-- Take a lease, or return the job that holds it.
SELECT t.outcome, t.holder, t.task, t.since
FROM zeke_jobs.take_lease(%(name)s, %(limit)s, %(worker)s::uuid, %(job)s::uuid, %(claim)s) AS t
