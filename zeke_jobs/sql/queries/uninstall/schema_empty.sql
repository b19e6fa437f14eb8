-- Whether a schema is empty.
SELECT NOT EXISTS (
  SELECT 1 FROM pg_class AS c WHERE c.relnamespace = to_regnamespace(%(schema)s)
  UNION ALL
  SELECT 1 FROM pg_proc AS p WHERE p.pronamespace = to_regnamespace(%(schema)s)
  UNION ALL
  SELECT 1 FROM pg_type AS t WHERE t.typnamespace = to_regnamespace(%(schema)s)
) AS empty
