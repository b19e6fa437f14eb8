-- Tasks that left jobs.yaml. Their queued jobs stay and wait for a task of that name.
DELETE FROM zeke_jobs.task
WHERE id <> ALL (%(tasks)s::text[])
