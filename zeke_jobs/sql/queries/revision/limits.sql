-- Make the stored limits equal to the limits of jobs.yaml.
SELECT zeke_jobs.write_limits(%(buckets)s::jsonb)
