-- Update the row if a purge is due: then only this process may purge until the new due_on. If "again" is true, this process is purging and extends that time.
UPDATE zeke_jobs.retention
SET due_on = zeke_jobs.now() + make_interval(secs => %(seconds)s::double precision)
WHERE due_on <= zeke_jobs.now() OR %(again)s
