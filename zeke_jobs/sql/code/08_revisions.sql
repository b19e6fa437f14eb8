-- Revisions: the announcement, and the jobs and pauses that follow a rename.

-- Announce every new revision. Workers listen, and also check once a second.
CREATE OR REPLACE FUNCTION zeke_jobs.announce_revision() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM pg_notify('zeke_jobs.revision', NEW.number::text);
  RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER revision_announce AFTER INSERT ON zeke_jobs.revision
  FOR EACH ROW EXECUTE FUNCTION zeke_jobs.announce_revision();

-- Each pair of queue and task name with queued jobs, found by probes of the index; also names unknown to the catalogue.
CREATE OR REPLACE FUNCTION zeke_jobs.queued_names() RETURNS TABLE (queue text, task text)
LANGUAGE plpgsql STABLE -- and not sql: only plpgsql keeps its plans
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY WITH RECURSIVE present (queue_name, task) AS (
    (SELECT q.queue_name, q.task FROM zeke_jobs.queue AS q
     WHERE q.state = 'queued' AND q.deaths = 0
     ORDER BY q.queue_name, q.task LIMIT 1)
    UNION ALL
    SELECT n.queue_name, n.task
    FROM present AS p
    CROSS JOIN LATERAL (
      SELECT q.queue_name, q.task FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths = 0 AND (q.queue_name, q.task) > (p.queue_name, p.task)
      ORDER BY q.queue_name, q.task LIMIT 1) AS n
  )
  SELECT p.queue_name, p.task FROM present AS p
  UNION
  SELECT q.queue_name, q.task FROM zeke_jobs.queue AS q WHERE q.state = 'queued' AND q.deaths > 0;
END
$$;

-- Let queued jobs follow their task to its new name or its new queue. Also finds jobs whose send was under way when the revision changed, and
-- jobs that were retried later. Probes the indexes once for each pair of queue and task with jobs.
CREATE OR REPLACE FUNCTION zeke_jobs.gather(p_limit integer)
RETURNS TABLE (was text, was_in text, task text, queue text, jobs integer)
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
  v_pair record;
  v_task zeke_jobs.task;
  v_ids uuid[];
  v_count integer;
BEGIN
  -- Not in the function's header, where only a superuser may set a custom setting.
  PERFORM set_config('zeke_jobs.gathering', 'on', true);
  FOR v_pair IN
    SELECT p.queue AS queue_name, p.task FROM zeke_jobs.queued_names() AS p
  LOOP
    v_task := zeke_jobs.find_task(v_pair.task);
    CONTINUE WHEN v_task.id IS NULL OR v_task.id = v_pair.task AND v_task.queue = v_pair.queue_name;
    v_ids := ARRAY(
      SELECT q.message_id FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = v_pair.queue_name AND q.task = v_pair.task
      LIMIT p_limit
      FOR UPDATE SKIP LOCKED
    ) || ARRAY(
      SELECT q.message_id FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths > 0 AND q.queue_name = v_pair.queue_name AND q.task = v_pair.task
      LIMIT p_limit
      FOR UPDATE SKIP LOCKED
    );
    WITH moved AS (
      UPDATE zeke_jobs.queue AS q
      SET queue_name = v_task.queue, mtime = zeke_jobs.now(),
        message = q.message || jsonb_build_object('actor_name', v_task.id, 'queue_name', v_task.queue),
        key = coalesce(q.key, CASE WHEN v_task.per_key IS NOT NULL THEN q.message_id::text END),
        unique_key = v_task.id || substr(q.unique_key, length(v_pair.task) + 1),
        idempotency_key = CASE WHEN v_task.id = v_pair.task OR NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS o
            WHERE o.task = v_task.id AND o.idempotency_key = q.idempotency_key)
          THEN q.idempotency_key END,
        scheduled_for = CASE WHEN v_task.id = v_pair.task OR NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS o
            WHERE o.task = v_task.id AND o.scheduled_for = q.scheduled_for AND o.schedule IS NOT DISTINCT FROM q.schedule)
          THEN q.scheduled_for END
      WHERE q.message_id = ANY (v_ids)
      RETURNING q.message_id, q.unique_key
    ),
    former AS (
      DELETE FROM zeke_jobs.unique_holder AS u
      USING moved AS m
      WHERE v_task.id <> v_pair.task AND u.job = m.message_id
        AND u.unique_key = v_pair.task || substr(m.unique_key, length(v_task.id) + 1)
      RETURNING m.unique_key, u.job
    ),
    held AS (
      -- If a job of the new name already has the key, both jobs stay, as before.
      INSERT INTO zeke_jobs.unique_holder (unique_key, job)
      SELECT f.unique_key, f.job FROM former AS f ORDER BY f.unique_key
      ON CONFLICT DO NOTHING
    )
    SELECT count(*) INTO v_count FROM moved;
    IF v_count > 0 THEN
      PERFORM zeke_jobs.ring(v_task.queue);
      RETURN QUERY SELECT v_pair.task, v_pair.queue_name, v_task.id, v_task.queue, v_count;
    END IF;
  END LOOP;
  PERFORM set_config('zeke_jobs.gathering', '', true);
END
$$;

-- Let pauses follow a task to its new name. If several fall together, the earliest stays.
CREATE OR REPLACE FUNCTION zeke_jobs.pauses_follow() RETURNS void
LANGUAGE sql VOLATILE
AS $$
  WITH former AS (
    DELETE FROM zeke_jobs.pause AS p
    USING zeke_jobs.task AS t, unnest(t.aliases) AS a (name)
    WHERE p.target IN ('task/' || a.name, 'schedule/' || a.name)
    RETURNING split_part(p.target, '/', 1) || '/' || t.id AS target, p.paused_on, p.paused_by, p.reason
  ),
  merged AS (
    SELECT DISTINCT ON (f.target) f.target, f.paused_on, f.paused_by, f.reason
    FROM former AS f
    ORDER BY f.target, f.paused_on
  )
  INSERT INTO zeke_jobs.pause AS p (target, paused_on, paused_by, reason)
  SELECT m.target, m.paused_on, m.paused_by, m.reason FROM merged AS m
  ON CONFLICT (target) DO UPDATE
  SET paused_on = excluded.paused_on, paused_by = excluded.paused_by, reason = excluded.reason
  WHERE excluded.paused_on < p.paused_on
$$;

-- The paths of overrides that have expired: their time is over, or the jobs of the removed task have ended.
CREATE OR REPLACE FUNCTION zeke_jobs.overrides_over() RETURNS SETOF jsonb
LANGUAGE sql STABLE
AS $$
  SELECT o.value -> 'path' AS path
  FROM (SELECT r.overrides FROM zeke_jobs.revision AS r ORDER BY r.number DESC LIMIT 1) AS latest
  CROSS JOIN jsonb_array_elements(latest.overrides) AS o (value)
  CROSS JOIN LATERAL (
    SELECT (o.value #>> '{path,1}') || coalesce(
      (SELECT t.aliases FROM zeke_jobs.task AS t WHERE t.id = o.value #>> '{path,1}'), '{}') AS names) AS d
  WHERE (o.value ->> 'until')::timestamptz <= zeke_jobs.now()
    OR o.value ->> 'drains' IS NOT NULL
    AND NOT EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.task = ANY (d.names))
    AND NOT EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = o.value ->> 'drains' AND q.task = ANY (d.names))
    AND NOT EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths > 0 AND q.queue_name = o.value ->> 'drains' AND q.task = ANY (d.names))
$$;
