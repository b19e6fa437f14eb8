-- Bring the limits into line with jobs.yaml.
SELECT zeke_jobs.write_limits(%(buckets)s::jsonb)
