-- Return whether a schema is empty.
SELECT NOT EXISTS (
  SELECT 1 FROM pg_depend AS d WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = to_regnamespace(%(schema)s)) AS empty
