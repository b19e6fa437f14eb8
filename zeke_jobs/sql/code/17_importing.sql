-- This function imports jobs from pg-boss in the same database. The columns of a job have the same names in pg-boss 10, 11 and 12.

-- Import jobs, and return their ids in pg-boss. Each element of p_jobs has "job" (the row in pg-boss), "task" and "payload" (checked, names in snake_case).
CREATE OR REPLACE FUNCTION zeke_jobs.import_jobs(p_source text, p_jobs jsonb, p_by text) RETURNS uuid[]
LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
DECLARE
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
  FOR v_one, v_job IN SELECT j.value, j.value -> 'job' FROM jsonb_array_elements(p_jobs) AS j (value) LOOP
    v_task := zeke_jobs.find_task(v_one ->> 'task');
    PERFORM zeke_jobs.refuse(format('expected a task and a payload of it, got %s: %s', v_one ->> 'task', u.fault))
    FROM (SELECT zeke_jobs.unfit_payload(v_one -> 'payload') AS fault) AS u WHERE v_task.id IS NULL OR u.fault IS NOT NULL;
    v_id := (v_job ->> 'id')::uuid;
    v_id := CASE WHEN EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = v_id) THEN gen_random_uuid() ELSE v_id END;
    INSERT INTO zeke_jobs.imported (source, name, source_id, job) VALUES (p_source, v_job ->> 'name', (v_job ->> 'id')::uuid, v_id)
    ON CONFLICT DO NOTHING;
    CONTINUE WHEN NOT FOUND;
    v_attempt := CASE v_job ->> 'state' WHEN 'created' THEN 0 ELSE (v_job ->> 'retry_count')::integer + 1 END;
    -- Sensitive values in errors are masked here, because pg-boss stores errors unmasked.
    v_error := CASE WHEN v_job ->> 'state' IN ('retry', 'failed') THEN zeke_jobs.mask(jsonb_strip_nulls(jsonb_build_object(
      'type', coalesce(v_job #>> '{output,name}', 'Error'),
      'message', left(coalesce(v_job #>> '{output,message}', v_job ->> 'output', ''), 4000),
      'traceback', left(v_job #>> '{output,stack}', 16000))), v_task.sensitive, v_one -> 'payload') END;
    v_key := CASE WHEN v_job ->> 'state' IN ('created', 'retry') THEN coalesce(v_task.id || ' =' || (v_job ->> 'singleton_key'),
      CASE WHEN v_task.unique_fields IS NOT NULL THEN zeke_jobs.unique_key(v_task, v_task.unique_fields, v_one -> 'payload') END) END;
    -- If another unfinished job holds the unique key, that job keeps the key. Both jobs run, as they would in pg-boss.
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
      v_id, v_task.queue, zeke_jobs.message(v_task.queue, v_task.id, v_id, v_one -> 'payload', '{}', (v_job ->> 'created_on')::timestamptz), v_task.id,
      (CASE v_job ->> 'state' WHEN 'completed' THEN 'done' WHEN 'failed' THEN 'rejected' ELSE 'queued' END)::zeke_jobs.state,
      (v_job ->> 'priority')::integer, (v_job ->> 'start_after')::timestamptz,
      coalesce(v_job ->> 'group_id', zeke_jobs.own_key(v_task.per_key, v_task.share, v_id::text)),
      CASE WHEN v_key IS NOT NULL THEN jsonb_build_object('unique_key', v_key) END, (v_job ->> 'created_on')::timestamptz,
      CASE WHEN v_job ->> 'state' IN ('completed', 'failed') THEN (v_job ->> 'started_on')::timestamptz END, (v_job ->> 'completed_on')::timestamptz,
      v_attempt,
      CASE WHEN v_error IS NULL THEN '[]' ELSE jsonb_build_array(jsonb_build_object(
        'attempt', v_attempt, 'outcome', v_job ->> 'state', 'started_on', v_job -> 'started_on',
        'ended_on', coalesce(v_job -> 'completed_on', v_job -> 'started_on'), 'error', v_error)) END,
      CASE WHEN v_job ->> 'state' = 'completed' THEN coalesce(v_job -> 'output', 'null') END, v_task.revision, nullif(v_task.sensitive, '{}'),
      -- A job that failed in pg-boss does not block its key in zeke_jobs.
      CASE WHEN v_job ->> 'state' IN ('created', 'retry') THEN v_task.order_hold END);
    v_made := v_made || v_id;
    v_taken := v_taken || (v_job ->> 'id')::uuid;
  END LOOP;
  PERFORM zeke_jobs.note('import', p_source, p_by, NULL, v_made) WHERE v_made <> '{}';
  RETURN v_taken;
END $$;
