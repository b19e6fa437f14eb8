-- Remove the limits that jobs.yaml lacks.
DELETE FROM zeke_jobs.gate AS g
WHERE g.name <> ALL (%(names)s::text[])
