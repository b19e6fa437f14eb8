-- What passed the limit of a task under a former name counts for the new one.
UPDATE zeke_jobs.rate_use AS u
SET gate = w.name
FROM jsonb_to_recordset(%(gates)s::jsonb) AS w (name text, former text[])
WHERE u.gate = ANY (w.former)
