-- What a backtest needs of jobs whose rows are gone: when they were claimed, until when they had to start, and their attempts.

ALTER TABLE zeke_jobs.history
  ADD COLUMN seq bigint,
  ADD COLUMN claimed_on timestamptz,
  ADD COLUMN expires_on timestamptz,
  ADD COLUMN attempts jsonb;
COMMENT ON COLUMN zeke_jobs.history.seq IS 'Order of arrival.';
COMMENT ON COLUMN zeke_jobs.history.claimed_on IS 'When the last attempt was claimed.';
COMMENT ON COLUMN zeke_jobs.history.expires_on IS 'Cancelled if it had not started by then.';
COMMENT ON COLUMN zeke_jobs.history.attempts IS 'Every attempt that did not complete: times, outcome, type of error; NULL is unknown.';

-- Attempts without what makes them long: messages, tracebacks.
CREATE FUNCTION zeke_jobs.brief_attempts(p_attempts jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT CASE WHEN p_attempts = '[]' THEN p_attempts ELSE (
    SELECT jsonb_agg(
      jsonb_strip_nulls(jsonb_build_object(
        'attempt', a.value -> 'attempt', 'outcome', a.value -> 'outcome', 'started_on', a.value -> 'started_on',
        'ended_on', a.value -> 'ended_on', 'error', jsonb_build_object('type', a.value #> '{error,type}')))
      ORDER BY a.n)
    FROM jsonb_array_elements(p_attempts) WITH ORDINALITY AS a (value, n)) END
$$;

-- Move up to p_limit jobs of a task, that ended in one way before p_before, from the table to the history, the oldest first. Rows that
-- somebody holds are left for the next time. Answers how many, and when the last of them ended: the next call goes on from there,
-- past the index's entries of what was removed.
CREATE FUNCTION zeke_jobs.purge(
  p_task text, p_status zeke_jobs.job_status, p_after timestamptz, p_before timestamptz, p_limit integer,
  OUT purged integer, OUT reached timestamptz)
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_places tid[];
  v_sensitive text[] := (SELECT t.sensitive FROM zeke_jobs.find_task(p_task) AS t);
BEGIN
  -- What a crash of the server undoes is purged again.
  PERFORM set_config('synchronous_commit', 'off', true);
  IF p_status = 'completed' THEN
    v_places := ARRAY(
      SELECT q.ctid FROM zeke_jobs.queue AS q
      WHERE q.state = 'done' AND q.task = p_task
        AND q.completed_on >= p_after AND q.completed_on < p_before
      ORDER BY q.completed_on LIMIT p_limit
      FOR UPDATE SKIP LOCKED);
  ELSIF p_status = 'failed' THEN
    v_places := ARRAY(
      SELECT q.ctid FROM zeke_jobs.queue AS q
      WHERE q.state = 'rejected' AND q.cancelled_on IS NULL AND q.task = p_task
        AND q.completed_on >= p_after AND q.completed_on < p_before
      ORDER BY q.completed_on LIMIT p_limit
      FOR UPDATE SKIP LOCKED);
  ELSE
    v_places := ARRAY(
      SELECT q.ctid FROM zeke_jobs.queue AS q
      WHERE q.state = 'rejected' AND q.cancelled_on IS NOT NULL AND q.task = p_task
        AND q.completed_on >= p_after AND q.completed_on < p_before
      ORDER BY q.completed_on LIMIT p_limit
      FOR UPDATE SKIP LOCKED);
  END IF;
  WITH gone AS (
    DELETE FROM zeke_jobs.queue AS q
    WHERE q.ctid = ANY (v_places)
    RETURNING q.message_id, q.task, q.queue_name, q.priority, q.key, q.attempt, q.deaths, q.parent, q.scheduled_for, q.revision,
      q.run_at, q.created_on, q.started_on, q.completed_on, q.cost, q.currency, q.seq, q.claimed_on, q.expires_on, q.attempts,
      q.unique_key, zeke_jobs.unquoted(q.key, q.message, q.sensitive || v_sensitive) <> q.key AS is_sensitive
  ),
  kept AS (
    INSERT INTO zeke_jobs.history AS h (
      id, name, state, queue, priority, key, attempt, deaths, parent, scheduled_for, revision, run_at, created_on, started_on,
      completed_on, purged_on, cost, currency, seq, claimed_on, expires_on, attempts, is_sensitive)
    SELECT
      g.message_id, g.task, p_status, g.queue_name, g.priority, g.key, g.attempt, g.deaths, g.parent, g.scheduled_for, g.revision,
      g.run_at, g.created_on, g.started_on, g.completed_on, v_now, g.cost, g.currency, g.seq, g.claimed_on, g.expires_on,
      zeke_jobs.brief_attempts(g.attempts), coalesce(g.is_sensitive, false)
    FROM gone AS g
    -- The caller's own id, used again after the first job with it was purged.
    ON CONFLICT (id) DO UPDATE
    SET name = excluded.name, state = excluded.state, queue = excluded.queue, priority = excluded.priority, key = excluded.key,
      attempt = excluded.attempt, deaths = excluded.deaths, parent = excluded.parent, scheduled_for = excluded.scheduled_for,
      revision = excluded.revision, run_at = excluded.run_at, created_on = excluded.created_on, started_on = excluded.started_on,
      completed_on = excluded.completed_on, purged_on = excluded.purged_on, cost = excluded.cost,
      currency = excluded.currency, seq = excluded.seq, claimed_on = excluded.claimed_on, expires_on = excluded.expires_on,
      attempts = excluded.attempts, is_sensitive = excluded.is_sensitive
  ),
  left_behind AS (
    SELECT u.unique_key FROM zeke_jobs.unique_holder AS u JOIN gone AS g ON u.unique_key = g.unique_key AND u.job = g.message_id
    -- A sender that is just taking the key over is not waited for.
    FOR UPDATE OF u SKIP LOCKED
  ),
  freed AS (
    DELETE FROM zeke_jobs.unique_holder AS u USING left_behind AS l WHERE u.unique_key = l.unique_key
  )
  SELECT count(*), max(g.completed_on) INTO purged, reached FROM gone AS g;
END
$$;
