-- These functions move finished jobs to the history when their retention time has passed.

-- Return a row for each task and status with jobs to purge: jobs that ended before the time in "before". A job is kept for at least the unique period
-- of its task, and a job of a removed task for 30 days. One row, with the task NULL, is for all jobs sent with the option keep (their own retention time).
CREATE OR REPLACE FUNCTION zeke_jobs.overdue() RETURNS TABLE (task text, status zeke_jobs.job_status, before timestamptz)
LANGUAGE sql STABLE SET enable_seqscan = off AS $$
  WITH RECURSIVE present (task) AS (
    (SELECT q.task FROM zeke_jobs.queue AS q WHERE q.state IN ('done', 'rejected') ORDER BY q.task LIMIT 1)
    UNION ALL
    SELECT n.task FROM present AS p CROSS JOIN LATERAL (
      SELECT q.task FROM zeke_jobs.queue AS q WHERE q.state IN ('done', 'rejected') AND q.task > p.task ORDER BY q.task LIMIT 1) AS n
  )
  SELECT p.task, s.status, b.before FROM present AS p
  CROSS JOIN unnest('{completed,failed,cancelled}'::zeke_jobs.job_status[]) AS s (status)
  LEFT JOIN zeke_jobs.task AS t ON t.id = p.task CROSS JOIN LATERAL (
    SELECT zeke_jobs.now() - greatest(
      coalesce((t.definition #>> ARRAY['keep', s.status::text])::interval, '30 days'), t.unique_period) AS before) AS b
  WHERE (
    SELECT true FROM zeke_jobs.queue AS q -- with EXISTS, the planner makes a join that reads all ended jobs if it believes that the table is small
    WHERE q.state IN ('done', 'rejected') AND q.state = CASE s.status WHEN 'completed' THEN 'done'::zeke_jobs.state ELSE 'rejected' END
      AND q.task = p.task AND q.completed_on < b.before AND (q.extra ->> 'keep') IS NULL
      AND (s.status = 'completed' OR (q.cancelled_on IS NULL) = (s.status = 'failed'))
    LIMIT 1)
  UNION ALL
  SELECT NULL, NULL, zeke_jobs.now() WHERE EXISTS (SELECT 1 FROM zeke_jobs.purge_due AS p WHERE p.purge_on < zeke_jobs.now()) $$;

-- Return whether a failed job blocks the end of its batch or the next job of its key. Retrying or cancelling the failed job ends the block.
CREATE OR REPLACE FUNCTION zeke_jobs.holds_up(p_job zeke_jobs.queue) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN coalesce(p_job.order_hold, false) AND p_job.key <> p_job.message_id::text AND (zeke_jobs.find_task(p_job.task)).id IS NOT NULL
    OR EXISTS (SELECT 1 FROM zeke_jobs.batch AS b WHERE b.id = p_job.extra ->> 'batch' AND b.after_failure = 'hold' AND b.ended_on IS NULL);
END $$;

-- Move to the history at most p_limit jobs of a task and status that ended between p_after and p_before. If p_task is NULL, move jobs sent with the option keep
-- whose time has passed. A failed job stays while it blocks other jobs. reached is the time up to which jobs were moved: p_after for the next call.
CREATE OR REPLACE FUNCTION zeke_jobs.purge(p_task text, p_status zeke_jobs.job_status, p_after timestamptz,
  p_before timestamptz, p_limit integer, OUT purged integer, OUT reached timestamptz)
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET random_page_cost = 4 SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_places tid[];
  v_jobs uuid[];
  v_sensitive text[] := (SELECT t.sensitive FROM zeke_jobs.find_task(p_task) AS t);
BEGIN
  -- If a crash of the server undoes a purge, the purge is repeated.
  PERFORM set_config('synchronous_commit', 'off', true);
  IF p_task IS NULL THEN
    v_places := ARRAY(
      SELECT q.ctid FROM zeke_jobs.purge_due AS p JOIN zeke_jobs.queue AS q ON q.message_id = p.job
      WHERE p.purge_on >= p_after AND p.purge_on < p_before AND q.state IN ('done', 'rejected')
        AND (q.state = 'done' OR q.cancelled_on IS NOT NULL OR NOT zeke_jobs.holds_up(q))
      ORDER BY p.purge_on LIMIT p_limit FOR UPDATE OF q SKIP LOCKED);
  ELSE
    v_places := ARRAY(
      SELECT q.ctid FROM zeke_jobs.queue AS q
      WHERE q.state = CASE p_status WHEN 'completed' THEN 'done'::zeke_jobs.state ELSE 'rejected' END AND q.task = p_task
        AND q.completed_on >= p_after AND q.completed_on < p_before AND (q.extra ->> 'keep') IS NULL
        AND (p_status = 'completed' OR (q.cancelled_on IS NULL) = (p_status = 'failed')) AND (p_status <> 'failed' OR NOT zeke_jobs.holds_up(q))
      ORDER BY q.completed_on LIMIT p_limit FOR UPDATE SKIP LOCKED);
  END IF;
  -- The history may have a job with the same id, because a sender may use the id of a purged job again.
  DELETE FROM zeke_jobs.history AS h USING zeke_jobs.queue AS q WHERE q.ctid = ANY (v_places) AND h.id = q.message_id;
  INSERT INTO zeke_jobs.history (
    id, name, state, queue, priority, key, attempt, deaths, parent, scheduled_for, revision, run_at, created_on, started_on,
    completed_on, purged_on, cost, currency, seq, claimed_on, expires_on, attempts, batch, is_sensitive)
  SELECT
    q.message_id, q.task, zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on), q.queue_name, q.priority, q.key, q.attempt, q.deaths, q.parent,
    q.scheduled_for, q.revision, q.run_at, q.created_on, q.started_on, q.completed_on, v_now, c.cost, c.currency, q.seq, q.claimed_on, q.expires_on,
    zeke_jobs.brief_attempts(q.attempts), q.extra ->> 'batch',
    coalesce(zeke_jobs.mask_text(q.key, q.message -> 'kwargs', q.sensitive || coalesce(
      v_sensitive, (SELECT t.sensitive FROM zeke_jobs.find_task(q.task) AS t))) <> q.key, false)
  FROM zeke_jobs.queue AS q LEFT JOIN zeke_jobs.cost AS c ON c.job = q.message_id WHERE q.ctid = ANY (v_places);
  WITH gone AS (
    DELETE FROM zeke_jobs.queue AS q WHERE q.ctid = ANY (v_places)
    RETURNING q.message_id, CASE WHEN p_task IS NULL THEN q.completed_on + (q.extra ->> 'keep')::interval ELSE q.completed_on END AS place
  )
  SELECT array_agg(g.message_id), count(*), max(g.place) INTO v_jobs, purged, reached FROM gone AS g;
  DELETE FROM zeke_jobs.unique_holder AS u WHERE u.unique_key = ANY (ARRAY(
    -- A unique key that a sender has locked is skipped, because the sender is taking over the key.
    SELECT o.unique_key FROM zeke_jobs.unique_holder AS o WHERE o.job = ANY (v_jobs) FOR UPDATE SKIP LOCKED));
  DELETE FROM zeke_jobs.step AS s WHERE s.job = ANY (v_jobs);
  DELETE FROM zeke_jobs.wait AS w WHERE w.job = ANY (v_jobs);
  DELETE FROM zeke_jobs.job_log AS l WHERE l.job = ANY (v_jobs);
  DELETE FROM zeke_jobs.cost AS c WHERE c.job = ANY (v_jobs);
  DELETE FROM zeke_jobs.purge_due AS p WHERE p.job = ANY (v_jobs);
END $$;
