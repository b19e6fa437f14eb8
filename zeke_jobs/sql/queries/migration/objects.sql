-- Return the objects outside the schema zeke_jobs: tables, views, indexes, sequences and functions that are not part of an extension.
SELECT i.type || ' ' || i.identity AS object
FROM (
  SELECT 'pg_class'::regclass AS kind, c.oid
  FROM pg_class AS c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'i', 'I')
    AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'pg_toast'::regnamespace)
    AND c.relnamespace IS DISTINCT FROM to_regnamespace('zeke_jobs')
  UNION ALL
  SELECT 'pg_proc'::regclass, p.oid
  FROM pg_proc AS p WHERE p.pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
    AND p.pronamespace IS DISTINCT FROM to_regnamespace('zeke_jobs')
) AS o
CROSS JOIN LATERAL pg_identify_object(o.kind, o.oid, 0) AS i
WHERE NOT EXISTS (
  SELECT 1 FROM pg_depend AS d WHERE d.classid = o.kind AND d.objid = o.oid AND d.deptype = 'e')
