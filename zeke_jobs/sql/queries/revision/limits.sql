-- Make the limits what jobs.yaml says.
SELECT zeke_jobs.write_limits(%(gates)s::jsonb)
