-- Record that a handler starts so late after its claim that its rates do not allow for it, and delay the next starts by these rates. Returns false
-- if it is so late that it must not start.
SELECT zeke_jobs.started_late(%(job)s::uuid, %(margin)s::double precision)
