-- Batches: counting their jobs without a hot row, and sending the one job at their end.
--
-- Each change of a job's state that matters to its batch inserts a row into zeke_jobs.batch_change, so nobody waits. At the commit of an end a
-- deferred trigger changes the counters, part by part in one order. When a part has no unfinished job left, the batch's count of parts falls by
-- one; the transaction that makes it zero sends the job. Both counts are exact, because each is one locked row, and the locks last only as long as
-- a commit. A sender locks no counter: its rows stay until the next end adds them up, and no end can come too early, because an open batch and a job
-- that sends hold the batch up themselves.

-- Record the states of jobs in their batches: with p_sign 1 the present states are added, with -1 they are taken away. With 0 the jobs, which were
-- unfinished, have moved to their present states.
CREATE OR REPLACE FUNCTION zeke_jobs.count_in_batches(p_ids uuid[], p_sign integer) RETURNS void
LANGUAGE plpgsql VOLATILE -- and not sql: only plpgsql keeps its plans
SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  INSERT INTO zeke_jobs.batch_change (batch, part, unfinished, completed, failed, cancelled, is_sent)
  SELECT j.batch, j.part, sum(j.unfinished), sum(j.completed), sum(j.failed), sum(j.cancelled), p_sign = 1 AND bool_and(j.unfinished = 1)
  FROM (
    SELECT q.extra ->> 'batch' AS batch, uuid_hash(q.message_id) & 15 AS part,
      CASE WHEN q.state IN ('queued', 'consumed') THEN p_sign WHEN p_sign = 0 THEN -1 ELSE 0 END AS unfinished,
      CASE WHEN q.state = 'done' THEN s.by ELSE 0 END AS completed,
      CASE WHEN q.state = 'rejected' AND q.cancelled_on IS NULL THEN s.by ELSE 0 END AS failed,
      CASE WHEN q.state = 'rejected' AND q.cancelled_on IS NOT NULL THEN s.by ELSE 0 END AS cancelled
    FROM zeke_jobs.queue AS q CROSS JOIN (SELECT CASE WHEN p_sign = 0 THEN 1 ELSE p_sign END AS by) AS s
    WHERE q.message_id = ANY (p_ids) AND (q.extra ->> 'batch') IS NOT NULL AND NOT (p_sign = 0 AND q.state IN ('queued', 'consumed'))
  ) AS j
  GROUP BY j.batch, j.part;
END
$$;

-- Change the counters at the commit.
CREATE OR REPLACE FUNCTION zeke_jobs.add_up_batches() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  v_batch text;
BEGIN
  -- The trigger fires once for each row. Its first call adds up all that this transaction changed, in the order of the batches' ids.
  FOR v_batch IN
    SELECT DISTINCT c.batch FROM zeke_jobs.batch_change AS c WHERE c.xact = pg_current_xact_id() ORDER BY c.batch
  LOOP
    PERFORM zeke_jobs.add_up_batch(v_batch);
  END LOOP;
  RETURN NULL;
END
$$;

-- Change the counters of a batch by all rows that this transaction can see: its own, and those of senders.
CREATE OR REPLACE FUNCTION zeke_jobs.add_up_batch(p_batch text) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
  v_holds boolean := (SELECT b.after_failure = 'hold' FROM zeke_jobs.batch AS b WHERE b.id = p_batch);
  v_part smallint;
  v_sum record;
  v_moved integer;
  v_change integer := 0;
  v_cancels boolean := false;
  v_ends boolean;
