-- Finishing: the changes of a job's state by its worker.

-- Record that handlers have started. p_after: seconds from the claim to the start, from which rates count. Short jobs need no call, because
-- their end records the start too.
CREATE OR REPLACE FUNCTION zeke_jobs.mark_started(p_worker uuid, p_ids uuid[], p_claims bigint[], p_after double precision[]) RETURNS void
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = off -- see complete
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  WITH running AS (
    SELECT q.message_id, d.after
    FROM unnest(p_ids, p_claims, p_after) AS d (id, claim, after)
    JOIN zeke_jobs.queue AS q ON q.message_id = d.id AND q.claim = d.claim AND q.worker = p_worker AND q.started_on IS NULL
    WHERE q.message_id = ANY (p_ids)
    -- Skip locked rows: another transaction is finishing these jobs, and records the start too. To wait for it could deadlock.
    FOR UPDATE OF q SKIP LOCKED
  )
  UPDATE zeke_jobs.queue AS q
  SET started_on = least(zeke_jobs.now(), q.claimed_on + r.after * interval '1 second'), attempt = q.attempt + 1
  FROM running AS r
  WHERE q.message_id = ANY (p_ids) AND q.message_id = r.message_id;
  IF EXISTS (SELECT 1 FROM zeke_jobs.task AS t WHERE t.metered) THEN
    UPDATE zeke_jobs.meter_use AS u
    SET ends_on = q.started_on + u.lasts, settled = true
    FROM zeke_jobs.queue AS q
    WHERE u.job = ANY (p_ids) AND q.message_id = ANY (p_ids) AND q.message_id = u.job AND q.claim = u.claim AND u.unit = 'jobs'
      AND q.started_on IS NOT NULL;
  END IF;
END
$$;

-- Complete jobs whose handlers returned, in one batch. Returns the ids of the jobs that were still this worker's. claim and worker are the
-- fence; a condition on state would walk the dead entries of its index. A job with the cancel mark never ends as completed. p_after and p_took:
-- seconds from the claim to the start and to the end of the handler, so that the recorded end of a job is earlier than the start of the next one
-- in its slot. A job that was claimed ahead gets its slot when it starts, so claimed_on becomes that time.
CREATE OR REPLACE FUNCTION zeke_jobs.complete(
  p_worker uuid, p_ids uuid[], p_claims bigint[], p_after double precision[], p_results text[],
  p_ring boolean DEFAULT true, p_took double precision[] DEFAULT NULL
) RETURNS SETOF uuid
LANGUAGE plpgsql VOLATILE
-- The array of ids finds the rows by the primary key, even with a plan that was made for an empty table. The batch is then hashed: a nested loop
-- would compare each row with each id.
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = off
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_ours uuid[];
BEGIN
  WITH ended AS (
    UPDATE zeke_jobs.queue AS q
    SET state = CASE WHEN q.cancelled_on IS NULL THEN 'done' ELSE 'rejected' END::zeke_jobs.state,
      result = CASE WHEN q.cancelled_on IS NULL THEN d.result::jsonb END,
      worker = NULL, ahead = false, mtime = v_now,
      completed_on = least(v_now, q.claimed_on + d.took * interval '1 second'),
      claimed_on = CASE WHEN q.ahead THEN coalesce(q.started_on, q.claimed_on + d.after * interval '1 second') ELSE q.claimed_on END,
      attempt = q.attempt + CASE WHEN q.started_on IS NULL THEN 1 ELSE 0 END,
      started_on = coalesce(q.started_on, least(v_now, q.claimed_on + d.after * interval '1 second'))
    FROM unnest(p_ids, p_claims, p_after, p_results, p_took) AS d (id, claim, after, result, took)
    WHERE q.message_id = ANY (p_ids) AND q.message_id = d.id AND q.claim = d.claim AND q.worker = p_worker
    RETURNING q.message_id, q.awaited, q.task
  ),
  announced AS (
    SELECT pg_notify('zeke_jobs.done', e.message_id::text) FROM ended AS e WHERE e.awaited
  ),
  freed AS (
    SELECT zeke_jobs.ring_for_freed(array_agg(e.task)) FROM ended AS e WHERE p_ring HAVING count(*) > 0
  )
  SELECT array_agg(e.message_id) INTO v_ours FROM ended AS e
  WHERE (SELECT count(*) FROM announced) >= 0 AND (SELECT count(*) FROM freed) >= 0;
  PERFORM zeke_jobs.settle(v_ours), zeke_jobs.note_ends(v_ours, false);
  RETURN QUERY SELECT o.id FROM unnest(v_ours) AS o (id);
