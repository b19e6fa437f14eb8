-- Only zeke_jobs.claim and the functions of this file change the state of a job.

-- Move jobs to another state, call zeke_jobs.after_move, and return the ids of the moved jobs. With p_worker, move only jobs that it holds with the claim
-- numbers p_claims; a job that is marked as cancelled becomes cancelled instead. If p_worker is NULL, the caller has locked the rows. p_to is one of:
--   completed: the job has ended, with an output. failed, cancelled, expired: the job has ended, without an output.
--   retry, deferred: the job is queued again, and becomes due at p_change.run_at.
--   returned: the job is put back into the queue; the attempt does not count. again: a person retried the job, with a fresh limit of retries.
--   died: the job's process was lost, and the job is queued again without using up a retry. quarantined: the process was lost, and the job has failed.
-- p_after and p_took are the seconds from the claim to the handler's start (NULL: not started) and end. p_change may have the keys run_at, reason, by, error,
-- revision, units (p_how of settle_units), breaks (whether breakers count a failure), died (the process was lost) and claims_next (the caller claims next).
CREATE OR REPLACE FUNCTION zeke_jobs.move(
  p_ids uuid[], p_to text, p_change jsonb DEFAULT '{}', p_worker uuid DEFAULT NULL, p_claims bigint[] DEFAULT NULL,
  p_after double precision[] DEFAULT NULL, p_took double precision[] DEFAULT NULL, p_results text[] DEFAULT NULL) RETURNS uuid[]
