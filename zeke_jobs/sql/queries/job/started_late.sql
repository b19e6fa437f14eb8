-- Delay the next starts that a job's rates allow, because its handler starts late. Return false if the handler is so late that it must not start.
SELECT zeke_jobs.started_late(%(job)s::uuid, %(margin)s::double precision)
