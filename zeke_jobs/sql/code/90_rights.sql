-- A function that runs with the owner's rights does not use its caller's search path, and only our roles may call it (`zeke-jobs roles` gives the
-- rights).
DO $$
DECLARE
  v_function regprocedure;
BEGIN
  FOR v_function IN SELECT p.oid FROM pg_proc AS p WHERE p.pronamespace = 'zeke_jobs'::regnamespace AND p.prosecdef LOOP
    EXECUTE format('ALTER FUNCTION %s SET search_path TO pg_catalog, pg_temp', v_function);
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', v_function);
  END LOOP;
END
$$;
