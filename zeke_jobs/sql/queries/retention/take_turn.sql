-- Return a row if this process is to purge now: the time has come, and no other process purges. The process asks again before each batch.
UPDATE zeke_jobs.retention
SET due_on = zeke_jobs.now() + make_interval(secs => %(seconds)s::double precision)
WHERE due_on <= zeke_jobs.now() OR %(again)s
