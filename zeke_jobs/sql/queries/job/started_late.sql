-- If a job's handler starts late, delay the next jobs under the same rate limits. Return false if the handler is so late that it must not start.
SELECT zeke_jobs.started_late(%(job)s::uuid, %(margin)s::double precision)
