-- Whether it is time to purge and nobody else does it; whoever purges says so again with each batch.
UPDATE zeke_jobs.retention
SET due_on = zeke_jobs.now() + make_interval(secs => %(seconds)s::double precision)
WHERE due_on <= zeke_jobs.now() OR %(again)s
