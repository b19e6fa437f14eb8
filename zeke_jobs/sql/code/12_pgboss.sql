-- Views under pg-boss's own names, so that existing queries and dashboards keep working. Where a real pg-boss owns the
-- schema pgboss it is never touched, and the views are in pgboss_compat.

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
  IF to_regnamespace(v_schema) IS NULL THEN
    EXECUTE format('CREATE SCHEMA %I', v_schema);
  END IF;
  EXECUTE format('COMMENT ON SCHEMA %I IS %L', v_schema, v_mark);
  -- The rest creates its views there; every name that it reads is qualified.
  PERFORM set_config('search_path', quote_ident(v_schema), true);
END
$$;

CREATE OR REPLACE VIEW job AS
SELECT
  j.id,
  j.name,
  j.priority,
  zeke_jobs.rename_keys(j.data, t.payload_schema, t.payload_schema, true) AS data,
  j.state,
  j.retry_limit,
  j.retry_count,
  zeke_jobs.seconds_of(t.definition #>> '{retry,delay}') AS retry_delay,
  coalesce(t.definition #> '{retry,factor}' > '1', false) AS retry_backoff,
  j.start_after,
  j.started_on,
  j.unique_key AS singleton_key,
  NULL::timestamptz AS singleton_on,
  zeke_jobs.length_of(t.definition ->> 'timeout') AS expire_in,
  j.created_on,
  j.completed_on,
  j.completed_on + zeke_jobs.length_of(t.definition #>> ARRAY['keep', j.state::text]) AS keep_until,
  CASE WHEN j.state IN ('failed', 'cancelled', 'retry') THEN j.error ELSE j.output END AS output,
  NULL::text AS dead_letter,
  'standard'::text AS policy,
  zeke_jobs.seconds_of(t.definition #>> '{retry,max_delay}') AS retry_delay_max,
  zeke_jobs.seconds_of(t.definition ->> 'timeout') AS expire_seconds,
  zeke_jobs.seconds_of(t.definition #>> '{keep,completed}') AS deletion_seconds,
  NULL::text AS group_id,
  NULL::text AS group_tier,
  NULL::timestamptz AS heartbeat_on,
  NULL::integer AS heartbeat_seconds,
  false AS blocked,
  false AS blocking,
  0 AS pending_dependencies,
  NULL::text AS source_name,
  NULL::uuid AS source_id,
  NULL::timestamptz AS source_created_on,
  NULL::integer AS source_retry_count,
  j.retry_limit AS retrylimit,
  j.retry_count AS retrycount,
  zeke_jobs.seconds_of(t.definition #>> '{retry,delay}') AS retrydelay,
  coalesce(t.definition #> '{retry,factor}' > '1', false) AS retrybackoff,
  j.start_after AS startafter,
  j.started_on AS startedon,
  j.unique_key AS singletonkey,
  NULL::timestamptz AS singletonon,
  zeke_jobs.length_of(t.definition ->> 'timeout') AS expirein,
  j.created_on AS createdon,
  j.completed_on AS completedon,
  j.completed_on + zeke_jobs.length_of(t.definition #>> ARRAY['keep', j.state::text]) AS keepuntil,
  false AS on_complete
FROM zeke_jobs.job AS j
LEFT JOIN zeke_jobs.task AS t ON t.id = j.name;
COMMENT ON VIEW job IS 'zeke_jobs.job with the columns of pg-boss, both in snake_case and as its version 9 spelled them; data in camelCase.';

CREATE OR REPLACE VIEW archive AS
SELECT
  h.id,
  h.name,
  h.priority,
  NULL::jsonb AS data,
  h.state,
  coalesce(t.retry_limit, 0) AS retry_limit,
  greatest(h.attempt - 1, 0) AS retry_count,
  h.run_at AS start_after,
  h.started_on,
  h.created_on,
  h.completed_on,
  h.purged_on AS archived_on,
  NULL::jsonb AS output,
  coalesce(t.retry_limit, 0) AS retrylimit,
  greatest(h.attempt - 1, 0) AS retrycount,
  h.run_at AS startafter,
  h.started_on AS startedon,
  h.created_on AS createdon,
  h.completed_on AS completedon,
  h.purged_on AS archivedon
FROM zeke_jobs.history AS h
LEFT JOIN zeke_jobs.task AS t ON t.id = h.name;
COMMENT ON VIEW archive IS 'Jobs whose rows were removed. data and output are NULL: they went with the rows.';

-- A queue of pg-boss is a task here. The counts are exact, and read an index entry for each job.
CREATE OR REPLACE VIEW queue AS
SELECT
  t.id AS name,
  'standard'::text AS policy,
  t.retry_limit,
  zeke_jobs.seconds_of(t.definition #>> '{retry,delay}') AS retry_delay,
  coalesce(t.definition #> '{retry,factor}' > '1', false) AS retry_backoff,
  zeke_jobs.seconds_of(t.definition #>> '{retry,max_delay}') AS retry_delay_max,
  zeke_jobs.seconds_of(t.definition ->> 'timeout') AS expire_seconds,
  NULL::integer AS retention_seconds,
  zeke_jobs.seconds_of(t.definition #>> '{keep,completed}') AS deletion_seconds,
  NULL::text AS dead_letter,
  false AS partition,
  'job'::text AS table_name,
  coalesce(c.deferred, 0) AS deferred_count,
  coalesce(c.queued, 0) AS queued_count,
  coalesce(c.queued - c.deferred, 0) AS ready_count,
  0 AS warning_queued,
  coalesce(c.active, 0) AS active_count,
  coalesce(c.failed, 0) AS failed_count,
  coalesce(c.total, 0) AS total_count,
  NULL::text[] AS singletons_active,
  NULL::integer AS heartbeat_seconds,
  NULL::timestamptz AS monitor_on,
  NULL::timestamptz AS maintain_on,
  r.applied_on AS created_on,
  r.applied_on AS updated_on
FROM zeke_jobs.task AS t
LEFT JOIN zeke_jobs.revision AS r ON r.number = t.revision
LEFT JOIN (
  SELECT
    q.task,
    count(*) FILTER (WHERE q.state = 'queued')::integer AS queued,
    count(*) FILTER (WHERE q.state = 'queued' AND q.run_at > zeke_jobs.now())::integer AS deferred,
    count(*) FILTER (WHERE q.state = 'consumed')::integer AS active,
    count(*) FILTER (WHERE q.state = 'rejected' AND q.cancelled_on IS NULL)::integer AS failed,
    count(*)::integer AS total
  FROM zeke_jobs.queue AS q
  GROUP BY q.task
) AS c ON c.task = t.id;
COMMENT ON VIEW queue IS 'Each task, with the columns of pg-boss''s queue.';

CREATE OR REPLACE VIEW version AS
SELECT
  26 AS version,
  (SELECT b.beat_on FROM zeke_jobs.schedule_beat AS b) AS cron_on;
COMMENT ON VIEW version IS 'The number of the schema of pg-boss whose columns these views have at least, and when a scheduler was last at work.';

CREATE OR REPLACE VIEW schedule AS
SELECT
  s.task AS name,
  coalesce(nullif(s.schedule, s.task), '') AS key,
  s.cron,
  s.timezone,
  zeke_jobs.rename_keys(s.payload, t.payload_schema, t.payload_schema, true) AS data,
  s.options,
  s.created_on,
  s.updated_on
FROM zeke_jobs.schedule AS s
LEFT JOIN zeke_jobs.task AS t ON t.id = s.task;
COMMENT ON VIEW schedule IS 'zeke_jobs.schedule with the columns of pg-boss.';