END
$$;

-- A look of a worker's consumer: complete the ended jobs and claim new ones, in one round trip and one commit. The commit does not wait for the
-- disk, so that no limit stays locked during a flush. The caller flushes soon after; until then it remembers the completed jobs, to complete
-- them again after a crash of the server.
--
-- The first row is the header, the others are jobs. The header has:
--   lost: the completed jobs that were no longer this worker's.
--   held_back, lacks_thread: as in zeke_jobs.claim.
--   looks_on: when to look again even if no job ends and none is sent: when a rate lets a held-back job through; with p_ask and fewer than
--     p_want claimed jobs, also when the next delayed job is due.
--   on_clock: the time now, by the clock of looks_on and claimed_on.
--   began_on: when this look began.
CREATE OR REPLACE FUNCTION zeke_jobs.complete_and_claim(
  p_worker uuid, p_ids uuid[], p_claims bigint[], p_after double precision[], p_results text[],
  p_queue text, p_tasks text[], p_want integer, p_free integer DEFAULT NULL, p_threads integer DEFAULT NULL,
  p_short text[] DEFAULT NULL, p_ask boolean DEFAULT false, p_took double precision[] DEFAULT NULL, p_more integer[] DEFAULT NULL,
  p_per_slot integer[] DEFAULT NULL, p_most integer[] DEFAULT NULL, p_kept_of text[] DEFAULT NULL, p_kept integer[] DEFAULT NULL, p_said bigint DEFAULT NULL
) RETURNS TABLE (
  lost uuid[], held_back text[], lacks_thread boolean, looks_on timestamptz, began_on timestamptz, on_clock timestamptz,
  message_id uuid, claim bigint, task text, message text, attempt integer, attempt_base integer, deaths integer, revision integer, parent uuid,
  scheduled_for timestamptz, claimed_on timestamptz, expires_on timestamptz, ahead boolean, sensitive text[]
)
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  v_ours uuid[] := '{}';
  v_found record;
  v_began timestamptz;
BEGIN
  began_on := zeke_jobs.now();
  IF cardinality(p_kept_of) > 0 THEN
    PERFORM zeke_jobs.keep_slots(p_worker, p_kept_of, p_kept, p_said);
  END IF;
  IF cardinality(p_ids) > 0 THEN
    v_ours := ARRAY(SELECT zeke_jobs.complete(p_worker, p_ids, p_claims, p_after, p_results, false, p_took));
  END IF;
  v_began := zeke_jobs.now();
  SELECT c.* INTO v_found
  FROM zeke_jobs.claim(p_worker, p_queue, p_tasks, p_want, p_free, p_threads, p_short, p_more, p_per_slot, p_most) AS c;
  IF cardinality(v_ours) > 0 AND EXISTS (SELECT 1 FROM zeke_jobs.worker AS w WHERE w.limited <> '{}' AND w.id <> p_worker) THEN
    -- Limits that this claim has not filled again may have room for jobs of other processes.
    PERFORM zeke_jobs.ring_for_freed(array_agg(DISTINCT q.task), p_worker)
    FROM zeke_jobs.queue AS q LEFT JOIN zeke_jobs.task AS t ON t.id = q.task
    WHERE q.message_id = ANY (v_ours) AND (t.gates <@ v_found.full_gates) IS NOT TRUE
    HAVING count(*) > 0;
  ELSIF cardinality(p_kept_of) > 0 THEN
    PERFORM zeke_jobs.ring_for_freed(p_kept_of, p_worker);
  END IF;
  lost := ARRAY(SELECT d.id FROM unnest(p_ids) AS d (id) WHERE d.id <> ALL (v_ours));
  held_back := v_found.held_back;
  lacks_thread := v_found.lacks_thread;
  looks_on := least(
    v_found.opens_on, CASE WHEN p_ask AND cardinality(v_found.jobs) < p_want THEN zeke_jobs.next_due(p_queue, p_tasks, v_began) END);
  on_clock := zeke_jobs.now();
  RETURN NEXT;
  RETURN QUERY SELECT NULL::uuid[], NULL::text[], NULL::boolean, NULL::timestamptz, NULL::timestamptz, NULL::timestamptz, j.*
    FROM unnest(v_found.jobs) AS j;
