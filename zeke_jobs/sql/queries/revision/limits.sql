-- Make the limits equal to those of jobs.yaml.
SELECT zeke_jobs.write_limits(%(buckets)s::jsonb)
