-- Tell the rates of a job that its handler starts late: within so many seconds from now. Returns whether it still may.
SELECT zeke_jobs.started_late(%(job)s::uuid, %(margin)s::double precision)
