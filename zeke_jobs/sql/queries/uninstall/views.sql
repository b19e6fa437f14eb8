-- Our views with pg-boss's names, and the schema that we made for them.
SELECT n.nspname AS schema, c.oid::regclass::text AS view
FROM pg_namespace AS n
JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relkind = 'v'
WHERE n.nspname IN ('pgboss', 'pgboss_compat')
  AND starts_with(obj_description(n.oid, 'pg_namespace'), 'Views of zeke_jobs ')
  AND EXISTS (
    SELECT 1
    FROM pg_rewrite AS r
    JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
    JOIN pg_class AS o ON d.refclassid = 'pg_class'::regclass AND o.oid = d.refobjid
    WHERE r.ev_class = c.oid AND o.relnamespace = 'zeke_jobs'::regnamespace)
ORDER BY n.nspname, c.relname
