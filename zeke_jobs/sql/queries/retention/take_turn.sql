-- Change a row if this process may purge now: a purge is due, and no other process purges. With "again", the process extends its turn before each batch of jobs.
UPDATE zeke_jobs.retention
SET due_on = zeke_jobs.now() + make_interval(secs => %(seconds)s::double precision)
WHERE due_on <= zeke_jobs.now() OR %(again)s
