-- Return a row if this process may purge now, because a purge is due and no other process purges. The process asks again before each batch of jobs.
UPDATE zeke_jobs.retention
SET due_on = zeke_jobs.now() + make_interval(secs => %(seconds)s::double precision)
WHERE due_on <= zeke_jobs.now() OR %(again)s
