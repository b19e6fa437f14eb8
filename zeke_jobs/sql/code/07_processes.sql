-- Live processes: proof of life, lost processes, and the chores that a heartbeat starts.

-- Processes that are lost: without proof of life for their lost_after, while another process has proved its own. So an outage of the database makes
-- no process lost.
CREATE OR REPLACE FUNCTION zeke_jobs.lost_processes(p_now timestamptz) RETURNS SETOF zeke_jobs.worker
LANGUAGE sql STABLE
AS $$
  SELECT w.* FROM zeke_jobs.worker AS w
  WHERE w.heartbeat_on < p_now - w.lost_after AND coalesce((
    SELECT min(o.beating_since) FROM zeke_jobs.worker AS o WHERE o.kind = 'worker' AND o.heartbeat_on >= p_now - o.lost_after
  ) <= p_now - w.lost_after, true)
$$;

-- Return the jobs of lost processes to the queue. A returned job may have taken effect, so its attempt counts, but uses up no retry; a task without
-- retries fails. It may have killed the process, so its death counts: from the second death on it runs alone, the third fails it as quarantined.
-- Locked jobs stay for a later call: their worker may have stopped before a commit, and its transaction ends by itself.
CREATE OR REPLACE FUNCTION zeke_jobs.rescue() RETURNS TABLE (message_id uuid, task text, deaths integer, outcome text)
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_lost uuid[] := ARRAY(SELECT w.id FROM zeke_jobs.lost_processes(v_now) AS w);
  v_job record;
