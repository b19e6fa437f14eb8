-- Delay the next starts of a job's rates, because its handler starts late. Return false if the handler is so late that it must not start.
SELECT zeke_jobs.started_late(%(job)s::uuid, %(margin)s::double precision)
