-- These functions rescue the jobs of lost processes, and find the maintenance work (chores) that is due.

-- Return the processes whose last heartbeat is older than their lost_after. After an outage of the database, all heartbeats are old. So, if any worker is live,
-- a process counts as lost only after a live worker has sent heartbeats for at least the process's lost_after.
CREATE OR REPLACE FUNCTION zeke_jobs.lost_processes(p_now timestamptz) RETURNS SETOF zeke_jobs.worker
LANGUAGE sql STABLE AS $$
  SELECT w.* FROM zeke_jobs.worker AS w WHERE w.heartbeat_on < p_now - w.lost_after AND coalesce((
    SELECT min(o.beating_since) FROM zeke_jobs.worker AS o WHERE o.kind = 'worker' AND o.heartbeat_on >= p_now - o.lost_after
  ) <= p_now - w.lost_after, true) $$;

-- Put the jobs of lost processes back into the queue. The lost attempt does not count as a retry, but a job whose retry limit is 0 fails. If two processes died
-- while they ran a job, the job must run alone; after a third death the job fails (quarantine). Locked jobs are skipped; a later call rescues them.
CREATE OR REPLACE FUNCTION zeke_jobs.rescue() RETURNS TABLE (message_id uuid, task text, deaths integer, outcome text)
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_lost uuid[] := ARRAY(SELECT w.id FROM zeke_jobs.lost_processes(v_now) AS w);
  v_job record;
