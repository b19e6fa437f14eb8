-- Bring the limits into line with jobs.yaml.
SELECT zeke_jobs.write_limits(%(gates)s::jsonb)
