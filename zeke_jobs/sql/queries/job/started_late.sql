-- A handler is about to start later after its claim than its rates allow for: within the given seconds from now. Delays the next starts by these
-- rates. Returns false if it is so late that it must not start.
SELECT zeke_jobs.started_late(%(job)s::uuid, %(margin)s::double precision)
