-- The queries, the dashboard and the client of pg-boss can use these views, which have the names of pg-boss's tables. Triggers turn writes to the
-- views into changes of zeke_jobs's tables. If a real pg-boss owns the schema pgboss, the views are in the schema pgboss_compat.

DO $$
DECLARE
  v_schema text := 'pgboss';
  v_mark text := 'Views of zeke_jobs in the words of pg-boss; no pg-boss is here.';
BEGIN
  IF obj_description(to_regnamespace('pgboss')::oid, 'pg_namespace') IS DISTINCT FROM v_mark AND (
    EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = to_regnamespace('pgboss'))
    OR EXISTS (SELECT 1 FROM pg_proc WHERE pronamespace = to_regnamespace('pgboss'))) THEN
    v_schema := 'pgboss_compat';
  END IF;
  IF to_regnamespace(v_schema) IS NULL THEN EXECUTE format('CREATE SCHEMA %I', v_schema); END IF;
  EXECUTE format('COMMENT ON SCHEMA %I IS %L', v_schema, v_mark);
  -- The rest of this file creates its views in the schema v_schema.
  PERFORM set_config('search_path', quote_ident(v_schema), true);
  IF to_regtype('job_state') IS NULL THEN
    CREATE TYPE job_state AS ENUM ('created', 'retry', 'active', 'completed', 'expired', 'cancelled', 'failed');
  END IF;
END $$;

-- Return the time at which the transaction began. A statement of pg-boss calls job_now several times, and needs equal results.
CREATE OR REPLACE FUNCTION job_now() RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN pg_catalog.now();

-- Check that a task exists. A program that uses pg-boss creates each queue before using it. Here, each queue is a task, which only jobs.yaml can create.
CREATE OR REPLACE FUNCTION create_queue(queue_name text, options jsonb) RETURNS void
LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM zeke_jobs.known_task(queue_name)) THEN
    RAISE EXCEPTION 'expected the name of a task, got %', quote_literal(queue_name)
      USING ERRCODE = 'undefined_object', HINT = 'Tasks are made in jobs.yaml.';
  END IF;
END $$;

