-- Import of jobs and schedules from a pg-boss in the same database. Its tables are read and changed with the caller's rights, ours with the owner's.
-- Rows are read as JSON, by column names that are the same in pg-boss 10, 11 and 12.

-- The version number of a pg-boss's schema (24 is pg-boss 10, 25 is 11, from 26 on it is 12); NULL if there is no pg-boss of these versions. Views
-- with its names do not count.
CREATE OR REPLACE FUNCTION zeke_jobs.pg_boss_version(p_schema text) RETURNS integer
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  v_version integer;
BEGIN
  IF (SELECT count(*) FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE n.nspname = p_schema AND c.relname = 'job' AND c.relkind IN ('r', 'p') AND NOT a.attisdropped AND a.attname IN (
        'id', 'name', 'priority', 'data', 'state', 'retry_count', 'start_after', 'started_on', 'created_on', 'completed_on',
        'singleton_key', 'output')) < 12
  THEN
    RETURN NULL;
  END IF;
  EXECUTE format('SELECT max(version) FROM %I.version', p_schema) INTO v_version;
  RETURN v_version;
END
$$;

-- The number of pg-boss's jobs by name and state: unfinished jobs, and jobs that completed or failed since p_since. Its internal queues and jobs that
-- are imported already are left out.
CREATE OR REPLACE FUNCTION zeke_jobs.pg_boss_counts(p_schema text, p_since timestamptz)
RETURNS TABLE (name text, state text, jobs bigint, later bigint)
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN QUERY EXECUTE format($query$
    SELECT j.name, j.state::text, count(*), count(*) FILTER (WHERE j.state::text IN ('created', 'retry') AND j.start_after > now())
    FROM %I.job AS j
    WHERE NOT starts_with(j.name, '__pgboss__')
      AND (j.state::text IN ('created', 'retry', 'active') OR j.state::text IN ('completed', 'failed') AND j.completed_on >= $1)
      AND NOT EXISTS (SELECT 1 FROM zeke_jobs.imported AS i WHERE i.source = $2 AND i.source_id = j.id AND i.name = j.name)
    GROUP BY j.name, j.state
    ORDER BY j.name, j.state
  $query$, p_schema) USING p_since, 'pg-boss/' || p_schema;
END
$$;

-- The next jobs with these names and states, the oldest first, after a given time and id. With p_lock, the returned jobs are locked, and jobs that a
-- worker of pg-boss has locked are skipped.
CREATE OR REPLACE FUNCTION zeke_jobs.pg_boss_jobs(
  p_schema text, p_names text[], p_states text[], p_since timestamptz, p_after_time timestamptz, p_after uuid, p_most integer, p_lock boolean)
RETURNS SETOF jsonb
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
  RETURN QUERY EXECUTE format($query$
    SELECT to_jsonb(j)
    FROM %I.job AS j
    WHERE j.name = ANY ($1) AND j.state::text = ANY ($2) AND (j.completed_on IS NULL OR j.completed_on >= $3)
      AND ($4 IS NULL OR (j.created_on, j.id) > ($4, $5))
      AND NOT EXISTS (SELECT 1 FROM zeke_jobs.imported AS i WHERE i.source = $7 AND i.source_id = j.id AND i.name = j.name)
    ORDER BY j.created_on, j.id
    LIMIT $6
    %s
  $query$, p_schema, CASE WHEN p_lock THEN 'FOR UPDATE OF j SKIP LOCKED' ELSE '' END)
  USING p_names, p_states, p_since, p_after_time, p_after, p_most, 'pg-boss/' || p_schema;
END
$$;

-- Cancel imported jobs in pg-boss, in the transaction that imports them. Jobs of several queues may have the same id there.
CREATE OR REPLACE FUNCTION zeke_jobs.pg_boss_cancel(p_schema text, p_jobs uuid[]) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
  EXECUTE format($query$
    UPDATE %I.job AS j
    SET state = 'cancelled', completed_on = now(), output = '{"moved": "zeke_jobs"}'
    WHERE j.id = ANY ($1) AND j.state::text IN ('created', 'retry')
      AND EXISTS (SELECT 1 FROM zeke_jobs.imported AS i WHERE i.source = $2 AND i.source_id = j.id AND i.name = j.name)
  $query$, p_schema) USING p_jobs, 'pg-boss/' || p_schema;
END
$$;

-- The schedules of pg-boss, as JSON.
CREATE OR REPLACE FUNCTION zeke_jobs.pg_boss_schedules(p_schema text) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN QUERY EXECUTE format('SELECT to_jsonb(s) FROM %I.schedule AS s ORDER BY to_jsonb(s) ->> ''name'', to_jsonb(s) ->> ''key''', p_schema);
END
$$;

