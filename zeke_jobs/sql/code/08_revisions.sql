-- These functions change queued jobs and unique keys after a task was renamed or moved to another queue, and find the overrides of jobs.yaml to remove.

-- Return each pair of a queue and a task name that has queued jobs. Each pair costs one index lookup.
CREATE OR REPLACE FUNCTION zeke_jobs.queued_names() RETURNS TABLE (queue text, task text)
LANGUAGE sql STABLE SET enable_seqscan = off AS $$
  WITH RECURSIVE present (queue, task) AS (
    (SELECT q.queue_name, q.task FROM zeke_jobs.queue AS q WHERE q.state = 'queued' ORDER BY q.queue_name, q.task LIMIT 1)
    UNION ALL
    SELECT n.queue_name, n.task FROM present AS p CROSS JOIN LATERAL (
      SELECT q.queue_name, q.task FROM zeke_jobs.queue AS q WHERE q.state = 'queued' AND (q.queue_name, q.task) > (p.queue, p.task)
      ORDER BY q.queue_name, q.task LIMIT 1) AS n
  )
  SELECT p.queue, p.task FROM present AS p $$;

-- Give queued jobs the new name, queue or order_hold of their task, even jobs sent or retried while jobs.yaml changed. Skip locked jobs until the next call.
CREATE OR REPLACE FUNCTION zeke_jobs.gather(p_limit integer)
RETURNS TABLE (was text, was_in text, task text, queue text, jobs integer)
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
  v_pair record;
  v_task zeke_jobs.task;
  v_ids uuid[];
BEGIN
  FOR v_pair IN SELECT p.queue AS queue_name, p.task FROM zeke_jobs.queued_names() AS p LOOP
    v_task := zeke_jobs.find_task(v_pair.task);
    CONTINUE WHEN v_task.id IS NULL OR v_task.id = v_pair.task AND v_task.queue = v_pair.queue_name AND v_task.order_hold IS NULL;
    v_ids := ARRAY(
      SELECT q.message_id FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.queue_name = v_pair.queue_name AND q.task = v_pair.task
        AND (v_task.id <> v_pair.task OR v_task.queue <> v_pair.queue_name OR q.order_hold IS DISTINCT FROM v_task.order_hold)
      LIMIT p_limit FOR UPDATE SKIP LOCKED);
    CONTINUE WHEN v_ids = '{}';
    UPDATE zeke_jobs.queue AS q
    SET queue_name = v_task.queue, task = v_task.id, mtime = clock_timestamp(), order_hold = v_task.order_hold,
      message = q.message || jsonb_build_object('actor_name', v_task.id, 'queue_name', v_task.queue),
      key = coalesce(q.key, zeke_jobs.own_key(v_task.per_key, v_task.share, q.message_id::text))
    WHERE q.message_id = ANY (v_ids);
    IF v_task.id <> v_pair.task THEN
      -- If a job under the new name already has the same unique key, both jobs stay.
      WITH former AS (
        DELETE FROM zeke_jobs.unique_holder AS u WHERE u.job = ANY (v_ids) AND starts_with(u.unique_key, v_pair.task || ' ') RETURNING u.unique_key, u.job
      )
      INSERT INTO zeke_jobs.unique_holder (unique_key, job)
      SELECT v_task.id || substr(f.unique_key, length(v_pair.task) + 1), f.job FROM former AS f ORDER BY 1
      ON CONFLICT DO NOTHING;
      UPDATE zeke_jobs.queue AS q
      SET extra = q.extra || jsonb_build_object('unique_key', v_task.id || substr(q.extra ->> 'unique_key', length(v_pair.task) + 1))
      WHERE q.message_id = ANY (v_ids) AND q.extra ? 'unique_key';
    END IF;
    PERFORM zeke_jobs.notify_idle(v_task.queue);
    RETURN QUERY SELECT v_pair.task, v_pair.queue_name, v_task.id, v_task.queue, cardinality(v_ids)
    WHERE v_task.id <> v_pair.task OR v_task.queue <> v_pair.queue_name;
  END LOOP;
END $$;

-- Return the positions (from 1) of overrides (values set by hand) to remove: expired overrides, and overrides that keep a removed task without jobs.
CREATE OR REPLACE FUNCTION zeke_jobs.overrides_over() RETURNS SETOF bigint
LANGUAGE sql STABLE AS $$
  SELECT o.place FROM (SELECT r.overrides FROM zeke_jobs.revision AS r ORDER BY r.number DESC LIMIT 1) AS latest
  CROSS JOIN jsonb_array_elements(latest.overrides) WITH ORDINALITY AS o (value, place) CROSS JOIN LATERAL (
    SELECT (o.value #>> '{path,1}') || coalesce(
      (SELECT t.aliases FROM zeke_jobs.task AS t WHERE t.id = o.value #>> '{path,1}'), '{}') AS names) AS d
  WHERE (o.value ->> 'until')::timestamptz <= zeke_jobs.now()
    OR o.value ->> 'drains' IS NOT NULL
    AND NOT EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.task = ANY (d.names))
    AND NOT EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.queue_name = o.value ->> 'drains' AND q.task = ANY (d.names)) $$;