END
$$;

-- Give back the claims of jobs that have not started, in one batch. Returns the ids of the jobs that were this worker's and not cancelled.
CREATE OR REPLACE FUNCTION zeke_jobs.give_back(p_worker uuid, p_ids uuid[], p_claims bigint[]) RETURNS SETOF uuid
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = off -- see complete
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_ours uuid[];
BEGIN
  WITH returned AS (
    UPDATE zeke_jobs.queue AS q
    SET state = 'queued', worker = NULL, ahead = false, mtime = v_now
    FROM unnest(p_ids, p_claims) AS d (id, claim)
    WHERE q.message_id = ANY (p_ids) AND q.message_id = d.id AND q.claim = d.claim AND q.worker = p_worker
      AND q.started_on IS NULL AND q.cancelled_on IS NULL
    RETURNING q.message_id, q.queue_name, q.task
  ),
  offered AS (
    SELECT zeke_jobs.ring(o.queue_name) FROM (SELECT DISTINCT r.queue_name FROM returned AS r) AS o
    UNION ALL
    SELECT zeke_jobs.ring_for_freed(array_agg(r.task)) FROM returned AS r HAVING count(*) > 0
  )
  SELECT array_agg(r.message_id) INTO v_ours FROM returned AS r WHERE (SELECT count(*) FROM offered) >= 0;
  PERFORM zeke_jobs.settle(v_ours, 'returned');
  RETURN QUERY SELECT o.id FROM unnest(v_ours) AS o (id);
END
$$;

-- End one attempt other than by completion: as retry, deferred, returned (not started), failed or cancelled. Returns whether the job was still
-- this worker's. p_after: seconds from the claim to the start; NULL: not started. p_delay: seconds until the job is due again; p_until: that
-- time instead. p_took: as in zeke_jobs.complete. p_breaks: the failure may come from a service that the job uses, so it counts for breakers;
-- while one of the task's breakers is open, the job is deferred and loses no attempt. A suspect whose attempt ends so is cleared, because its
-- process has not died; after a death while it ran alone it stays a suspect.
CREATE OR REPLACE FUNCTION zeke_jobs.finish(
  p_worker uuid, p_id uuid, p_claim bigint, p_outcome text, p_after double precision, p_delay double precision,
  p_until timestamptz, p_reason text, p_error jsonb, p_revision integer, p_took double precision DEFAULT NULL,
  p_breaks boolean DEFAULT false
) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_counts boolean;
  v_job zeke_jobs.queue;
  v_outcome text := p_outcome;
  v_until timestamptz := p_until;
  v_ended timestamptz;
  v_again timestamptz;