BEGIN
  -- Because of this lock, only one transaction rescues the jobs of a process. Check the heartbeat again: the process may have sent one since the first search.
  v_lost := ARRAY(
    SELECT w.id FROM zeke_jobs.worker AS w WHERE w.id = ANY (v_lost) AND w.heartbeat_on < v_now - w.lost_after ORDER BY w.id FOR UPDATE SKIP LOCKED);
  FOR v_job IN
    SELECT q.message_id, q.task, q.deaths + 1 AS deaths, w.host, w.pid, w.heartbeat_on, CASE
        WHEN q.cancelled_on IS NOT NULL THEN 'cancelled'
        WHEN q.deaths >= 2 THEN 'quarantined'
        WHEN coalesce((q.message #>> '{options,retry,limit}'), t.retry_limit::text, '0') = '0' THEN 'failed'
        ELSE 'rescued' END AS outcome
    FROM zeke_jobs.queue AS q LEFT JOIN zeke_jobs.worker AS w ON w.id = q.worker
    LEFT JOIN LATERAL zeke_jobs.find_task(q.task) AS t ON true
    WHERE q.state = 'consumed' AND (q.worker = ANY (v_lost)
      -- Jobs of a process without a row in zeke_jobs.worker are rescued only after a minute: a new process may not have committed its row yet.
      OR w.id IS NULL AND q.claimed_on < v_now - interval '1 minute')
    FOR UPDATE OF q SKIP LOCKED
  LOOP
    BEGIN -- one job that cannot be rescued must not stop the rescue of the other jobs
      PERFORM zeke_jobs.move(
        ARRAY[v_job.message_id], CASE v_job.outcome WHEN 'rescued' THEN 'died' WHEN 'cancelled' THEN 'cancelled' ELSE 'quarantined' END,
        jsonb_build_object('died', true, 'units', 'cut off', 'error', jsonb_build_object(
          'type', 'WorkerDied',
          'message', format('the worker process on %s (pid %s) last proved life at %s; death %s of this job%s', coalesce(v_job.host, '?'),
            coalesce(v_job.pid::text, '?'),
            coalesce(to_char(v_job.heartbeat_on AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'a time that is no longer known'), v_job.deaths,
            CASE v_job.outcome WHEN 'quarantined' THEN ', quarantined' WHEN 'failed' THEN ', no retries left' ELSE '' END))));
      RETURN QUERY SELECT v_job.message_id, v_job.task, v_job.deaths, v_job.outcome;
    EXCEPTION WHEN OTHERS THEN
      RAISE WARNING 'job % of % cannot be rescued: %', v_job.message_id, v_job.task, SQLERRM;
    END;
  END LOOP;
  -- The rows of lost processes are deleted even if a locked job was skipped, because a process that comes back must learn that it has lost its jobs.
  DELETE FROM zeke_jobs.worker AS w WHERE w.id = ANY (v_lost);
END $$;

-- Return the names of the chores that are due (see worker/life/chores.py). If p_thorough is true, also make the checks that may read many jobs.
CREATE OR REPLACE FUNCTION zeke_jobs.chores(p_thorough boolean DEFAULT false) RETURNS text[]
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
BEGIN
  IF p_thorough THEN
    -- If the server's clock was set back, correct the limits: a job may start now under a rate, and throttling or a breaker's pause lasts as planned.
    UPDATE zeke_jobs.bucket AS b
    SET next_at = CASE WHEN b.next_at > v_now + 2 * b.period + interval '1 minute' THEN v_now ELSE b.next_at END,
      closed_until = b.closed_until - greatest(interval '0', greatest(b.lowered_on, b.tripped_on) - v_now),
      lowered_on = CASE WHEN b.lowered_on > v_now THEN v_now ELSE b.lowered_on END, -- least() would replace NULL by v_now
      tripped_on = CASE WHEN b.tripped_on > v_now THEN v_now ELSE b.tripped_on END
    WHERE b.ctid = ANY (ARRAY(
      SELECT o.ctid FROM zeke_jobs.bucket AS o
      WHERE o.unit = 'jobs'
        AND (o.next_at > v_now + 2 * o.period + interval '1 minute' OR greatest(o.lowered_on, o.tripped_on) > v_now + interval '1 minute')
      FOR UPDATE SKIP LOCKED));
    UPDATE zeke_jobs.bucket_key AS k SET next_at = v_now FROM zeke_jobs.bucket AS b
    WHERE b.name = k.name AND b.unit = 'jobs' AND k.next_at > v_now + 2 * b.key_period + interval '1 minute';
  END IF;
  RETURN ARRAY(SELECT c.name FROM (VALUES
    ('rescue', EXISTS (SELECT 1 FROM zeke_jobs.lost_processes(v_now)) OR p_thorough AND EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.claimed_on < v_now - interval '1 minute'
        AND NOT EXISTS (SELECT 1 FROM zeke_jobs.worker AS w WHERE w.id = q.worker))),
    ('expire', EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.expires_on IS NOT NULL AND q.deaths IN (0, 1) AND q.expires_on <= v_now AND q.attempt = 0)),
    ('revert', EXISTS (SELECT 1 FROM zeke_jobs.overrides_over())),
    ('gather', p_thorough AND EXISTS (
      SELECT 1 FROM zeke_jobs.queued_names() AS p LEFT JOIN LATERAL zeke_jobs.find_task(p.task) AS t ON true
      WHERE t.id IS NULL OR t.id <> p.task OR t.queue <> p.queue OR t.order_hold IS NOT NULL AND EXISTS (
        SELECT 1 FROM zeke_jobs.queue AS q
        WHERE q.state = 'queued' AND q.queue_name = p.queue AND q.task = p.task AND q.order_hold IS DISTINCT FROM t.order_hold)))
  ) AS c (name, is_due) WHERE c.is_due);
END $$;

-- Return the jobs in p_held that are marked as cancelled, each with the reason.
CREATE OR REPLACE FUNCTION zeke_jobs.cancelling(p_worker uuid, p_held uuid[]) RETURNS TABLE (id uuid, reason text)
LANGUAGE sql STABLE SET enable_seqscan = off AS $$
  SELECT q.message_id, q.extra ->> 'cancel_reason' FROM zeke_jobs.queue AS q
  WHERE q.message_id = ANY (p_held) AND q.worker = p_worker AND q.cancelled_on IS NOT NULL $$;
