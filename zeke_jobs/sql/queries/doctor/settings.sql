-- Return the settings of Postgres that may slow jobs, the value that each has in new sessions, and the statement that restores the usual value.
SELECT
  s.name, s.reset_val AS value,
  coalesce((
    SELECT concat_ws(' ', 'ALTER', CASE
      WHEN d.setrole = 0 THEN format('DATABASE %%I', current_database())
      WHEN d.setdatabase = 0 THEN format('ROLE %%I', session_user)
      ELSE format('ROLE %%I IN DATABASE %%I', session_user, current_database()) END, 'RESET', s.name)
    FROM pg_db_role_setting AS d
    WHERE d.setdatabase IN (0, (SELECT b.oid FROM pg_database AS b WHERE b.datname = current_database()))
      AND d.setrole IN (0, (SELECT r.oid FROM pg_roles AS r WHERE r.rolname = session_user))
      AND (d.setdatabase, d.setrole) <> (0, 0)
      AND EXISTS (SELECT 1 FROM unnest(d.setconfig) AS c (line) WHERE starts_with(c.line, s.name || '='))
    ORDER BY d.setrole <> 0 DESC, d.setdatabase <> 0 DESC LIMIT 1
  ), format('ALTER SYSTEM SET %%s = %%L', s.name, s.boot_val)) AS mend
FROM pg_settings AS s WHERE s.name IN ('jit', 'jit_above_cost', 'shared_buffers', 'synchronous_commit')
ORDER BY s.name