CREATE OR REPLACE VIEW zeke_jobs.pgboss_task AS
SELECT t.id, t.payload_schema, t.revision, t.retry_limit, t.definition -> 'keep' AS keep,
  zeke_jobs.seconds_of(t.definition #>> '{retry,delay}') AS retry_delay,
  zeke_jobs.seconds_of(t.definition #>> '{retry,max_delay}') AS retry_delay_max,
  coalesce(t.definition #> '{retry,factor}' > '1', false) AS retry_backoff,
  zeke_jobs.seconds_of(t.definition ->> 'timeout') AS expire_seconds, zeke_jobs.length_of(t.definition ->> 'timeout') AS expire_in,
  zeke_jobs.seconds_of(t.definition #>> '{keep,completed}') AS deletion_seconds
FROM zeke_jobs.task AS t;
COMMENT ON VIEW zeke_jobs.pgboss_task IS 'The options of each task in jobs.yaml, in the words of pg-boss.';

CREATE OR REPLACE VIEW job AS
SELECT
  b.id, b.name, b.priority, b.data, b.state, b.retry_limit, b.retry_count, b.retry_delay, b.retry_backoff, b.start_after, b.started_on, b.singleton_key,
  NULL::timestamptz AS singleton_on, b.expire_in, b.created_on, b.completed_on, b.keep_until, b.output, NULL::text AS dead_letter,
  'standard'::text AS policy, b.retry_delay_max, b.expire_seconds, b.deletion_seconds,
  NULL::text AS group_id, NULL::text AS group_tier, NULL::timestamptz AS heartbeat_on, NULL::integer AS heartbeat_seconds, false AS blocked,
  false AS blocking, 0 AS pending_dependencies, NULL::text AS source_name, NULL::uuid AS source_id, NULL::timestamptz AS source_created_on,
  NULL::integer AS source_retry_count,
  b.retry_limit AS retrylimit, b.retry_count AS retrycount, b.retry_delay AS retrydelay, b.retry_backoff AS retrybackoff, b.start_after AS startafter,
  b.started_on AS startedon, b.singleton_key AS singletonkey, NULL::timestamptz AS singletonon, b.expire_in AS expirein, b.created_on AS createdon,
  b.completed_on AS completedon, b.keep_until AS keepuntil,
  false AS on_complete, NULL::jsonb AS trace_context, NULL::boolean AS upsert_by_key, NULL::jsonb AS source_output, NULL::uuid AS source_root_id
FROM (
  SELECT
    j.id, j.name, j.priority, zeke_jobs.rename_keys(j.data, t.payload_schema, t.payload_schema, true) AS data, j.state::text::job_state AS state,
    j.retry_limit, j.retry_count, t.retry_delay, coalesce(t.retry_backoff, false) AS retry_backoff, j.start_after, j.started_on,
    CASE WHEN starts_with(j.unique_key, j.name || ' =') THEN substr(j.unique_key, length(j.name) + 3) ELSE j.unique_key END AS singleton_key,
    t.expire_in, j.created_on, j.completed_on, j.completed_on + zeke_jobs.length_of(t.keep ->> j.state::text) AS keep_until,
    CASE WHEN j.state IN ('failed', 'cancelled', 'retry') THEN j.error ELSE j.output END AS output,
    t.retry_delay_max, t.expire_seconds, t.deletion_seconds
  FROM zeke_jobs.job AS j LEFT JOIN zeke_jobs.pgboss_task AS t ON t.id = j.name) AS b;
COMMENT ON VIEW job IS 'zeke_jobs.job with the columns of pg-boss, both in snake_case and as pg-boss 9 spelled them. The keys of data are in camelCase.';

CREATE OR REPLACE VIEW archive AS
SELECT h.id, h.name, h.priority, NULL::jsonb AS data, h.state::text::job_state AS state, coalesce(t.retry_limit, 0) AS retry_limit,
  greatest(h.attempt - 1, 0) AS retry_count, h.run_at AS start_after, h.started_on, h.created_on, h.completed_on, h.purged_on AS archived_on,
  NULL::jsonb AS output, coalesce(t.retry_limit, 0) AS retrylimit, greatest(h.attempt - 1, 0) AS retrycount, h.run_at AS startafter,
  h.started_on AS startedon, h.created_on AS createdon, h.completed_on AS completedon, h.purged_on AS archivedon
FROM zeke_jobs.history AS h LEFT JOIN zeke_jobs.task AS t ON t.id = h.name;
COMMENT ON VIEW archive IS 'Jobs whose rows were removed. data and output are NULL, because they were removed with the rows.';

-- Show each task of zeke_jobs as a queue of pg-boss. The counts are exact, so a query that returns them reads an index entry for each job.
CREATE OR REPLACE VIEW queue AS
SELECT t.id AS name, 'standard'::text AS policy, t.retry_limit, t.retry_delay, t.retry_backoff, t.retry_delay_max, t.expire_seconds,
  NULL::integer AS retention_seconds, t.deletion_seconds, NULL::text AS dead_letter, false AS partition, 'job'::text AS table_name,
  coalesce(c.deferred, 0) AS deferred_count, coalesce(c.queued, 0) AS queued_count, coalesce(c.queued - c.deferred, 0) AS ready_count,
  0 AS warning_queued, coalesce(c.active, 0) AS active_count, coalesce(c.failed, 0) AS failed_count, coalesce(c.total, 0) AS total_count,
  NULL::text[] AS singletons_active, NULL::integer AS heartbeat_seconds, zeke_jobs.now() AS monitor_on, NULL::timestamptz AS maintain_on,
  r.applied_on AS created_on, r.applied_on AS updated_on, false AS notify, 0 AS blocked_count,
  NULL::integer AS created_delta, NULL::integer AS completed_delta, NULL::integer AS failed_delta, NULL::integer AS delta_seconds,
  NULL::timestamptz AS delta_on, NULL::integer[] AS wait_bins, NULL::integer[] AS run_bins, NULL::integer AS ready_oldest_seconds,
  NULL::timestamptz AS retained_on
FROM zeke_jobs.pgboss_task AS t LEFT JOIN zeke_jobs.revision AS r ON r.number = t.revision LEFT JOIN (
  SELECT q.task, count(*) FILTER (WHERE q.state = 'queued')::integer AS queued,
    count(*) FILTER (WHERE q.state = 'queued' AND q.run_at > zeke_jobs.now())::integer AS deferred,
    count(*) FILTER (WHERE q.state = 'consumed')::integer AS active,
    count(*) FILTER (WHERE q.state = 'rejected' AND q.cancelled_on IS NULL)::integer AS failed,
    count(*)::integer AS total
  FROM zeke_jobs.queue AS q GROUP BY q.task
-- Because of the expression t.id || '', the planner drops this join if a query returns no counts, such as the query of pg-boss before a send.
) AS c ON c.task = t.id || '';
COMMENT ON VIEW queue IS 'Each task, with the columns of the table queue of pg-boss.';

-- Each pg-boss release expects its own schema version. By default, it is that of pg-boss's dashboard 1.9.0; pgboss.version in a connection URL sets another.
CREATE OR REPLACE VIEW version AS
SELECT coalesce(nullif(current_setting('pgboss.version', true), ''), '42')::integer AS version,
  (SELECT b.beat_on FROM zeke_jobs.schedule_beat AS b) AS cron_on,
  NULL::timestamptz AS monitor_backoff_on;
COMMENT ON VIEW version IS 'The number of the schema of pg-boss that a program expects, and when a scheduler last handled all schedules.';

CREATE OR REPLACE VIEW schedule AS
SELECT s.task AS name, coalesce(nullif(s.schedule, s.task), '') AS key, s.cron, s.timezone,
  zeke_jobs.rename_keys(s.payload, t.payload_schema, t.payload_schema, true) AS data,
  s.options, s.created_on, s.updated_on, 'cron'::text AS kind, s.last_job AS last_job_id
FROM zeke_jobs.schedule AS s LEFT JOIN zeke_jobs.task AS t ON t.id = s.task;
COMMENT ON VIEW schedule IS 'zeke_jobs.schedule with the columns of pg-boss.';

CREATE OR REPLACE VIEW warning AS
SELECT md5(w.task)::uuid AS id, 'queue_backlog'::text AS type,
  'The oldest due job of ' || w.task || ' waits longer than max_wait' AS message, jsonb_build_object('name', w.task) AS data,
  w.oldest_due + w.max_wait AS created_on
FROM zeke_jobs.task_wait AS w WHERE w.is_late;
COMMENT ON VIEW warning IS 'Each task whose jobs wait longer than max_wait.';

CREATE OR REPLACE VIEW bam AS
SELECT md5(m.package || '/' || m.name)::uuid AS id, m.package || '/' || m.name AS name,
  row_number() OVER (ORDER BY m.applied_on)::integer AS version,
  'completed'::text AS status, NULL::text AS queue, NULL::text AS table_name, m.checksum AS command,
  NULL::text AS error, m.applied_on AS created_on, m.applied_on AS started_on, m.applied_on AS completed_on
FROM zeke_jobs.migration AS m;
COMMENT ON VIEW bam IS 'The migrations that were applied.';

CREATE OR REPLACE VIEW queue_stats AS
SELECT t.id AS name, NULL::timestamptz AS captured_on, 0 AS deferred_count, 0 AS queued_count, 0 AS ready_count, 0 AS active_count,
  0 AS failed_count, 0 AS total_count
FROM zeke_jobs.task AS t WHERE false;
COMMENT ON VIEW queue_stats IS 'This view is empty, because past counts are in the metrics.';

-- Return the options of zeke_jobs.send for a job that pg-boss's client inserts. Leave out values that are only defaults of the client.
CREATE OR REPLACE FUNCTION zeke_jobs.pgboss_options(p_job jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_task zeke_jobs.pgboss_task := (SELECT t FROM zeke_jobs.pgboss_task AS t WHERE t.id = (zeke_jobs.find_task(p_job ->> 'name')).id);
  v_seconds CONSTANT jsonb := jsonb_build_object(
    'retry_delay', coalesce(v_task.retry_delay, 0), 'retry_delay_max', v_task.retry_delay_max, 'expire_seconds', coalesce(v_task.expire_seconds, 900),
    'deletion_seconds', coalesce(v_task.deletion_seconds, 604800), 'retry_limit', v_task.retry_limit);
  v_own jsonb := (
    SELECT coalesce(jsonb_object_agg(s.name, p_job -> s.name), '{}') FROM jsonb_each(v_seconds) AS s (name, value)
    WHERE p_job -> s.name <> s.value);
  v_unknown text := (
    SELECT string_agg(e.key, ', ' ORDER BY e.key) FROM jsonb_each(jsonb_strip_nulls(p_job)) AS e
    WHERE e.key IN ('dead_letter', 'singleton_on', 'heartbeat_seconds', 'blocked', 'blocking') AND e.value <> 'false'
      OR e.key = 'retry_backoff' AND e.value <> to_jsonb(coalesce(v_task.retry_backoff, false)));
BEGIN
  PERFORM zeke_jobs.refuse(
    'expected a job of ' || (p_job ->> 'name') || ' without ' || v_unknown || ', which jobs.yaml says for all jobs of a task', 'feature_not_supported');
  RETURN jsonb_strip_nulls(jsonb_build_object(
    'id', p_job -> 'id', 'unique_key', p_job -> 'singleton_key', 'key', p_job -> 'group_id', 'priority', nullif(p_job -> 'priority', '0'),
    'run_at', CASE WHEN (p_job ->> 'start_after')::timestamptz > zeke_jobs.now() THEN p_job -> 'start_after' END,
    'expires', CASE WHEN (p_job ->> 'keep_until')::timestamptz - (p_job ->> 'start_after')::timestamptz <> interval '14 days' THEN p_job -> 'keep_until' END,
    'timeout', v_own -> 'expire_seconds', 'traceparent', p_job #> '{trace_context,traceparent}',
    'keep', CASE v_own -> 'deletion_seconds' WHEN '0' THEN '3155760000' ELSE v_own -> 'deletion_seconds' END, -- in pg-boss, 0 means for ever
    'retry', CASE WHEN v_own ?| ARRAY['retry_limit', 'retry_delay', 'retry_delay_max'] THEN jsonb_build_object(
      'limit', v_own -> 'retry_limit', 'delay', v_own -> 'retry_delay', 'max_delay', v_own -> 'retry_delay_max') END));
END $$;

-- Turn writes of pg-boss's dashboard or client into changes of zeke_jobs's tables. A login needs rights on the view. The audit records who updates or deletes.
CREATE OR REPLACE FUNCTION zeke_jobs.write_pgboss() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
DECLARE
  c_by CONSTANT text := 'pg-boss';
  v_changed boolean;
BEGIN
  CASE
    WHEN TG_OP = 'INSERT' THEN
      PERFORM zeke_jobs.refuse(
        format('expected a new job of %s without state and output, got %s', NEW.name, coalesce(NEW.state::text, 'an output')), 'feature_not_supported')
      WHERE NEW.state <> 'created' OR NEW.output IS NOT NULL;
      NEW.id := coalesce(NEW.id, zeke_jobs.new_id());
      v_changed := NOT EXISTS (SELECT FROM zeke_jobs.queue AS q WHERE q.message_id = NEW.id);
      v_changed := NEW.id = zeke_jobs.send(NEW.name, coalesce(NEW.data, '{}'), zeke_jobs.pgboss_options(to_jsonb(NEW))) AND v_changed;
      RETURN CASE WHEN v_changed THEN NEW END; -- pg-boss, too, returns no id if the job exists already
    WHEN TG_OP = 'DELETE' AND TG_TABLE_NAME = 'job' THEN
      PERFORM zeke_jobs.refuse(format('expected a job that is not active, got %s; cancel it first', OLD.id), 'object_not_in_prerequisite_state')
      WHERE (SELECT q.state FROM zeke_jobs.queue AS q WHERE q.message_id = OLD.id FOR UPDATE) = 'consumed';
      PERFORM zeke_jobs.cancel_jobs(ARRAY[OLD.id], 'deleted', c_by);
      INSERT INTO zeke_jobs.purge_due (job, purge_on) VALUES (OLD.id, '-infinity')
      ON CONFLICT ON CONSTRAINT purge_due_pkey DO UPDATE SET purge_on = excluded.purge_on;
      v_changed := (zeke_jobs.purge(NULL, NULL, '-infinity', '1970-01-01', 1)).purged > 0;
      DELETE FROM zeke_jobs.purge_due AS p WHERE p.job = OLD.id AND NOT v_changed;
      PERFORM zeke_jobs.note('delete', 'job/' || OLD.id, c_by, NULL, ARRAY[OLD.id]) WHERE v_changed;
    WHEN TG_OP = 'DELETE' THEN
      PERFORM zeke_jobs.refuse(format('expected a stored schedule, got that of %s in jobs.yaml', OLD.name), 'object_not_in_prerequisite_state')
      WHERE NOT zeke_jobs.delete_schedule(OLD.key, c_by);
      RETURN OLD;
    WHEN NEW.state = 'cancelled' AND OLD.state < 'completed' OR NEW.state IN ('created', 'retry') AND OLD.state IN ('failed', 'cancelled') THEN
      v_changed := (zeke_jobs.change_jobs(
        CASE NEW.state WHEN 'cancelled' THEN 'cancel' ELSE 'retry' END, jsonb_build_object('id', OLD.id), by => c_by)).changed <> '{}';
    ELSE
      RAISE EXCEPTION 'expected a cancel, retry or resume of a job, got a change from % to %', OLD.state, NEW.state
        USING ERRCODE = 'feature_not_supported', HINT = 'Workers of zeke_jobs run the jobs.';
  END CASE;
  RETURN CASE WHEN NOT v_changed THEN NULL WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;

CREATE OR REPLACE TRIGGER job_write INSTEAD OF INSERT OR UPDATE OR DELETE ON job
  FOR EACH ROW EXECUTE FUNCTION zeke_jobs.write_pgboss();

CREATE OR REPLACE TRIGGER schedule_write INSTEAD OF DELETE ON schedule
  FOR EACH ROW EXECUTE FUNCTION zeke_jobs.write_pgboss();
