-- Return the views, functions and types that zeke_jobs made under pg-boss's names, each with its schema.
SELECT n.nspname AS schema, o.kind, o.name
FROM pg_namespace AS n
CROSS JOIN LATERAL (
  SELECT 'view' AS kind, c.oid::regclass::text AS name
  FROM pg_class AS c WHERE c.relnamespace = n.oid AND c.relkind = 'v' AND EXISTS (
    SELECT 1
    FROM pg_rewrite AS r
    JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
    JOIN pg_class AS o ON d.refclassid = 'pg_class'::regclass AND o.oid = d.refobjid
    WHERE r.ev_class = c.oid AND o.relnamespace = 'zeke_jobs'::regnamespace)
  UNION ALL
  SELECT 'function', p.oid::regprocedure::text FROM pg_proc AS p WHERE p.pronamespace = n.oid AND p.proname IN ('job_now', 'create_queue')
  UNION ALL
  SELECT 'type', t.oid::regtype::text FROM pg_type AS t WHERE t.typnamespace = n.oid AND t.typname = 'job_state'
) AS o
WHERE n.nspname IN ('pgboss', 'pgboss_compat') AND starts_with(obj_description(n.oid, 'pg_namespace'), 'Views of zeke_jobs ')
ORDER BY n.nspname, o.name
