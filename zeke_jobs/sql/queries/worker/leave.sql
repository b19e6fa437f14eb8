-- The process ends in good order and holds nothing.
DELETE FROM zeke_jobs.worker
WHERE id = %(worker)s::uuid