-- The condition on message_id makes the planner use the primary key; a nested loop would compare each row with each id. If a row stays locked for 100
-- ms, the function fails, and the worker stores the end of the job later.
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET enable_nestloop = off SET lock_timeout = '100ms' AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_moved record;
BEGIN
  IF p_to = 'completed' THEN
    WITH moved AS (
      UPDATE zeke_jobs.queue AS q
      SET state = CASE WHEN q.cancelled_on IS NULL THEN 'done' ELSE 'rejected' END::zeke_jobs.state,
        result = CASE WHEN q.cancelled_on IS NULL THEN d.result::jsonb END,
        worker = NULL, mtime = v_now, completed_on = least(v_now, q.claimed_on + d.took * interval '1 second'),
        attempt = q.attempt + CASE WHEN q.started_on IS NULL THEN 1 ELSE 0 END,
        started_on = coalesce(q.started_on, least(v_now, q.claimed_on + d.after * interval '1 second'))
      -- A condition on state could make the planner choose an index on state, whose dead entries this statement would have to read.
      FROM unnest(p_ids, p_claims, p_after, p_took, p_results) AS d (id, claim, after, took, result)
      WHERE q.message_id = ANY (p_ids) AND q.message_id = d.id AND q.claim = d.claim AND q.worker = p_worker
      RETURNING q.message_id, q.task, q.queue_name, q.state, q.extra, q.order_hold
    )
    SELECT array_agg(m.message_id) AS ids, array_agg(m.task) AS tasks, '{}'::text[] AS queues, '{}'::uuid[] AS failed,
      bool_or(m.extra IS NOT NULL) AS has_extra, array_agg(m.queue_name) FILTER (WHERE m.order_hold IS NOT NULL) AS lines
    INTO v_moved FROM moved AS m;
  ELSE
    IF p_worker IS NULL THEN PERFORM zeke_jobs.count_in_batches(p_ids, -1); END IF;
    WITH held AS MATERIALIZED (
      SELECT q.message_id, q.state AS was, CASE WHEN q.cancelled_on IS NOT NULL AND p_worker IS NOT NULL THEN 'cancelled' ELSE p_to END AS outcome,
        least(v_now, q.claimed_on + d.took * interval '1 second') AS ended,
        coalesce(q.started_on, CASE WHEN d.after IS NOT NULL THEN least(v_now, q.claimed_on + d.after * interval '1 second') END) AS started,
        d.after IS NOT NULL OR q.started_on IS NOT NULL AS has_started
      FROM unnest(p_ids, p_claims, p_after, p_took) AS d (id, claim, after, took) JOIN zeke_jobs.queue AS q ON q.message_id = d.id
      WHERE q.message_id = ANY (p_ids) AND (p_worker IS NULL OR q.claim = d.claim AND q.worker = p_worker)
      FOR UPDATE OF q
    ),
    moved AS (
      UPDATE zeke_jobs.queue AS q
      SET
        state = CASE WHEN h.outcome IN ('failed', 'quarantined', 'cancelled', 'expired') THEN 'rejected' ELSE 'queued' END::zeke_jobs.state,
        worker = NULL, mtime = v_now,
        attempt = q.attempt + CASE
          WHEN h.outcome IN ('died', 'quarantined') THEN (q.started_on IS NULL)::integer
          WHEN h.was <> 'consumed' THEN 0
          WHEN h.outcome IN ('deferred', 'returned') OR NOT h.has_started THEN -(q.started_on IS NOT NULL)::integer
          ELSE (q.started_on IS NULL)::integer END,
        attempt_base = CASE WHEN h.outcome = 'again' THEN q.attempt ELSE q.attempt_base + (h.outcome IN ('died', 'quarantined'))::integer END,
        deaths = CASE
          WHEN h.outcome IN ('died', 'quarantined') THEN q.deaths + 1
          WHEN h.outcome = 'again' OR h.outcome IN ('retry', 'deferred') AND q.deaths = 1 AND h.has_started THEN 0
          ELSE q.deaths END,
        started_on = CASE WHEN h.outcome <> 'again' THEN h.started END,
        run_at = CASE WHEN h.outcome = 'again' THEN v_now WHEN h.outcome IN ('retry', 'deferred') THEN (p_change ->> 'run_at')::timestamptz ELSE q.run_at END,
        completed_on = CASE WHEN h.outcome IN ('failed', 'quarantined', 'cancelled', 'expired') THEN coalesce(q.completed_on, h.ended, v_now) END,
        cancelled_on = CASE WHEN h.outcome IN ('cancelled', 'expired') THEN coalesce(q.cancelled_on, h.ended, v_now) WHEN h.outcome <> 'again' THEN q.cancelled_on END,
        expires_on = CASE WHEN h.outcome <> 'again' THEN q.expires_on END,
        result = CASE WHEN h.outcome <> 'again' THEN q.result END,
        attempts = CASE WHEN h.was <> 'consumed' OR h.outcome = 'returned' THEN q.attempts
          -- Only the last hundred attempts are kept, because a job may be deferred again and again for days.
          ELSE (CASE WHEN jsonb_array_length(q.attempts) >= 100 THEN q.attempts - 0 ELSE q.attempts END)
            || jsonb_strip_nulls(jsonb_build_object(
              'attempt', q.attempt + (q.started_on IS NULL AND (h.has_started OR h.outcome IN ('died', 'quarantined')))::integer,
              'outcome', CASE WHEN h.outcome = 'quarantined' OR p_change ? 'died' THEN 'died' ELSE h.outcome END,
              'worker', q.worker, 'revision', coalesce((p_change ->> 'revision')::integer, q.revision),
              'started_on', coalesce(h.started, CASE WHEN p_change ? 'died' THEN q.claimed_on END), 'ended_on', coalesce(h.ended, v_now),
              'reason', p_change ->> 'reason', 'error', nullif(p_change -> 'error', 'null'))) END,
        extra = CASE
          WHEN h.outcome = 'again' THEN nullif(q.extra - '{waiting_for,progress,cancel_reason,cancelled_by}'::text[], '{}')
          WHEN q.extra IS NULL AND h.outcome NOT IN ('cancelled', 'expired', 'deferred') THEN NULL
          ELSE nullif((coalesce(q.extra, '{}') - 'waiting_for') || jsonb_strip_nulls(jsonb_build_object(
            'waiting_for', CASE WHEN h.outcome = 'deferred' THEN p_change ->> 'reason' END,
            'cancel_reason', CASE WHEN h.outcome = 'cancelled' THEN coalesce(q.extra ->> 'cancel_reason', p_change ->> 'reason')
              WHEN h.outcome = 'expired' THEN format('expired: not started by %s', to_char(q.expires_on AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) END,
            'cancelled_by', coalesce(q.extra ->> 'cancelled_by', CASE WHEN h.outcome = 'cancelled' AND q.cancelled_on IS NULL THEN p_change ->> 'by' END))), '{}') END
      FROM held AS h WHERE q.message_id = ANY (p_ids) AND q.message_id = h.message_id
      RETURNING q.message_id, q.task, q.queue_name, q.state, q.extra, q.order_hold, q.run_at, q.cancelled_on, h.was
    )
    SELECT array_agg(m.message_id) AS ids, array_agg(m.task) AS tasks,
      array_agg(m.queue_name) FILTER (WHERE m.state = 'queued' AND zeke_jobs.is_soon(m.run_at, v_now)) AS queues,
      array_agg(m.message_id) FILTER (WHERE m.state = 'rejected' AND m.was <> 'rejected' AND m.cancelled_on IS NULL) AS failed,
      bool_or(m.extra IS NOT NULL) AS has_extra, array_agg(m.queue_name) FILTER (WHERE m.order_hold IS NOT NULL) AS lines
    INTO v_moved FROM moved AS m;
  END IF;
  IF v_moved.ids IS NULL THEN RETURN '{}'; END IF;
  PERFORM zeke_jobs.after_move(
    v_moved.ids, v_moved.tasks, v_moved.queues || v_moved.lines, v_moved.failed, v_moved.has_extra, p_worker,
    coalesce(p_change ->> 'units', CASE p_to WHEN 'completed' THEN 'completed' WHEN 'deferred' THEN 'deferred' WHEN 'returned' THEN 'returned' ELSE 'cut off' END),
    CASE p_to WHEN 'completed' THEN false ELSE (p_change ->> 'breaks')::boolean END, p_change ? 'claims_next');
  RETURN v_moved.ids;
END $$;

-- After a move, update limits, breakers and batches, and notify processes. p_queues names the queues in which a job may start now. p_breaks tells the breakers
-- whether the attempts failed; breakers ignore NULL. If p_claims_next is true, notify no process that waits for a limit: the caller does so after its claim.
CREATE OR REPLACE FUNCTION zeke_jobs.after_move(p_ids uuid[], p_tasks text[], p_queues text[], p_failed uuid[],
  p_has_extra boolean, p_worker uuid, p_units text, p_breaks boolean, p_claims_next boolean) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_has_units boolean;
  v_has_breaker boolean;
  v_is_waited_for boolean; -- whether another process waits for a limit
BEGIN
  SELECT EXISTS (SELECT 1 FROM zeke_jobs.unit_use AS u WHERE u.job = ANY (p_ids)),
    EXISTS (SELECT 1 FROM zeke_jobs.bucket AS b WHERE b.breaker_pause IS NOT NULL),
    NOT p_claims_next AND EXISTS (SELECT 1 FROM zeke_jobs.worker AS w WHERE w.limited <> '{}' AND w.id IS DISTINCT FROM p_worker)
  INTO v_has_units, v_has_breaker, v_is_waited_for;
  IF v_has_units OR p_units = 'returned' THEN PERFORM zeke_jobs.settle_units(p_ids, p_units); END IF;
  IF v_has_breaker AND p_breaks IS NOT NULL THEN
    -- An attempt that did not fail is recorded only if the breaker is configured with a share of failures, or if the job is the breaker's probe.
    INSERT INTO zeke_jobs.breaker_end (name, ended_on, failed, job)
    SELECT b.name, zeke_jobs.now(), p_breaks, q.message_id
    FROM zeke_jobs.queue AS q CROSS JOIN LATERAL zeke_jobs.find_task(q.task) AS t JOIN zeke_jobs.bucket AS b ON b.name = ANY (t.limits)
    WHERE q.message_id = ANY (p_ids) AND b.breaker_pause IS NOT NULL AND (p_breaks OR b.breaker_share IS NOT NULL OR b.probe = q.message_id);
  END IF;
  -- The conditions below test completed_on instead of state, because a cached plan for a condition on state would read all ended jobs.
  IF p_has_extra THEN
    PERFORM zeke_jobs.count_in_batches(p_ids, CASE WHEN p_worker IS NULL THEN 1 ELSE 0 END);
    INSERT INTO zeke_jobs.purge_due AS p (job, purge_on)
    SELECT q.message_id, q.completed_on + (q.extra ->> 'keep')::interval
    FROM zeke_jobs.queue AS q WHERE q.message_id = ANY (p_ids) AND q.extra ? 'keep' AND q.completed_on IS NOT NULL
    ON CONFLICT ON CONSTRAINT purge_due_pkey DO UPDATE SET purge_on = excluded.purge_on;
    PERFORM zeke_jobs.tell_producer(q) FROM zeke_jobs.queue AS q
    WHERE q.message_id = ANY (p_ids) AND q.extra ? 'producer' AND q.completed_on IS NOT NULL;
  END IF;
  IF p_failed <> '{}' THEN
    PERFORM zeke_jobs.tell_failure(q) FROM zeke_jobs.queue AS q WHERE q.message_id = ANY (p_failed);
  END IF;
  IF p_queues <> '{}' THEN
    PERFORM zeke_jobs.notify_idle(u.queue) FROM (SELECT DISTINCT unnest(p_queues) AS queue) AS u;
  END IF;
  IF v_is_waited_for THEN PERFORM zeke_jobs.notify_freed(p_tasks, p_worker, true); END IF;
END $$;

-- Complete finished jobs and claim new jobs. If a job is due, the commit does not wait for the disk, so that limits are locked briefly. The caller then waits
-- until the commit is on disk (flush.sql) or, if the server crashed, completes the jobs again. A row of kind lost is a job that the worker no longer held.
CREATE OR REPLACE FUNCTION zeke_jobs.complete_and_claim(p_worker uuid, p_ids uuid[], p_claims bigint[],
  p_after double precision[], p_took double precision[], p_results text[], p_queue text, p_tasks text[], p_want integer,
  p_revision integer, p_is_empty boolean, p_free integer DEFAULT NULL,
  p_ahead integer DEFAULT 0) RETURNS SETOF zeke_jobs.claimed
LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_generic_plan -- the setting also holds for the functions that this function calls
AS $$
DECLARE
  v_ours uuid[];
  v_row zeke_jobs.claimed;
  v_full text[] := '{}'; -- the limits whose concurrency was reached at the claim
BEGIN
  IF p_ids <> '{}' THEN
    v_ours := zeke_jobs.move(p_ids, 'completed', '{"claims_next": true}', p_worker, p_claims, p_after, p_took, p_results);
    IF cardinality(v_ours) < cardinality(p_ids) THEN
      RETURN QUERY
        SELECT l.* FROM unnest(p_ids) AS d (id) CROSS JOIN jsonb_populate_record(NULL::zeke_jobs.claimed, jsonb_build_object('kind', 'lost', 'message_id', d.id)) AS l
        WHERE d.id <> ALL (v_ours);
    END IF;
  END IF;
  FOR v_row IN SELECT c.* FROM zeke_jobs.claim(p_worker, p_queue, p_tasks, p_want, p_revision, p_is_empty, p_free, p_ahead) AS c LOOP
    RETURN NEXT v_row;
    IF v_row.reason = 'concurrency' THEN v_full := v_full || v_row.held_by; END IF;
  END LOOP;
  IF p_ids <> '{}' AND EXISTS (SELECT 1 FROM zeke_jobs.worker AS w WHERE w.limited <> '{}' AND w.id <> p_worker) THEN
    PERFORM zeke_jobs.notify_freed(ARRAY(SELECT DISTINCT q.task FROM zeke_jobs.queue AS q WHERE q.message_id = ANY (p_ids)), p_worker, false, v_full);
  END IF;
END $$;

-- End an attempt that did not complete its job, and return whether the worker still held the job. p_after is as in zeke_jobs.move. p_breaks says that an
-- external service may have caused the failure: the task's breakers then count the failure, and the job is deferred if one of them is open.
CREATE OR REPLACE FUNCTION zeke_jobs.finish(p_worker uuid, p_id uuid, p_claim bigint, p_outcome text,
  p_after double precision, p_delay double precision, p_until timestamptz, p_reason text, p_error jsonb,
  p_revision integer, p_took double precision DEFAULT NULL, p_breaks boolean DEFAULT false) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_outcome text := p_outcome;
  v_until timestamptz;
  v_again timestamptz;
BEGIN
  IF p_breaks AND v_outcome IN ('retry', 'failed') THEN
    SELECT greatest(b.closed_until, v_now + interval '1 second') INTO v_until
    FROM zeke_jobs.queue AS q CROSS JOIN LATERAL zeke_jobs.find_task(q.task) AS t JOIN zeke_jobs.bucket AS b ON b.name = ANY (t.limits)
    WHERE q.message_id = p_id AND b.tripped_on IS NOT NULL ORDER BY b.closed_until DESC LIMIT 1;
    v_outcome := CASE WHEN FOUND THEN 'deferred' ELSE p_outcome END;
  END IF;
  IF v_outcome IN ('retry', 'deferred') THEN
    v_again := coalesce(v_until, p_until, v_now + p_delay * interval '1 second');
    PERFORM zeke_jobs.refuse(format('expected a time to run again from 1970-01-01 to 9000-01-01, got %s', v_again), 'datetime_field_overflow')
    WHERE NOT zeke_jobs.is_readable(v_again);
  END IF;
  RETURN zeke_jobs.move(
    ARRAY[p_id], v_outcome,
    jsonb_strip_nulls(jsonb_build_object('run_at', v_again, 'reason', p_reason, 'revision', p_revision, 'units', CASE
      WHEN p_outcome = 'deferred' THEN 'deferred'
      WHEN p_after IS NULL THEN 'returned'
      -- "raised" means that the handler itself raised the error. "cut off" means that a timeout, a cancel or the stop of the worker ended the attempt.
      WHEN p_outcome IN ('retry', 'failed') AND p_error ->> 'type' NOT IN ('TimedOut', 'WorkerStopped') THEN 'raised'
      ELSE 'cut off' END, 'breaks', CASE WHEN p_breaks OR v_outcome = 'failed' THEN p_breaks END)) || jsonb_build_object('error', p_error),
    p_worker, ARRAY[p_claim], ARRAY[p_after], ARRAY[p_took]) <> '{}';
END $$;

-- Record that handlers have started. If a job ends soon after its start, the transaction that ends the job records the start instead.
CREATE OR REPLACE FUNCTION zeke_jobs.mark_started(p_worker uuid, p_ids uuid[], p_claims bigint[], p_after double precision[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET enable_nestloop = off AS $$ -- these settings have the same reasons as in zeke_jobs.move
BEGIN
  WITH running AS (
    SELECT q.message_id, d.after FROM unnest(p_ids, p_claims, p_after) AS d (id, claim, after)
    JOIN zeke_jobs.queue AS q ON q.message_id = d.id AND q.claim = d.claim AND q.worker = p_worker AND q.started_on IS NULL
    WHERE q.message_id = ANY (p_ids)
    -- Skip locked jobs: a transaction that ends a job also records its start, so nothing is lost. Waiting for that transaction could cause a deadlock.
    FOR UPDATE OF q SKIP LOCKED
  )
  UPDATE zeke_jobs.queue AS q
  SET started_on = least(zeke_jobs.now(), q.claimed_on + r.after * interval '1 second'), attempt = q.attempt + 1
  FROM running AS r WHERE q.message_id = ANY (p_ids) AND q.message_id = r.message_id;
END $$;

-- After a job failed for good, send a job to the task that on_failed names. If that job fails, no other job is sent, because two tasks that name each
-- other would send jobs for ever. A payload that is too large to be sent again is left out.
CREATE OR REPLACE FUNCTION zeke_jobs.tell_failure(p_job zeke_jobs.queue) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_task zeke_jobs.task := zeke_jobs.find_task(p_job.task);
  v_payload jsonb;
  v_sent uuid;
BEGIN
  IF v_task.definition ->> 'on_failed' IS NULL OR p_job.message #> '{options,failure_of}' IS NOT NULL THEN
    RETURN;
  END IF;
  v_payload := jsonb_build_object(
    'job_id', p_job.message_id, 'task', p_job.task, 'error', coalesce(p_job.attempts #> '{-1,error}', '{}'),
    'payload', coalesce(nullif(p_job.message -> 'kwargs', 'null'), '{}'));
  IF zeke_jobs.unfit_payload(v_payload) IS NOT NULL THEN v_payload := v_payload || '{"payload": null}'; END IF;
  v_sent := (zeke_jobs.put(v_task.definition ->> 'on_failed', NULL, v_payload, jsonb_build_object(
    'parent', p_job.message_id, 'unique', false, 'carried', jsonb_build_object('failure_of', p_job.message_id)), true)).job_id;
  UPDATE zeke_jobs.queue AS q SET sensitive = nullif(ARRAY(
    SELECT DISTINCT f.name
    FROM unnest(q.sensitive || ARRAY(SELECT 'payload.' || s.name FROM unnest(p_job.sensitive || v_task.sensitive) AS s (name))) AS f (name)
    ORDER BY f.name), '{}')
  WHERE q.message_id = v_sent;
END $$;

-- Tell a dramatiq-pg producer, which may wait in get_result(block=True), that its job has ended. A notification holds less than 8,000 bytes. Instead
-- of a longer result, send text that is not JSON, so that the producer gets an error at once and not after its timeout.
CREATE OR REPLACE FUNCTION zeke_jobs.tell_producer(p_job zeke_jobs.queue) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_result jsonb := p_job.result;
  v_error jsonb := p_job.attempts #> '{-1,error}';
BEGIN
  IF p_job.state = 'rejected' THEN
    v_result := jsonb_build_object('__t', 'dramatiq.results.Result', 'exn', jsonb_build_object(
      'type', coalesce(CASE WHEN p_job.cancelled_on IS NULL THEN v_error ->> 'type' END, 'cancelled'),
      'msg', coalesce(CASE WHEN p_job.cancelled_on IS NULL THEN v_error ->> 'message' ELSE p_job.extra ->> 'cancel_reason' END, '')));
    UPDATE zeke_jobs.queue AS q SET result = v_result WHERE q.message_id = p_job.message_id;
  END IF;
  PERFORM pg_notify('dramatiq.' || p_job.message_id || '.results', CASE WHEN octet_length(v_result::text) < 8000 THEN v_result::text
    ELSE format('the result has %s bytes, more than a notification can carry: get_result(block=False) has it', octet_length(v_result::text)) END);
END $$;

-- For ctx.transaction(), lock a job, and return whether the worker holds it and it is not cancelled. If so and p_result is given, complete the job with it.
CREATE OR REPLACE FUNCTION zeke_jobs.fence(p_worker uuid, p_id uuid, p_claim bigint,
  p_after double precision DEFAULT NULL, p_result text DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off AS $$
BEGIN
  PERFORM 1 FROM zeke_jobs.queue AS q
  WHERE q.message_id = p_id AND q.claim = p_claim AND q.worker = p_worker AND q.cancelled_on IS NULL FOR NO KEY UPDATE;
  IF FOUND AND p_result IS NOT NULL THEN
    PERFORM zeke_jobs.move(ARRAY[p_id], 'completed', '{}', p_worker, ARRAY[p_claim], ARRAY[p_after], ARRAY[NULL::double precision], ARRAY[p_result]);
  END IF;
  RETURN FOUND;
END $$;

-- Cancel up to p_limit jobs whose start deadline has expired. A job that a claim has locked is skipped.
CREATE OR REPLACE FUNCTION zeke_jobs.expire(p_limit integer) RETURNS integer
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
BEGIN
  RETURN cardinality(zeke_jobs.move(ARRAY(
    SELECT q.message_id FROM zeke_jobs.queue AS q
    WHERE q.state = 'queued' AND q.expires_on IS NOT NULL AND q.deaths IN (0, 1) AND q.expires_on <= v_now AND q.attempt = 0
    LIMIT p_limit FOR UPDATE SKIP LOCKED), 'expired'));
END $$;

-- Return the unmasked result of a completed job, for the program that waits for the job.
CREATE OR REPLACE FUNCTION zeke_jobs.output_of(p_id uuid) RETURNS SETOF jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET enable_seqscan = off AS $$
  SELECT q.result FROM zeke_jobs.queue AS q WHERE q.message_id = p_id AND q.state = 'done' $$;
