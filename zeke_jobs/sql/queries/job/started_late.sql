-- Tell the rates of a job that its handler starts late: within so many seconds from now. told: what an earlier call returned.
SELECT zeke_jobs.started_late(%(job)s::uuid, %(margin)s::double precision, %(told)s::double precision)
