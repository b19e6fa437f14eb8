-- Four roles to grant to login users, each with the least that its work needs. Safe to run again, and to be run again after an upgrade:
--   GRANT zeke_jobs_client TO api; GRANT zeke_jobs_worker TO workers;
-- Run by who owns the schema and may create roles. All or nothing.
BEGIN;

DO $$
DECLARE
  v_role text;
BEGIN
  FOREACH v_role IN ARRAY ARRAY['zeke_jobs_client', 'zeke_jobs_worker', 'zeke_jobs_operator', 'zeke_jobs_reader'] LOOP
    BEGIN
      IF to_regrole(v_role) IS NULL THEN
        EXECUTE format('CREATE ROLE %I NOLOGIN', v_role);
      END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL; -- somebody else just has
    END;
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA zeke_jobs FROM %I', v_role);
    EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA zeke_jobs FROM %I', v_role);
    EXECUTE format('GRANT USAGE ON SCHEMA zeke_jobs TO %I', v_role);
  END LOOP;
END
$$;

-- Who sends: sends and waits by functions, reads status in the views. Sensitive fields are masked there.
GRANT EXECUTE ON FUNCTION
  zeke_jobs.known_task(text), zeke_jobs.task_names(), zeke_jobs.await_end(uuid), zeke_jobs.output_of(uuid),
  zeke_jobs.send(text, jsonb, jsonb), zeke_jobs.enqueue(text, integer, jsonb, jsonb),
  zeke_jobs.enqueue_many(text, integer, jsonb, uuid[], text[], jsonb)
TO zeke_jobs_client, zeke_jobs_worker, zeke_jobs_operator;
GRANT SELECT ON zeke_jobs.job, zeke_jobs.finished TO zeke_jobs_client;

-- Workers and schedulers: all rows of jobs and of the catalogue. No change of the schema, of past revisions, of what people pause.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA zeke_jobs TO zeke_jobs_worker;
REVOKE INSERT, UPDATE, DELETE ON zeke_jobs.migration, zeke_jobs.pause FROM zeke_jobs_worker;
GRANT EXECUTE ON FUNCTION zeke_jobs.pauses_follow() TO zeke_jobs_worker, zeke_jobs_operator;
REVOKE UPDATE, DELETE ON zeke_jobs.revision, zeke_jobs.installation FROM zeke_jobs_worker;

-- Operators: see everything; cancel, retry, pause, apply, set, run schedules. No claims, no completions, no removal of jobs.
GRANT SELECT ON ALL TABLES IN SCHEMA zeke_jobs TO zeke_jobs_operator;
GRANT UPDATE (
  state, message, queue_name, priority, run_at, expires_on, key, attempt_base, deaths, mtime, worker, started_on, completed_on,
  cancelled_on, cancelled_by, cancel_reason, waiting_for, progress, result
) ON zeke_jobs.queue TO zeke_jobs_operator;
GRANT INSERT ON zeke_jobs.revision, zeke_jobs.installation TO zeke_jobs_operator;
GRANT INSERT, UPDATE ON zeke_jobs.tick TO zeke_jobs_operator;
GRANT UPDATE (gate) ON zeke_jobs.rate_use TO zeke_jobs_operator;
GRANT INSERT, UPDATE, DELETE ON zeke_jobs.task, zeke_jobs.gate, zeke_jobs.pause, zeke_jobs.schedule_state TO zeke_jobs_operator;

-- Dashboards: the views, and nothing else.
GRANT EXECUTE ON FUNCTION
  zeke_jobs.oldest_due(text, text), zeke_jobs.depth(text, text, integer), zeke_jobs.pace(text, integer)
TO zeke_jobs_reader, zeke_jobs_operator, zeke_jobs_worker;

DO $$
DECLARE
  v_one record;
BEGIN
  -- Views that later versions bring are here, too.
  FOR v_one IN
    SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'v' AND (n.nspname = 'zeke_jobs' OR c.oid IN (
      SELECT r.ev_class FROM pg_rewrite AS r JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
      JOIN pg_class AS ours ON ours.oid = d.refobjid AND ours.relnamespace = 'zeke_jobs'::regnamespace
      WHERE n.nspname IN ('pgboss', 'pgboss_compat')))
  LOOP
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO zeke_jobs_reader, zeke_jobs_operator', v_one.nspname);
    EXECUTE format('GRANT SELECT ON %I.%I TO zeke_jobs_reader, zeke_jobs_operator', v_one.nspname, v_one.relname);
  END LOOP;
  -- What handlers work on: the tables that the migrations of other packages made.
  FOR v_one IN
    SELECT split_part(o.object, ' ', 1) AS kind, substr(o.object, strpos(o.object, ' ') + 1) AS name
    FROM zeke_jobs.migration AS m CROSS JOIN LATERAL unnest(m.made) AS o (object)
    WHERE m.package <> 'zeke_jobs' AND split_part(o.object, ' ', 1) IN ('table', 'view', 'sequence')
      AND to_regclass(substr(o.object, strpos(o.object, ' ') + 1)) IS NOT NULL
  LOOP
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO zeke_jobs_worker', (
      SELECT n.nspname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = v_one.name::regclass));
    IF v_one.kind = 'sequence' THEN
      EXECUTE format('GRANT USAGE ON SEQUENCE %s TO zeke_jobs_worker', v_one.name);
    ELSE
      EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO zeke_jobs_worker', v_one.name);
    END IF;
  END LOOP;
END
$$;

COMMIT;
