-- Put a text, and what is set beside it, in force, with all that follows from it.
SELECT zeke_jobs.put_in_force(
  %(revision)s::jsonb, %(gates)s::jsonb, %(tasks)s::jsonb, %(cancel)s::text[], %(priorities)s::jsonb) AS number
