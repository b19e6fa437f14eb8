-- Return the session with the oldest transaction that locks any table. If a table or one of its indexes is given, only sessions that write to this table count.
SELECT a.pid, a.usename AS login, a.application_name AS program, extract(epoch FROM clock_timestamp() - a.xact_start) AS seconds
FROM pg_locks AS l
JOIN pg_class AS c ON c.oid = l.relation
JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.granted
  AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
  AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'pg_toast'::regnamespace)
  AND a.pid <> pg_backend_pid()
  AND (%(relation)s::text IS NULL OR l.mode <> 'AccessShareLock' AND (c.relname = %(relation)s OR c.oid IN (
    SELECT i.indrelid FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid WHERE x.relname = %(relation)s)))
ORDER BY a.xact_start LIMIT 1
