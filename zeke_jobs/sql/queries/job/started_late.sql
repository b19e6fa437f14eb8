-- Record that a handler starts too late for its rates, and delay their next starts; false if it is so late that it must not start.
SELECT zeke_jobs.started_late(%(job)s::uuid, %(margin)s::double precision)
