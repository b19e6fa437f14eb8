-- Objects outside our schema that depend on an object in it: views, defaults, constraints, triggers, indexes, functions.
WITH ours AS (
  SELECT 'pg_class'::regclass AS kind, c.oid FROM pg_class AS c WHERE c.relnamespace = 'zeke_jobs'::regnamespace
  UNION ALL
  SELECT 'pg_proc'::regclass, p.oid FROM pg_proc AS p WHERE p.pronamespace = 'zeke_jobs'::regnamespace
  UNION ALL
  SELECT 'pg_type'::regclass, t.oid FROM pg_type AS t WHERE t.typnamespace = 'zeke_jobs'::regnamespace
),
dependents AS (
  SELECT DISTINCT d.classid, d.objid, d.objsubid
  FROM pg_depend AS d
  JOIN ours AS o ON d.refclassid = o.kind AND d.refobjid = o.oid
  WHERE d.deptype IN ('n', 'a')
),
placed AS (
  SELECT d.classid, d.objid, d.objsubid, coalesce(
    (SELECT r.ev_class FROM pg_rewrite AS r WHERE d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid),
    (SELECT a.adrelid FROM pg_attrdef AS a WHERE d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid),
    (SELECT k.conrelid FROM pg_constraint AS k WHERE d.classid = 'pg_constraint'::regclass AND k.oid = d.objid),
    (SELECT t.tgrelid FROM pg_trigger AS t WHERE d.classid = 'pg_trigger'::regclass AND t.oid = d.objid),
    CASE WHEN d.classid = 'pg_class'::regclass THEN d.objid END) AS relation
  FROM dependents AS d
)
SELECT
  i.type = 'default value' AS is_default,
  CASE WHEN i.type = 'rule' THEN 'view ' || p.relation::regclass::text ELSE i.type || ' ' || i.identity END AS object
FROM placed AS p
CROSS JOIN LATERAL pg_identify_object(p.classid, p.objid, p.objsubid) AS i
WHERE EXISTS (
    SELECT 1 FROM pg_class AS c WHERE c.oid = p.relation AND c.relnamespace <> 'zeke_jobs'::regnamespace)
  OR p.classid = 'pg_proc'::regclass AND EXISTS (
    SELECT 1 FROM pg_proc AS f WHERE f.oid = p.objid AND f.pronamespace <> 'zeke_jobs'::regnamespace)
ORDER BY object
