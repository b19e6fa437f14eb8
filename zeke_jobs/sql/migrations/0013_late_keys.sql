-- A send that began before its task had a per-key limit, and commits after, brings a job without a key, which no claim by key finds.
-- Nobody can see it before its commit, and a lock in each send would be too dear. So the task's jobs are looked over a few times more,
-- each time after twice as long as before, for a day: a job without a key waits at most twice as long as its sender took.

ALTER TABLE zeke_jobs.task
  ADD COLUMN keyed_on timestamptz,
  ADD COLUMN keys_due timestamptz;
COMMENT ON COLUMN zeke_jobs.task.keyed_on IS 'When it got a per-key limit.';
COMMENT ON COLUMN zeke_jobs.task.keys_due IS 'When to look again for jobs that were sent before and have no key; NULL when a day has passed.';

CREATE OR REPLACE FUNCTION zeke_jobs.give_keys() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  UPDATE zeke_jobs.queue AS q
  SET key = q.message_id::text
  WHERE q.task = NEW.id AND q.key IS NULL AND q.state <> 'done';
  UPDATE zeke_jobs.task AS t
  SET keyed_on = zeke_jobs.now(), keys_due = zeke_jobs.now() + interval '5 seconds'
  WHERE t.id = NEW.id;
  RETURN NULL;
END
$$;

-- Look, where that is due: one process at a time, past jobs that somebody holds. Answers how many jobs got a key.
CREATE FUNCTION zeke_jobs.give_late_keys() RETURNS integer
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_task record;
  v_count integer;
  v_total integer := 0;
BEGIN
  FOR v_task IN
    SELECT t.id, t.queue, t.keyed_on FROM zeke_jobs.task AS t
    WHERE t.per_key IS NOT NULL AND t.keys_due <= v_now
    FOR UPDATE SKIP LOCKED
  LOOP
    UPDATE zeke_jobs.queue AS q
    SET key = q.message_id::text
    WHERE q.message_id = ANY (ARRAY(
      SELECT l.message_id FROM zeke_jobs.queue AS l
      WHERE l.state = 'queued' AND l.deaths = 0 AND l.queue_name = v_task.queue AND l.task = v_task.id AND l.key IS NULL
      FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS v_count = ROW_COUNT;
    v_total := v_total + v_count;
    UPDATE zeke_jobs.task AS t
    SET keys_due = CASE WHEN v_now < t.keyed_on + interval '1 day'
      THEN v_now + greatest(v_now - t.keyed_on, interval '5 seconds') END
    WHERE t.id = v_task.id;
    IF v_count > 0 THEN
      PERFORM zeke_jobs.ring(v_task.queue);
    END IF;
  END LOOP;
  RETURN v_total;
END
$$;