BEGIN
  SELECT q.* INTO v_job FROM zeke_jobs.queue AS q
  WHERE q.message_id = p_id AND q.claim = p_claim AND q.worker = p_worker
  FOR UPDATE;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  IF v_job.cancelled_on IS NOT NULL THEN
    v_outcome := 'cancelled';
  ELSIF p_breaks AND v_outcome IN ('retry', 'failed') THEN
    SELECT 'deferred', greatest(g.closed_until, v_now + interval '1 second') INTO v_outcome, v_until
    FROM zeke_jobs.find_task(v_job.task) AS t JOIN zeke_jobs.gate AS g ON g.name = ANY (t.gates)
    WHERE g.tripped_on IS NOT NULL
    ORDER BY g.closed_until DESC LIMIT 1;
    v_outcome := coalesce(v_outcome, p_outcome);
    v_until := coalesce(v_until, p_until);
  END IF;
  v_counts := v_outcome IN ('retry', 'failed', 'cancelled') AND p_after IS NOT NULL;
  v_ended := least(v_now, v_job.claimed_on + p_took * interval '1 second');
  IF v_outcome IN ('retry', 'deferred') THEN
    v_again := coalesce(v_until, v_now + p_delay * interval '1 second');
    v_again := zeke_jobs.readable(v_again, 'a time to run again', v_again::text);
  END IF;
  UPDATE zeke_jobs.queue AS q
  SET
    state = CASE WHEN v_outcome IN ('failed', 'cancelled') THEN 'rejected' ELSE 'queued' END::zeke_jobs.state,
    worker = NULL, ahead = false, mtime = v_now,
    claimed_on = CASE WHEN q.ahead THEN coalesce(q.started_on, q.claimed_on + p_after * interval '1 second', q.claimed_on) ELSE q.claimed_on END,
    attempt = q.attempt + CASE
      WHEN v_counts AND q.started_on IS NULL THEN 1
      WHEN NOT v_counts AND q.started_on IS NOT NULL THEN -1
      ELSE 0 END,
    started_on = coalesce(q.started_on, least(v_now, q.claimed_on + p_after * interval '1 second')),
    deaths = CASE
      WHEN v_outcome IN ('retry', 'deferred') AND q.deaths = 1 AND (p_after IS NOT NULL OR q.started_on IS NOT NULL) THEN 0
      ELSE q.deaths END,
    run_at = coalesce(v_again, q.run_at),
    completed_on = CASE WHEN v_outcome IN ('failed', 'cancelled') THEN v_ended END,
    cancelled_on = CASE WHEN v_outcome = 'cancelled' THEN coalesce(q.cancelled_on, v_ended) ELSE q.cancelled_on END,
    cancel_reason = CASE WHEN v_outcome = 'cancelled' THEN coalesce(q.cancel_reason, p_reason) ELSE q.cancel_reason END,
    waiting_for = CASE WHEN v_outcome = 'deferred' THEN p_reason END,
    attempts = CASE WHEN v_outcome = 'returned' THEN q.attempts
      -- Keep the last hundred entries: a job may be deferred again and again for days.
      ELSE (CASE WHEN jsonb_array_length(q.attempts) >= 100 THEN q.attempts - 0 ELSE q.attempts END)
        || jsonb_strip_nulls(jsonb_build_object(
          'attempt', q.attempt + CASE WHEN q.started_on IS NULL AND p_after IS NOT NULL THEN 1 ELSE 0 END,
          'outcome', v_outcome, 'worker', p_worker, 'revision', p_revision,
          'started_on', coalesce(q.started_on, least(v_now, q.claimed_on + p_after * interval '1 second')), 'ended_on', v_ended,
          'reason', p_reason, 'error', p_error)) END
  WHERE q.message_id = p_id;
  PERFORM zeke_jobs.settle(ARRAY[p_id], CASE
    WHEN p_after IS NULL AND v_job.started_on IS NULL THEN 'returned'
    WHEN p_outcome = 'deferred' THEN 'deferred'
    -- A timeout or the worker's stop cut the attempt off; its handler did not raise.
    WHEN p_outcome IN ('retry', 'failed') AND p_error ->> 'type' NOT IN ('TimedOut', 'WorkerStopped') THEN 'raised'
    ELSE 'cut off' END);
  IF p_breaks OR v_outcome = 'failed' THEN
    PERFORM zeke_jobs.note_ends(ARRAY[p_id], p_breaks);
  END IF;
  IF v_outcome IN ('failed', 'cancelled') AND v_job.awaited THEN
    PERFORM pg_notify('zeke_jobs.done', p_id::text);
  END IF;
  PERFORM zeke_jobs.ring(v_job.queue_name), zeke_jobs.ring_for_freed(ARRAY[v_job.task]);
  RETURN true;
END
$$;

-- When a job fails for good, send a job to the task that on_failed names, in the same transaction. A job that was sent in this way sends none:
-- two tasks that name each other would never stop. If the failed job's payload does not fit, leave it out, because the job must end.
CREATE OR REPLACE FUNCTION zeke_jobs.tell_failure() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
  v_task zeke_jobs.task := zeke_jobs.find_task(NEW.task);
  v_payload jsonb;
  v_sent uuid;
