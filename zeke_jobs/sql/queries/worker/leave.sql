-- Remove the row of a process that stops normally and holds no jobs.
DELETE FROM zeke_jobs.worker WHERE id = %(worker)s::uuid
