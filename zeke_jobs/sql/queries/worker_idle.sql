-- Ask to be rung for, or no longer.
UPDATE zeke_jobs.worker
SET idle = %(idle)s
WHERE id = %(worker)s::uuid AND idle <> %(idle)s
