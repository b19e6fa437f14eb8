-- A SECURITY DEFINER function gets a fixed search path, and only roles of zeke_jobs may call it. A function that must use indexes (enable_seqscan = off)
-- also gets the settings below, except settings of its own. For example, JIT is off, because with JIT a call takes a hundred times as long.
DO $$
DECLARE
  v_one record;
BEGIN
  FOR v_one IN SELECT p.oid::regprocedure AS function FROM pg_proc AS p WHERE p.pronamespace = 'zeke_jobs'::regnamespace AND p.prosecdef LOOP
    EXECUTE format('ALTER FUNCTION %s SET search_path TO pg_catalog, pg_temp', v_one.function);
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', v_one.function);
  END LOOP;
  FOR v_one IN
    SELECT p.oid::regprocedure AS function, s.name, s.value
    FROM pg_proc AS p CROSS JOIN (VALUES
      ('enable_bitmapscan', 'off'), ('enable_indexscan', 'on'), ('enable_nestloop', 'on'), ('jit', 'off'), ('max_parallel_workers_per_gather', '0'),
      ('plan_cache_mode', 'force_generic_plan')) AS s (name, value)
    WHERE p.pronamespace = 'zeke_jobs'::regnamespace AND 'enable_seqscan=off' = ANY (p.proconfig)
      AND NOT EXISTS (SELECT 1 FROM unnest(p.proconfig) AS c (line) WHERE starts_with(c.line, s.name || '='))
  LOOP
    EXECUTE format('ALTER FUNCTION %s SET %I = %L', v_one.function, v_one.name, v_one.value);
  END LOOP;
END $$;