-- Remove a schedule from pg-boss; before version 11, schedules have no keys.
CREATE OR REPLACE FUNCTION zeke_jobs.pg_boss_unschedule(p_schema text, p_name text, p_key text) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
  EXECUTE format('DELETE FROM %I.schedule AS s WHERE s.name = $1 AND coalesce(to_jsonb(s) ->> ''key'', '''') = $2', p_schema)
  USING p_name, p_key;
END
$$;

-- Import jobs: each is an object of "job" (its row in pg-boss), "task" and "payload" (checked, in snake_case). A job keeps its id unless another job
-- here has it. Returns the ids in pg-boss of the imported jobs. The audit records the import with the login.
CREATE OR REPLACE FUNCTION zeke_jobs.import_jobs(p_source text, p_jobs jsonb, p_by text) RETURNS uuid[]
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_one jsonb;
  v_job jsonb;
  v_task zeke_jobs.task;
  v_id uuid;
  v_key text;
  v_attempt integer;
  v_error jsonb;
  v_made uuid[] := '{}';
  v_taken uuid[] := '{}';
BEGIN
  FOR v_one IN SELECT j.value FROM jsonb_array_elements(p_jobs) AS j (value) LOOP
    v_job := v_one -> 'job';
    v_task := zeke_jobs.find_task(v_one ->> 'task');
    IF v_task.id IS NULL OR zeke_jobs.unfit_payload(v_one -> 'payload') IS NOT NULL THEN
      RAISE EXCEPTION 'expected a task and a payload of it, got %: %', v_one ->> 'task', zeke_jobs.unfit_payload(v_one -> 'payload')
        USING ERRCODE = 'invalid_parameter_value';
    END IF;
    v_id := (v_job ->> 'id')::uuid;
    IF EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = v_id) THEN
      v_id := gen_random_uuid();
    END IF;
    INSERT INTO zeke_jobs.imported (source, name, source_id, job) VALUES (p_source, v_job ->> 'name', (v_job ->> 'id')::uuid, v_id)
    ON CONFLICT DO NOTHING;
    CONTINUE WHEN NOT FOUND;
    v_attempt := CASE v_job ->> 'state' WHEN 'created' THEN 0 ELSE (v_job ->> 'retry_count')::integer + 1 END;
    -- Mask the texts here: no worker of ours has masked them when it wrote them.
    v_error := CASE WHEN v_job ->> 'state' IN ('retry', 'failed') THEN zeke_jobs.mask(jsonb_strip_nulls(jsonb_build_object(
      'type', coalesce(v_job #>> '{output,name}', 'Error'),
      'message', left(coalesce(v_job #>> '{output,message}', v_job ->> 'output', ''), 4000),
      'traceback', left(v_job #>> '{output,stack}', 16000))), v_task.sensitive, v_one -> 'payload') END;
    v_key := NULL;
    IF v_job ->> 'state' IN ('created', 'retry') THEN
      v_key := CASE
        WHEN v_job ->> 'singleton_key' IS NOT NULL THEN v_task.id || ' =' || (v_job ->> 'singleton_key')
        WHEN v_task.unique_fields IS NOT NULL THEN zeke_jobs.unique_key(v_task, v_task.unique_fields, v_one -> 'payload') END;
    END IF;
    -- If another unfinished job has the unique key, that job keeps the key, and both jobs run, as in pg-boss.
    IF v_key IS NOT NULL THEN
      INSERT INTO zeke_jobs.unique_holder AS u (unique_key, job) VALUES (v_key, v_id)
      ON CONFLICT (unique_key) DO UPDATE SET job = excluded.job
      WHERE NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = u.job AND q.state IN ('queued', 'consumed'));
      v_key := CASE WHEN FOUND THEN v_key END;
    END IF;
    INSERT INTO zeke_jobs.queue (
      message_id, queue_name, message, task, state, priority, run_at, key, extra, created_on, started_on, completed_on, attempt, attempts,
      result, revision, sensitive, order_hold)
    VALUES (
      v_id,
      v_task.queue,
      zeke_jobs.message(v_task.queue, v_task.id, v_id, v_one -> 'payload', '{}', (v_job ->> 'created_on')::timestamptz),
      v_task.id,
      (CASE v_job ->> 'state' WHEN 'completed' THEN 'done' WHEN 'failed' THEN 'rejected' ELSE 'queued' END)::zeke_jobs.state,
      (v_job ->> 'priority')::integer,
      (v_job ->> 'start_after')::timestamptz,
      coalesce(v_job ->> 'group_id', zeke_jobs.own_key(v_task.per_key, v_task.share, v_id::text)),
      CASE WHEN v_key IS NOT NULL THEN jsonb_build_object('unique_key', v_key) END,
      (v_job ->> 'created_on')::timestamptz,
      CASE WHEN v_job ->> 'state' IN ('completed', 'failed') THEN (v_job ->> 'started_on')::timestamptz END,
      (v_job ->> 'completed_on')::timestamptz,
      v_attempt,
      CASE WHEN v_error IS NULL THEN '[]' ELSE jsonb_build_array(jsonb_build_object(
        'attempt', v_attempt, 'outcome', v_job ->> 'state', 'started_on', v_job -> 'started_on',
        'ended_on', coalesce(v_job -> 'completed_on', v_job -> 'started_on'), 'error', v_error)) END,
      CASE WHEN v_job ->> 'state' = 'completed' THEN coalesce(v_job -> 'output', 'null') END,
      v_task.revision,
      nullif(v_task.sensitive, '{}'),
      -- A job that failed in pg-boss does not block its key here.
      CASE WHEN v_job ->> 'state' IN ('created', 'retry') THEN v_task.order_hold END);
    v_made := v_made || v_id;
    v_taken := v_taken || (v_job ->> 'id')::uuid;
  END LOOP;
  IF v_made <> '{}' THEN
    PERFORM zeke_jobs.note('import', p_source, p_by, NULL, v_made);
  END IF;
  RETURN v_taken;
END
$$;
