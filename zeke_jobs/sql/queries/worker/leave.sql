-- Remove the row of a process that ends in an orderly way and holds no jobs.
DELETE FROM zeke_jobs.worker WHERE id = %(worker)s::uuid