BEGIN
  -- Lock rows of batch_part before the row of batch, in the order of their key, so that no two commits wait for each other.
  FOR v_part IN
    SELECT DISTINCT c.part FROM zeke_jobs.batch_change AS c
    WHERE c.batch = p_batch AND (c.is_sent OR c.xact = pg_current_xact_id()) ORDER BY c.part
  LOOP
    IF v_holds IS NOT NULL THEN
      INSERT INTO zeke_jobs.batch_part AS p (batch, part, open, unfinished, completed, failed, cancelled) VALUES (p_batch, v_part, 0, 0, 0, 0, 0)
      ON CONFLICT (batch, part) DO UPDATE SET open = p.open;
    END IF;
    WITH gone AS (
      DELETE FROM zeke_jobs.batch_change AS c
      WHERE c.batch = p_batch AND c.part = v_part AND (c.is_sent OR c.xact = pg_current_xact_id())
      RETURNING c.*
    )
    SELECT coalesce(sum(g.open), 0) AS open, coalesce(sum(g.unfinished), 0) AS unfinished, coalesce(sum(g.completed), 0) AS completed,
      coalesce(sum(g.failed), 0) AS failed, coalesce(sum(g.cancelled), 0) AS cancelled, coalesce(bool_or(g.cancels), false) AS cancels
    INTO v_sum FROM gone AS g;
    v_cancels := v_cancels OR v_sum.cancels;
    UPDATE zeke_jobs.batch_part AS p
    SET open = p.open + v_sum.open, unfinished = p.unfinished + v_sum.unfinished, completed = p.completed + v_sum.completed,
      failed = p.failed + v_sum.failed, cancelled = p.cancelled + v_sum.cancelled
    WHERE p.batch = p_batch AND p.part = v_part
    RETURNING (p.open + p.unfinished + CASE WHEN v_holds THEN p.failed ELSE 0 END > 0)::integer
      - (p.open - v_sum.open + p.unfinished - v_sum.unfinished + CASE WHEN v_holds THEN p.failed - v_sum.failed ELSE 0 END > 0)::integer
    INTO v_moved;
    v_change := v_change + coalesce(v_moved, 0);
  END LOOP;
  -- No part became empty or busy here, and other parts are unfinished.
  IF v_change = 0 AND NOT v_cancels AND EXISTS (SELECT 1 FROM zeke_jobs.batch AS b WHERE b.id = p_batch AND b.parts > 0) THEN
    RETURN;
  END IF;
  UPDATE zeke_jobs.batch AS b
  SET parts = b.parts + v_change,
    cancelled_on = CASE WHEN v_cancels AND b.ended_on IS NULL THEN coalesce(b.cancelled_on, zeke_jobs.now()) ELSE b.cancelled_on END
  WHERE b.id = p_batch
  RETURNING b.parts = 0 AND b.ended_on IS NULL INTO v_ends;
  IF v_ends THEN
    PERFORM zeke_jobs.end_batch(p_batch);
  END IF;
END
$$;

DROP TRIGGER IF EXISTS batch_add_up ON zeke_jobs.batch_change;
CREATE CONSTRAINT TRIGGER batch_add_up AFTER INSERT ON zeke_jobs.batch_change
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NOT NEW.is_sent) EXECUTE FUNCTION zeke_jobs.add_up_batches();

CREATE OR REPLACE VIEW zeke_jobs.batch_state AS
SELECT
  b.id,
  CASE WHEN b.cancelled_on IS NOT NULL THEN 'cancelled' WHEN b.ended_on IS NOT NULL THEN 'ended'
    WHEN EXISTS (SELECT 1 FROM zeke_jobs.batch_open AS o WHERE o.batch = b.id) THEN 'open'
    WHEN p.unfinished = 0 AND p.failed > 0 THEN 'held' ELSE 'running' END AS state,
  p.unfinished + p.completed + p.failed + p.cancelled AS jobs,
  p.unfinished,
  p.completed,
  p.failed,
  p.cancelled,
  b.after_failure,
  b.task AS then_task,
  b.then_job,
  b.then_outcome,
  b.created_on,
  b.ended_on,
  b.cancelled_on
FROM zeke_jobs.batch AS b
CROSS JOIN LATERAL (
  SELECT coalesce(sum(c.unfinished), 0) AS unfinished, coalesce(sum(c.completed), 0) AS completed,
    coalesce(sum(c.failed), 0) AS failed, coalesce(sum(c.cancelled), 0) AS cancelled
  FROM (
    SELECT p.unfinished, p.completed, p.failed, p.cancelled FROM zeke_jobs.batch_part AS p WHERE p.batch = b.id
    UNION ALL
    SELECT p.unfinished, p.completed, p.failed, p.cancelled FROM zeke_jobs.batch_change AS p WHERE p.batch = b.id
  ) AS c
) AS p;
COMMENT ON VIEW zeke_jobs.batch_state IS 'Batches, and how many of their jobs are unfinished, completed, failed and cancelled.';

-- The payload with each {"$batch": "failed"} and the like replaced by the batch's id or a number of its jobs.
CREATE OR REPLACE FUNCTION zeke_jobs.with_counts(p_payload jsonb, p_batch text) RETURNS jsonb
LANGUAGE sql STABLE
AS $$
  SELECT coalesce(jsonb_object_agg(f.name, CASE
    WHEN jsonb_typeof(f.value) = 'object' AND f.value ? '$batch' THEN coalesce(to_jsonb(s) -> (f.value ->> '$batch'), 'null')
    ELSE f.value END), '{}')
  FROM jsonb_each(p_payload) AS f (name, value)
  LEFT JOIN (
    SELECT b.id, b.jobs, b.completed, b.failed, b.cancelled FROM zeke_jobs.batch_state AS b WHERE b.id = p_batch) AS s ON true
$$;

