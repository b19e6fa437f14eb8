-- This script makes four roles. Each role has only the rights that its work needs. Run the script again after each upgrade. Grant the roles to logins:
--   GRANT zeke_jobs_client TO api; GRANT zeke_jobs_worker TO workers;
-- Run the script with a login that owns the schema zeke_jobs and may create roles. The script is one transaction. With -v ON_ERROR_STOP=1, psql exits with
-- a status other than 0 if the script fails.
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
      NULL; -- another session has just created the role
    END;
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA zeke_jobs FROM %I', v_role);
    EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA zeke_jobs FROM %I', v_role);
    EXECUTE format('GRANT USAGE ON SCHEMA zeke_jobs TO %I', v_role);
  END LOOP;
END
$$;

-- Senders call functions to send jobs and to wait for jobs, and read the status of jobs in views that mask sensitive fields.
GRANT EXECUTE ON FUNCTION
  zeke_jobs.known_task(text), zeke_jobs.refuse_sender(text, jsonb), zeke_jobs.task_names(), zeke_jobs.output_of(uuid),
  zeke_jobs.send(text, jsonb, jsonb), zeke_jobs.enqueue(text, text, text, text, text),
  zeke_jobs.enqueue_many(text, integer, jsonb, uuid[], text[], jsonb),
  zeke_jobs.open_batch(text, text, jsonb, text), zeke_jobs.try_open_batch(text, text, jsonb, text), zeke_jobs.close_batch(text), zeke_jobs.emit(text, jsonb),
  zeke_jobs.put_schedule(text, text, text, text, jsonb, text, jsonb, text), zeke_jobs.delete_schedule(text, text)
TO zeke_jobs_client, zeke_jobs_worker, zeke_jobs_operator;
GRANT SELECT ON zeke_jobs.job, zeke_jobs.finished, zeke_jobs.batch_state, zeke_jobs.job_step, zeke_jobs.schedule, zeke_jobs.installation TO zeke_jobs_client;

-- Workers and schedulers may write to all tables except migration, installation, revision, pause and audit.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA zeke_jobs TO zeke_jobs_worker;
REVOKE INSERT, UPDATE, DELETE ON zeke_jobs.migration, zeke_jobs.installation, zeke_jobs.revision, zeke_jobs.pause, zeke_jobs.audit
FROM zeke_jobs_worker;
GRANT EXECUTE ON FUNCTION zeke_jobs.forget_audit(), zeke_jobs.cancel_removed() TO zeke_jobs_worker;

-- Operators may read all tables. They may change jobs, pauses, schedules and jobs.yaml only through functions that record the operator's login.
GRANT SELECT ON ALL TABLES IN SCHEMA zeke_jobs TO zeke_jobs_operator;
GRANT EXECUTE ON FUNCTION
  zeke_jobs.cancel_batch(text, text, text), zeke_jobs.retry_batch(text, text),
  zeke_jobs.count_changes(text, jsonb, jsonb, integer), zeke_jobs.change_jobs(text, jsonb, jsonb, text, text, uuid, integer),
  zeke_jobs.import_jobs(text, jsonb, text),
  zeke_jobs.pause(text, text, text), zeke_jobs.resume(text, text), zeke_jobs.note_sent(text, text, text, text, uuid[])
TO zeke_jobs_operator;
-- Workers need these functions, too: a worker applies a new jobs.yaml when it starts, and a scheduler (which has the same role) records each tick's outcome.
GRANT EXECUTE ON FUNCTION
  zeke_jobs.lock_catalogue(), zeke_jobs.put_in_force(jsonb, jsonb, jsonb, text[], jsonb),
  zeke_jobs.lock_schedule(text, text, text, timestamptz),
  zeke_jobs.advance_schedule(text, text, text, timestamptz, timestamptz),
  zeke_jobs.record_tick(text, timestamptz, text, text, text, uuid)
TO zeke_jobs_operator, zeke_jobs_worker;

