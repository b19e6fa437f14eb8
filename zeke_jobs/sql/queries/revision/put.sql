-- Apply the text of a jobs.yaml and its overrides, and change limits, tasks and jobs accordingly.
SELECT zeke_jobs.put_in_force(
  %(revision)s::jsonb, %(buckets)s::jsonb, %(tasks)s::jsonb, %(cancel)s::text[], %(priorities)s::jsonb) AS number