-- End a batch whose row is locked, and send its job. A refused send does not fail the caller's commit; the batch records its outcome.
CREATE OR REPLACE FUNCTION zeke_jobs.end_batch(p_batch text) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
  v_batch zeke_jobs.batch;
  v_sent record;
BEGIN
  UPDATE zeke_jobs.batch AS b SET ended_on = zeke_jobs.now() WHERE b.id = p_batch RETURNING b.* INTO v_batch;
  IF v_batch.task IS NULL OR v_batch.cancelled_on IS NOT NULL OR v_batch.then_job IS NOT NULL THEN
    RETURN;
  END IF;
  BEGIN
    -- This job may exceed max_queued, because it was promised when the batch was made.
    SELECT e.outcome, e.job_id INTO v_sent
    FROM zeke_jobs.put(v_batch.task, NULL, zeke_jobs.with_counts(v_batch.payload, p_batch), '{}', true) AS e;
  EXCEPTION WHEN invalid_parameter_value THEN
    SELECT SQLERRM AS outcome, NULL::uuid AS job_id INTO v_sent;
  END;
  UPDATE zeke_jobs.batch AS b SET then_job = v_sent.job_id, then_outcome = v_sent.outcome WHERE b.id = p_batch;
END
$$;

-- Make a batch. False: it exists already.
CREATE OR REPLACE FUNCTION zeke_jobs.make_batch(
  p_batch text, p_then jsonb, p_after_failure text, p_open boolean, p_first_job uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
  v_task zeke_jobs.task;
  v_payload jsonb;
  v_fault text;
BEGIN
  IF p_batch = '' OR octet_length(p_batch) > 1024 THEN
    RAISE EXCEPTION 'expected the id of a batch of 1 to 1024 bytes, got %', octet_length(p_batch) USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF p_after_failure NOT IN ('send', 'hold') THEN
    RAISE EXCEPTION 'expected after_failure send or hold, got %', p_after_failure USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF p_then ->> 'task' IS NOT NULL THEN
    v_task := zeke_jobs.find_task(p_then ->> 'task');
    IF v_task.id IS NULL THEN
      RAISE EXCEPTION 'expected the name of a task to send at the end of the batch, got %', quote_literal(p_then ->> 'task')
        USING ERRCODE = 'undefined_object';
    END IF;
    v_payload := zeke_jobs.rename_keys(coalesce(p_then -> 'payload', '{}'), v_task.payload_schema, v_task.payload_schema, false);
    v_fault := coalesce(zeke_jobs.unfit_payload(v_payload), zeke_jobs.payload_fault(v_payload, v_task.payload_schema));
    IF v_fault IS NOT NULL THEN
      RAISE EXCEPTION 'payload of %: %', v_task.id, v_fault USING ERRCODE = 'invalid_parameter_value';
    END IF;
  END IF;
  INSERT INTO zeke_jobs.batch (id, task, payload, after_failure, first_job)
  VALUES (p_batch, v_task.id, v_payload, p_after_failure, p_first_job)
  ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  IF p_open THEN
    INSERT INTO zeke_jobs.batch_open (batch) VALUES (p_batch);
  END IF;
  -- This row makes a closed batch without jobs end with this transaction.
  INSERT INTO zeke_jobs.batch_change (batch, part, open) VALUES (p_batch, 0, p_open::integer);
  RETURN true;
END
$$;

-- Whether a send may add jobs to an existing batch: it is open, or the sender is one of its unfinished jobs. An open batch stays open until
-- the sender's transaction ends.
CREATE OR REPLACE FUNCTION zeke_jobs.takes_jobs(p_batch text, p_parent uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
  -- No lock is needed: the batch cannot end before the sending job, which is one of its own.
  IF EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = p_parent AND (q.extra ->> 'batch') = p_batch AND q.state IN ('queued', 'consumed')) THEN
    RETURN true;
  END IF;
  PERFORM 1 FROM zeke_jobs.batch_open AS o WHERE o.batch = p_batch FOR SHARE;
  RETURN FOUND;
END
$$;

-- For a send: make the batch, closed, if it is new; else check that it accepts more jobs. False: it does not.
CREATE OR REPLACE FUNCTION zeke_jobs.enter_batch(p_options jsonb, p_first_job uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
  v_batch text := p_options ->> 'batch';
BEGIN
  IF zeke_jobs.takes_jobs(v_batch, (p_options ->> 'parent')::uuid) AND NOT p_options ? 'then' THEN
    RETURN true;
  END IF;
  RETURN zeke_jobs.make_batch(v_batch, p_options -> 'then', coalesce(p_options ->> 'after_failure', 'send'), false, p_first_job)
    -- For other jobs of the same send.
    OR EXISTS (SELECT 1 FROM zeke_jobs.batch AS b WHERE b.id = v_batch AND b.made_in = pg_current_xact_id());
END
$$;

-- Open a batch, so that several sends can add to it. An open batch may be opened again. False: it was closed.
CREATE OR REPLACE FUNCTION zeke_jobs.try_open_batch(
  p_batch text, p_task text, p_payload jsonb, p_after_failure text) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $$
  SELECT zeke_jobs.make_batch(p_batch, jsonb_build_object('task', p_task, 'payload', p_payload), p_after_failure, true, NULL)
    OR zeke_jobs.takes_jobs(p_batch, NULL)
$$;

-- The same for SQL, with an error for a closed batch. zeke_jobs.close_batch must follow.
--   SELECT zeke_jobs.open_batch('import-42', 'generate-brief', '{"failed": {"$batch": "failed"}}');
--   SELECT zeke_jobs.send('ingest-oneoff', '{"url": "https://example.org"}', '{"batch": "import-42"}');
--   SELECT zeke_jobs.close_batch('import-42');
CREATE OR REPLACE FUNCTION zeke_jobs.open_batch(
  id text, then_task text DEFAULT NULL, then_payload jsonb DEFAULT '{}', after_failure text DEFAULT 'send') RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $$
BEGIN
  IF NOT zeke_jobs.try_open_batch(open_batch.id, then_task, then_payload, open_batch.after_failure) THEN
    RAISE EXCEPTION 'expected a batch that is new or open, got %, which was closed', quote_literal(open_batch.id)
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
END
$$;

-- Close a batch, so that it ends with its last job. False: it is closed already or unknown.
CREATE OR REPLACE FUNCTION zeke_jobs.close_batch(id text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $$
BEGIN
  -- Waits for transactions that are adding jobs.
  DELETE FROM zeke_jobs.batch_open AS o WHERE o.batch = close_batch.id;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  INSERT INTO zeke_jobs.batch_change (batch, part, open) VALUES (close_batch.id, 0, -1);
  RETURN true;
END
$$;

-- Cancel the unfinished jobs of a batch and the send at its end. Returns the jobs that were cancelled or are being stopped.
CREATE OR REPLACE FUNCTION zeke_jobs.cancel_batch(p_batch text, p_reason text, p_by text) RETURNS SETOF uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $$
DECLARE
  v_jobs uuid[];
BEGIN
  PERFORM zeke_jobs.close_batch(p_batch);
  v_jobs := ARRAY(
    SELECT c.id FROM zeke_jobs.cancel_jobs(
      ARRAY(SELECT q.message_id FROM zeke_jobs.queue AS q WHERE (q.extra ->> 'batch') = p_batch AND q.cancelled_on IS NULL ORDER BY q.message_id),
      p_reason, p_by) AS c);
  INSERT INTO zeke_jobs.batch_change (batch, part, cancels) SELECT b.id, 0, true FROM zeke_jobs.batch AS b WHERE b.id = p_batch;
  PERFORM zeke_jobs.note('cancel', 'batch/' || p_batch, p_by, p_reason, v_jobs);
  RETURN QUERY SELECT unnest(v_jobs);
END
$$;

-- Run a batch's failed jobs again and, if the batch was cancelled, its cancelled ones; the send at its end is then due again.
CREATE OR REPLACE FUNCTION zeke_jobs.retry_batch(p_batch text, p_by text) RETURNS SETOF uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $$
DECLARE
  v_cancelled boolean;
  v_jobs uuid[];
BEGIN
  SELECT b.cancelled_on IS NOT NULL INTO v_cancelled FROM zeke_jobs.batch AS b WHERE b.id = p_batch;
  v_jobs := zeke_jobs.move(ARRAY(
    SELECT q.message_id FROM zeke_jobs.queue AS q
    WHERE (q.extra ->> 'batch') = p_batch AND q.state = 'rejected' AND (q.cancelled_on IS NULL OR v_cancelled)
    ORDER BY q.message_id
    FOR UPDATE), 'again');
  IF v_jobs <> '{}' THEN
    PERFORM zeke_jobs.note('retry', 'batch/' || p_batch, p_by, NULL, v_jobs);
  END IF;
  IF v_cancelled AND v_jobs <> '{}' THEN
    -- Change the counters first, because every commit locks them in this order.
    SET CONSTRAINTS zeke_jobs.batch_add_up IMMEDIATE;
    UPDATE zeke_jobs.batch AS b SET cancelled_on = NULL, ended_on = NULL WHERE b.id = p_batch;
    SET CONSTRAINTS zeke_jobs.batch_add_up DEFERRED;
  END IF;
  RETURN QUERY SELECT unnest(v_jobs);
END
$$;