-- Readers may read the views, and those tables and columns that hold no payload, output or key of a job and no text of jobs.yaml.
GRANT SELECT (message_id, queue_name, state, mtime, task, seq, priority, run_at, expires_on, order_hold, worker, attempt, attempt_base, deaths,
  created_on, claimed_on, started_on, completed_on, cancelled_on, parent, scheduled_for, revision) ON zeke_jobs.queue TO zeke_jobs_reader;
GRANT SELECT (id, aliases, queue, description, definition, payload_schema, priority, per_key, order_hold, share, age, limits, metered, units,
  retry_limit, max_queued, unique_fields, unique_while, unique_period, sensitive, on_time, paused, chunk, revision)
ON zeke_jobs.task TO zeke_jobs_reader;
GRANT SELECT (number, digest, applied_on, applied_by, message, origin) ON zeke_jobs.revision TO zeke_jobs_reader;
GRANT SELECT (job, until, came_on) ON zeke_jobs.wait TO zeke_jobs_reader;
GRANT SELECT (id, ended_on, cancelled_on) ON zeke_jobs.batch TO zeke_jobs_reader;
GRANT SELECT (name, unit, tasks, chunked, concurrency, amount, period, zone, spent, averages) ON zeke_jobs.bucket TO zeke_jobs_reader;
GRANT SELECT ON
  zeke_jobs.installation, zeke_jobs.migration, zeke_jobs.pause, zeke_jobs.schedule_beat, zeke_jobs.schedule_state, zeke_jobs.tick,
  zeke_jobs.worker
TO zeke_jobs_reader;
GRANT EXECUTE ON FUNCTION zeke_jobs.known_task(text), zeke_jobs.task_names() TO zeke_jobs_reader;
GRANT EXECUTE ON FUNCTION
  zeke_jobs.oldest_due(text, text), zeke_jobs.depth(text, text, integer), zeke_jobs.pace(text, integer), zeke_jobs.room_of(text[]),
  zeke_jobs.due_jobs(text, text), zeke_jobs.turns_before(uuid, integer)
TO zeke_jobs_reader, zeke_jobs_operator, zeke_jobs_worker;

DO $$
DECLARE
  v_one record;
BEGIN
  -- This loop grants the right to read all views, including views that later versions add, except the two views that do not mask sensitive fields.
  FOR v_one IN
    SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'v' AND c.oid NOT IN ('zeke_jobs.planned'::regclass, 'zeke_jobs.unmasked'::regclass) AND (n.nspname = 'zeke_jobs' OR c.oid IN (
      SELECT r.ev_class FROM pg_rewrite AS r JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
      JOIN pg_class AS ours ON ours.oid = d.refobjid AND ours.relnamespace = 'zeke_jobs'::regnamespace
      WHERE n.nspname IN ('pgboss', 'pgboss_compat')))
  LOOP
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO zeke_jobs_reader, zeke_jobs_operator', v_one.nspname);
    EXECUTE format('GRANT SELECT ON %I.%I TO zeke_jobs_reader, zeke_jobs_operator', v_one.nspname, v_one.relname);
    -- With these rights, senders can send jobs with pg-boss's client, and operators can cancel, retry and delete jobs in pg-boss's dashboard.
    IF v_one.nspname <> 'zeke_jobs' AND v_one.relname IN ('job', 'queue', 'version') THEN
      EXECUTE format('GRANT USAGE ON SCHEMA %I TO zeke_jobs_client', v_one.nspname);
      EXECUTE format('GRANT SELECT ON %I.%I TO zeke_jobs_client', v_one.nspname, v_one.relname);
    END IF;
    IF v_one.nspname <> 'zeke_jobs' AND v_one.relname = 'job' THEN
      EXECUTE format('GRANT INSERT ON %I.job TO zeke_jobs_client, zeke_jobs_operator', v_one.nspname);
      EXECUTE format('GRANT UPDATE, DELETE ON %I.job TO zeke_jobs_operator', v_one.nspname);
      EXECUTE format('GRANT DELETE ON %I.schedule TO zeke_jobs_operator', v_one.nspname);
    END IF;
  END LOOP;
  -- Handlers need rights on the tables, views and sequences that the migrations of other packages made.
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
  PERFORM zeke_jobs.note('roles', 'database/' || current_database(), NULL, NULL);
END
$$;

COMMIT;