BEGIN
  -- Two processes that rescue at once never count one death twice: the second waits for none and skips all. A beat may have come since the search.
  v_lost := ARRAY(
    SELECT w.id FROM zeke_jobs.worker AS w WHERE w.id = ANY (v_lost) AND w.heartbeat_on < v_now - w.lost_after ORDER BY w.id FOR UPDATE SKIP LOCKED);
  FOR v_job IN
    SELECT q.message_id, q.task, q.deaths + 1 AS deaths, w.host, w.pid, w.heartbeat_on, CASE
        WHEN q.cancelled_on IS NOT NULL THEN 'cancelled'
        WHEN q.deaths >= 2 THEN 'quarantined'
        WHEN coalesce((q.message #>> '{options,retry,limit}'), t.retry_limit::text, '0') = '0' THEN 'failed'
        ELSE 'rescued' END AS outcome
    FROM zeke_jobs.queue AS q
    LEFT JOIN zeke_jobs.worker AS w ON w.id = q.worker
    LEFT JOIN LATERAL zeke_jobs.find_task(q.task) AS t ON true
    WHERE q.state = 'consumed' AND (q.worker = ANY (v_lost)
      -- A worker without a row, but with claimed jobs, did not end in an orderly way, or its jobs were locked when its others were rescued.
      -- Wait a minute, because its row may not be committed yet.
      OR w.id IS NULL AND q.claimed_on < v_now - interval '1 minute')
    FOR UPDATE OF q SKIP LOCKED
  LOOP
    -- One row that is wrong must not stop the rescue of the others.
    BEGIN
      PERFORM zeke_jobs.move(
        ARRAY[v_job.message_id], CASE v_job.outcome WHEN 'rescued' THEN 'died' WHEN 'cancelled' THEN 'cancelled' ELSE 'quarantined' END,
        jsonb_build_object('died', true, 'units', 'cut off', 'error', jsonb_build_object(
          'type', 'WorkerDied',
          'message', format('the worker process on %s (pid %s) last proved life at %s; death %s of this job%s', coalesce(v_job.host, '?'),
            coalesce(v_job.pid::text, '?'),
            coalesce(to_char(v_job.heartbeat_on AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'a time that is no longer known'), v_job.deaths,
            CASE v_job.outcome WHEN 'quarantined' THEN ', quarantined' WHEN 'failed' THEN ', no retries left' ELSE '' END))));
      message_id := v_job.message_id;
      task := v_job.task;
      deaths := v_job.deaths;
      outcome := v_job.outcome;
      RETURN NEXT;
    EXCEPTION WHEN OTHERS THEN
      RAISE WARNING 'job % of % cannot be rescued: %', v_job.message_id, v_job.task, SQLERRM;
    END;
  END LOOP;
  -- Also if a job was locked: a process that comes back must learn that it has lost the others.
  DELETE FROM zeke_jobs.worker AS w WHERE w.id = ANY (v_lost);
END
$$;

-- After the server's clock was set back, a rate would wait until it is where it was: if that is more than two periods and a minute, let it start now.
-- A throttled limit, or one with an open breaker, opens after the time that it was closed for.
CREATE OR REPLACE FUNCTION zeke_jobs.follow_clock(p_now timestamptz) RETURNS void
LANGUAGE sql VOLATILE
AS $$
  UPDATE zeke_jobs.bucket AS b SET next_at = p_now
  WHERE b.ctid = ANY (ARRAY(
    SELECT o.ctid FROM zeke_jobs.bucket AS o
    WHERE o.unit = 'jobs' AND o.next_at > p_now + 2 * o.period + interval '1 minute'
    FOR UPDATE SKIP LOCKED));
  UPDATE zeke_jobs.bucket AS b
  SET closed_until = b.closed_until - (o.since - p_now), lowered_on = least(b.lowered_on, p_now), tripped_on = least(b.tripped_on, p_now)
  FROM (
    SELECT o.name, greatest(o.lowered_on, o.tripped_on) AS since FROM zeke_jobs.bucket AS o
    WHERE o.unit = 'jobs' AND greatest(o.lowered_on, o.tripped_on) > p_now + interval '1 minute'
    FOR UPDATE SKIP LOCKED
  ) AS o
  WHERE b.name = o.name AND b.unit = 'jobs';
  UPDATE zeke_jobs.bucket_key AS k SET next_at = p_now
  FROM zeke_jobs.bucket AS b
  WHERE b.name = k.name AND b.unit = 'jobs' AND k.next_at > p_now + 2 * b.key_period + interval '1 minute';
$$;

-- The names of the chores that are due. A process asks after each proof of life. p_thorough: also those that read all queued jobs.
CREATE OR REPLACE FUNCTION zeke_jobs.chores(p_thorough boolean DEFAULT false) RETURNS text[]
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
BEGIN
  IF p_thorough THEN
    PERFORM zeke_jobs.follow_clock(v_now);
  END IF;
  RETURN ARRAY(
    SELECT 'rescue' WHERE EXISTS (SELECT 1 FROM zeke_jobs.lost_processes(v_now))
    UNION ALL
    SELECT 'expire' WHERE EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.expires_on IS NOT NULL AND q.deaths IN (0, 1) AND q.expires_on <= v_now AND q.attempt = 0)
    UNION ALL
    SELECT 'revert' WHERE EXISTS (SELECT 1 FROM zeke_jobs.overrides_over())
    UNION ALL
    SELECT 'rescue' WHERE p_thorough AND EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q
      WHERE q.state = 'consumed' AND q.claimed_on < v_now - interval '1 minute'
        AND NOT EXISTS (SELECT 1 FROM zeke_jobs.worker AS w WHERE w.id = q.worker))
    UNION ALL
    SELECT 'gather' WHERE p_thorough AND EXISTS (
      SELECT 1 FROM zeke_jobs.queued_names() AS p LEFT JOIN LATERAL zeke_jobs.find_task(p.task) AS t ON true
      WHERE t.id IS NULL OR t.id <> p.task OR t.queue <> p.queue OR t.order_hold IS NOT NULL AND EXISTS (
        SELECT 1 FROM zeke_jobs.queue AS q
        WHERE q.state = 'queued' AND q.queue_name = p.queue AND q.task = p.task AND q.order_hold IS DISTINCT FROM t.order_hold)));
END
$$;

-- Of these jobs of a worker: those that are being cancelled.
CREATE OR REPLACE FUNCTION zeke_jobs.cancelling(p_worker uuid, p_held uuid[]) RETURNS TABLE (id uuid, reason text)
LANGUAGE sql STABLE
SET enable_seqscan = off SET jit = off
AS $$
  SELECT q.message_id, q.extra ->> 'cancel_reason' FROM zeke_jobs.queue AS q
  WHERE q.message_id = ANY (p_held) AND q.worker = p_worker AND q.cancelled_on IS NOT NULL
$$;
