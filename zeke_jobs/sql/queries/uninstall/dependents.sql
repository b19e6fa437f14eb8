-- Return the objects in other schemas that depend on the schema zeke_jobs: views, defaults, constraints, triggers, indexes and functions.
WITH ours AS (
  SELECT 'pg_class'::regclass AS kind, c.oid FROM pg_class AS c WHERE c.relnamespace = 'zeke_jobs'::regnamespace
  UNION ALL
  SELECT 'pg_proc'::regclass, p.oid FROM pg_proc AS p WHERE p.pronamespace = 'zeke_jobs'::regnamespace
  UNION ALL
  SELECT 'pg_type'::regclass, t.oid FROM pg_type AS t WHERE t.typnamespace = 'zeke_jobs'::regnamespace
)
SELECT DISTINCT
  i.type = 'default value' AS is_default,
  CASE WHEN i.type = 'rule' THEN 'view ' || format('%%I.%%I', a.object_names[1], a.object_names[2])::regclass ELSE i.type || ' ' || i.identity END AS object
FROM ours AS o
JOIN pg_depend AS d ON d.refclassid = o.kind AND d.refobjid = o.oid AND d.deptype IN ('n', 'a')
CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) AS i
CROSS JOIN LATERAL pg_identify_object_as_address(d.classid, d.objid, d.objsubid) AS a
WHERE a.object_names[1] <> 'zeke_jobs'
  AND d.classid IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_rewrite'::regclass, 'pg_attrdef'::regclass, 'pg_constraint'::regclass, 'pg_trigger'::regclass)
ORDER BY object
