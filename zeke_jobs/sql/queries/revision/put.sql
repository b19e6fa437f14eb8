-- Put a text and its overrides in force, with all effects.
SELECT zeke_jobs.put_in_force(
  %(revision)s::jsonb, %(buckets)s::jsonb, %(tasks)s::jsonb, %(cancel)s::text[], %(priorities)s::jsonb) AS number