BEGIN
  IF v_task.definition ->> 'on_failed' IS NULL OR NEW.message #> '{options,failure_of}' IS NOT NULL THEN
    RETURN NULL;
  END IF;
  v_payload := jsonb_build_object(
    'job_id', NEW.message_id, 'task', NEW.task, 'error', coalesce(NEW.attempts #> '{-1,error}', '{}'),
    'payload', coalesce(nullif(NEW.message -> 'kwargs', 'null'), '{}'));
  IF zeke_jobs.unfit_payload(v_payload) IS NOT NULL THEN
    v_payload := v_payload || '{"payload": null}';
  END IF;
  v_sent := (zeke_jobs.enqueue(v_task.definition ->> 'on_failed', NULL, v_payload, jsonb_build_object(
    'parent', NEW.message_id, 'unique', false, 'carried', jsonb_build_object('failure_of', NEW.message_id)))).job_id;
  UPDATE zeke_jobs.queue AS q
  SET sensitive = nullif(ARRAY(
    SELECT DISTINCT f.name
    FROM unnest(q.sensitive || ARRAY(SELECT 'payload.' || s.name FROM unnest(NEW.sensitive || v_task.sensitive) AS s (name))) AS f (name)
    ORDER BY f.name), '{}')
  WHERE q.message_id = v_sent;
  RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER queue_failed AFTER UPDATE OF state ON zeke_jobs.queue
  FOR EACH ROW WHEN (NEW.state = 'rejected' AND OLD.state <> 'rejected' AND NEW.cancelled_on IS NULL)
  EXECUTE FUNCTION zeke_jobs.tell_failure();

-- When a job of an unmodified dramatiq-pg producer ends, notify the producer in the format of dramatiq-pg's result backend: its
-- get_result(block=True) reads the result from the notification. A notification carries less than 8,000 bytes. Instead of a longer result it
-- carries a sentence that is no JSON, so the producer's call raises with that sentence at once, not at its timeout.
CREATE OR REPLACE FUNCTION zeke_jobs.tell_producer() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
  v_result jsonb := NEW.result;
  v_error jsonb := NEW.attempts #> '{-1,error}';
BEGIN
  IF NEW.message #>> '{options,producer}' IS DISTINCT FROM 'dramatiq-pg' THEN
    RETURN NULL;
  END IF;
  IF NEW.state = 'rejected' THEN
    v_result := jsonb_build_object('__t', 'dramatiq.results.Result', 'exn', jsonb_build_object(
      'type', coalesce(CASE WHEN NEW.cancelled_on IS NULL THEN v_error ->> 'type' END, 'cancelled'),
      'msg', coalesce(CASE WHEN NEW.cancelled_on IS NULL THEN v_error ->> 'message' ELSE NEW.cancel_reason END, '')));
    UPDATE zeke_jobs.queue AS q SET result = v_result WHERE q.message_id = NEW.message_id;
  END IF;
  PERFORM pg_notify('dramatiq.' || NEW.message_id || '.results', CASE WHEN octet_length(v_result::text) < 8000 THEN v_result::text
    ELSE format('the result has %s bytes, more than a notification can carry: get_result(block=False) has it', octet_length(v_result::text)) END);
  RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER queue_ended AFTER UPDATE OF state ON zeke_jobs.queue
  FOR EACH ROW WHEN (NEW.awaited AND NEW.state IN ('done', 'rejected') AND OLD.state NOT IN ('done', 'rejected'))
  EXECUTE FUNCTION zeke_jobs.tell_producer();

-- The fence of ctx.transaction(): returns whether the job is still this worker's and not cancelled. Locks the row, so that nothing can change
-- before the commit. With p_result the job is completed, too.
CREATE OR REPLACE FUNCTION zeke_jobs.hold(
  p_worker uuid, p_id uuid, p_claim bigint, p_after double precision DEFAULT NULL, p_result text DEFAULT NULL
) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  v_task text;
BEGIN
  SELECT q.task INTO v_task FROM zeke_jobs.queue AS q
  WHERE q.message_id = p_id AND q.claim = p_claim AND q.worker = p_worker AND q.cancelled_on IS NULL
  FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  IF p_result IS NOT NULL THEN
    PERFORM zeke_jobs.complete(p_worker, ARRAY[p_id], ARRAY[p_claim], ARRAY[p_after], ARRAY[p_result], false);
    PERFORM zeke_jobs.ring_for_freed(ARRAY[v_task], p_worker);
  END IF;
  RETURN true;
END
$$;

-- Cancel jobs that were not started in time, in small batches, and skip rows that a claim has locked.
CREATE OR REPLACE FUNCTION zeke_jobs.expire(p_limit integer) RETURNS integer
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_count integer;
BEGIN
  WITH late AS (
    SELECT q.message_id FROM zeke_jobs.queue AS q
    WHERE q.state = 'queued' AND q.attempt = 0 AND q.expires_on IS NOT NULL AND q.expires_on <= v_now
    ORDER BY q.expires_on LIMIT p_limit
    FOR UPDATE SKIP LOCKED
  ),
  ended AS (
    UPDATE zeke_jobs.queue AS q
    SET state = 'rejected', completed_on = v_now, mtime = v_now, cancelled_on = v_now,
      cancel_reason = format('expired: not started by %s', to_char(q.expires_on AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
    FROM late AS l
    WHERE q.message_id = l.message_id
    RETURNING q.message_id, q.awaited
  ),
  announced AS (
    SELECT pg_notify('zeke_jobs.done', e.message_id::text) FROM ended AS e WHERE e.awaited
  )
  SELECT count(*) INTO v_count FROM ended AS e WHERE (SELECT count(*) FROM announced) >= 0;
  RETURN v_count;
END
$$;

-- Ask that the end of a job be announced on channel zeke_jobs.done. Returns its state; NULL: it has ended already, or is unknown. Wakes idle
-- processes, because a claim skips the row while this call holds its lock.
CREATE OR REPLACE FUNCTION zeke_jobs.await_end(p_id uuid) RETURNS zeke_jobs.state
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  v_job record;
BEGIN
  UPDATE zeke_jobs.queue AS q
  SET awaited = true
  WHERE q.message_id = p_id AND q.state IN ('queued', 'consumed')
  RETURNING q.state, q.queue_name INTO v_job;
  IF v_job.state = 'queued' THEN
    PERFORM zeke_jobs.ring(v_job.queue_name);
  END IF;
  RETURN v_job.state;
END
$$;

-- The unmasked result of a completed job, for the program that waits for it. The views mask sensitive fields.
CREATE OR REPLACE FUNCTION zeke_jobs.output_of(p_id uuid) RETURNS SETOF jsonb
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $$
  SELECT q.result FROM zeke_jobs.queue AS q WHERE q.message_id = p_id AND q.state = 'done'
$$;

-- Whether the claim under which a lease was taken is still in force. It ends with the job or with the job's rescue.
CREATE OR REPLACE FUNCTION zeke_jobs.is_live(p_lease zeke_jobs.lease) RETURNS boolean
LANGUAGE sql STABLE
AS $$
  SELECT EXISTS (
    SELECT 1 FROM zeke_jobs.queue AS q
    WHERE q.message_id = p_lease.job AND q.claim = p_lease.claim AND q.state = 'consumed')
$$;

-- Take a lease, unless p_limit other jobs hold it. outcome: held; taken, with the job that has held it longest; or lost, if the job is no longer
-- this worker's or was cancelled.
CREATE OR REPLACE FUNCTION zeke_jobs.take_lease(
  p_name text, p_limit integer, p_worker uuid, p_job uuid, p_claim bigint,
  OUT outcome text, OUT holder uuid, OUT task text, OUT since timestamptz)
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  v_held integer;
BEGIN
  -- Calls for one name run one after the other, and each statement here has a new snapshot, so it sees the leases of earlier calls. Names share
  -- sixty-four locks, which are held for this statement only.
  PERFORM zeke_jobs.take_lock('lease/' || (hashtext(p_name) & 63));
  DELETE FROM zeke_jobs.lease AS l WHERE l.name = p_name AND NOT zeke_jobs.is_live(l);
  PERFORM 1 FROM zeke_jobs.queue AS q
  WHERE q.message_id = p_job AND q.claim = p_claim AND q.worker = p_worker AND q.cancelled_on IS NULL;
  IF NOT FOUND THEN
    outcome := 'lost';
    RETURN;
  END IF;
  v_held := (SELECT count(*) FROM zeke_jobs.lease AS l WHERE l.name = p_name);
  IF v_held >= p_limit THEN
    outcome := 'taken';
    SELECT l.job, q.task, l.taken_on INTO holder, task, since
    FROM zeke_jobs.lease AS l JOIN zeke_jobs.queue AS q ON q.message_id = l.job
    WHERE l.name = p_name
    ORDER BY l.taken_on
    LIMIT 1;
    RETURN;
  END IF;
  INSERT INTO zeke_jobs.lease (name, job, claim, taken_on) VALUES (p_name, p_job, p_claim, zeke_jobs.now());
  outcome := 'held';
END
$$;
