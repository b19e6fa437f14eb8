-- Batches: counting their jobs without a hot row, and sending the one job at their end.
--
-- Each change of a job's state that matters to its batch inserts a row into zeke_jobs.batch_change, so nobody waits. The deferred trigger on
-- that table runs at the commit: it sums the transaction's rows and changes the counters, part by part in one order. When a part has no
-- unfinished job left, the batch's count of parts falls by one; the transaction that makes it zero sends the job. Both counts are exact,
-- because each is one locked row, and the locks last only as long as a commit.

-- Record that a job of a batch was made, ended, was retried, or was removed before its end.
CREATE OR REPLACE FUNCTION zeke_jobs.count_in_batch() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $$
DECLARE
  v_was text := CASE WHEN TG_OP <> 'INSERT' THEN CASE
    WHEN OLD.state IN ('queued', 'consumed') THEN 'unfinished' WHEN OLD.state = 'done' THEN 'completed'
    WHEN OLD.cancelled_on IS NULL THEN 'failed' ELSE 'cancelled' END END;
  v_is text := CASE WHEN TG_OP <> 'DELETE' THEN CASE
    WHEN NEW.state IN ('queued', 'consumed') THEN 'unfinished' WHEN NEW.state = 'done' THEN 'completed'
    WHEN NEW.cancelled_on IS NULL THEN 'failed' ELSE 'cancelled' END END;
  v_id uuid := coalesce(NEW.message_id, OLD.message_id);
BEGIN
  -- The purge of an ended job changes no counter.
  IF v_was IS DISTINCT FROM v_is AND NOT (TG_OP = 'DELETE' AND v_was <> 'unfinished') THEN
    INSERT INTO zeke_jobs.batch_change (batch, part, unfinished, completed, failed, cancelled)
    VALUES (
      coalesce(NEW.batch, OLD.batch), uuid_hash(v_id) & 15,
      (v_is IS NOT DISTINCT FROM 'unfinished')::integer - (v_was IS NOT DISTINCT FROM 'unfinished')::integer,
      (v_is IS NOT DISTINCT FROM 'completed')::integer - (v_was IS NOT DISTINCT FROM 'completed')::integer,
      (v_is IS NOT DISTINCT FROM 'failed')::integer - (v_was IS NOT DISTINCT FROM 'failed')::integer,
      (v_is IS NOT DISTINCT FROM 'cancelled')::integer - (v_was IS NOT DISTINCT FROM 'cancelled')::integer);
    -- The transaction's rows are summed once, at the commit. Rolling back to a savepoint undoes row, sum and setting together.
    IF current_setting('zeke_jobs.adds_up', true) IS DISTINCT FROM pg_current_xact_id()::text THEN
      PERFORM set_config('zeke_jobs.adds_up', pg_current_xact_id()::text, true);
    END IF;
  END IF;
  RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER queue_batch_insert AFTER INSERT ON zeke_jobs.queue
  FOR EACH ROW WHEN (NEW.batch IS NOT NULL) EXECUTE FUNCTION zeke_jobs.count_in_batch();

CREATE OR REPLACE TRIGGER queue_batch_update AFTER UPDATE OF state, cancelled_on ON zeke_jobs.queue
  FOR EACH ROW WHEN (OLD.batch IS NOT NULL AND (OLD.state IN ('done', 'rejected') OR NEW.state IN ('done', 'rejected')))
  EXECUTE FUNCTION zeke_jobs.count_in_batch();

CREATE OR REPLACE TRIGGER queue_batch_delete AFTER DELETE ON zeke_jobs.queue
  FOR EACH ROW WHEN (OLD.batch IS NOT NULL AND OLD.state IN ('queued', 'consumed')) EXECUTE FUNCTION zeke_jobs.count_in_batch();

-- Change the counters at the commit, once for all rows of the transaction.
CREATE OR REPLACE FUNCTION zeke_jobs.add_up_batches() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  v_one record;
  v_part zeke_jobs.batch_part;
  v_was boolean;
  v_is boolean;
  v_batches text[] := '{}';
  v_changes integer[] := '{}';
  v_cancels text[] := '{}';
  v_at integer;
BEGIN
  -- Later changes in the same transaction need another sum.
  PERFORM set_config('zeke_jobs.adds_up', '', true);
  -- Lock rows of batch_part before rows of batch, each in the order of its key, so that no two commits wait for each other.
  FOR v_one IN
    WITH mine AS (
      DELETE FROM zeke_jobs.batch_change AS c WHERE c.xact = pg_current_xact_id()
      RETURNING c.batch, c.part, c.open, c.unfinished, c.completed, c.failed, c.cancelled, c.cancels
    )
    SELECT m.batch, m.part, sum(m.open)::integer AS open, sum(m.unfinished)::integer AS unfinished, sum(m.completed)::integer AS completed,
      sum(m.failed)::integer AS failed, sum(m.cancelled)::integer AS cancelled, bool_or(m.cancels) AS cancels,
      (SELECT b.after_failure = 'hold' FROM zeke_jobs.batch AS b WHERE b.id = m.batch) AS holds
    FROM mine AS m
    GROUP BY m.batch, m.part
    ORDER BY m.batch, m.part
  LOOP
    CONTINUE WHEN v_one.holds IS NULL; -- the batch ended long ago and was removed
    INSERT INTO zeke_jobs.batch_part AS p (batch, part, open, unfinished, completed, failed, cancelled)
    VALUES (v_one.batch, v_one.part, v_one.open, v_one.unfinished, v_one.completed, v_one.failed, v_one.cancelled)
    ON CONFLICT (batch, part) DO UPDATE
    SET open = p.open + excluded.open, unfinished = p.unfinished + excluded.unfinished, completed = p.completed + excluded.completed,
      failed = p.failed + excluded.failed, cancelled = p.cancelled + excluded.cancelled
    RETURNING p.* INTO v_part;
    v_is := v_part.open + v_part.unfinished + CASE WHEN v_one.holds THEN v_part.failed ELSE 0 END > 0;
    v_was := v_part.open - v_one.open + v_part.unfinished - v_one.unfinished
      + CASE WHEN v_one.holds THEN v_part.failed - v_one.failed ELSE 0 END > 0;
    v_at := array_position(v_batches, v_one.batch);
    IF v_at IS NULL THEN
      v_batches := v_batches || v_one.batch;
      v_changes := v_changes || 0;
      v_at := cardinality(v_batches);
    END IF;
    v_changes[v_at] := v_changes[v_at] + v_is::integer - v_was::integer;
    v_cancels := v_cancels || CASE WHEN v_one.cancels THEN ARRAY[v_one.batch] END;
  END LOOP;
  FOR v_one IN SELECT b.id, b.change FROM unnest(v_batches, v_changes) AS b (id, change) ORDER BY b.id LOOP
    -- No part became empty or busy here, and other parts are unfinished.
    CONTINUE WHEN v_one.change = 0 AND v_one.id <> ALL (v_cancels) AND EXISTS (SELECT 1 FROM zeke_jobs.batch AS b WHERE b.id = v_one.id AND b.parts > 0);
    UPDATE zeke_jobs.batch AS b
    SET parts = b.parts + v_one.change,
      cancelled_on = CASE WHEN v_one.id = ANY (v_cancels) AND b.ended_on IS NULL THEN coalesce(b.cancelled_on, zeke_jobs.now()) ELSE b.cancelled_on END
    WHERE b.id = v_one.id
    RETURNING b.parts = 0 AND b.ended_on IS NULL INTO v_is;
    IF v_is THEN
      PERFORM zeke_jobs.end_batch(v_one.id);
    END IF;
  END LOOP;
  RETURN NULL;
END
$$;

DROP TRIGGER IF EXISTS batch_add_up ON zeke_jobs.batch_change;
CREATE CONSTRAINT TRIGGER batch_add_up AFTER INSERT ON zeke_jobs.batch_change
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (current_setting('zeke_jobs.adds_up', true) IS DISTINCT FROM pg_current_xact_id()::text)
  EXECUTE FUNCTION zeke_jobs.add_up_batches();

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
  FROM zeke_jobs.batch_part AS c WHERE c.batch = b.id
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
    FROM zeke_jobs.enqueue(v_batch.task, NULL, zeke_jobs.with_counts(v_batch.payload, p_batch), '{"beyond_max_queued": true}') AS e;
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
  IF EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = p_parent AND q.batch = p_batch AND q.state IN ('queued', 'consumed')) THEN
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
  v_first uuid := coalesce((p_options ->> 'first_job')::uuid, p_first_job);
BEGIN
  IF zeke_jobs.takes_jobs(v_batch, (p_options ->> 'parent')::uuid) AND NOT p_options ? 'then' THEN
    RETURN true;
  END IF;
  RETURN zeke_jobs.make_batch(v_batch, p_options -> 'then', coalesce(p_options ->> 'after_failure', 'send'), false, v_first)
    -- The batch exists: for other jobs of the same send, or for a repetition of this send after a lost answer.
    OR EXISTS (SELECT 1 FROM zeke_jobs.batch AS b WHERE b.id = v_batch AND b.first_job = v_first);
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
    SELECT c.id FROM (
      SELECT q.message_id AS id FROM zeke_jobs.queue AS q
      WHERE q.batch = p_batch AND q.cancelled_on IS NULL AND (q.state IN ('queued', 'consumed') OR q.state = 'rejected' AND EXISTS (
        SELECT 1 FROM zeke_jobs.batch AS b WHERE b.id = p_batch AND b.after_failure = 'hold' AND b.ended_on IS NULL))
      ORDER BY q.message_id) AS c
    CROSS JOIN LATERAL zeke_jobs.cancel_unnoted(c.id, p_reason, p_by) AS x
    WHERE x.state IS NOT NULL);
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
  v_jobs := ARRAY(
    SELECT r.id FROM (
      SELECT q.message_id FROM zeke_jobs.queue AS q
      WHERE q.batch = p_batch AND q.state = 'rejected' AND (q.cancelled_on IS NULL OR v_cancelled)
      ORDER BY q.message_id) AS f
    CROSS JOIN LATERAL zeke_jobs.retry(f.message_id, NULL, 'failed', NULL, 1, p_by) AS r);
  IF v_cancelled AND cardinality(v_jobs) > 0 THEN
    -- Change the counters first, because every commit locks them in this order.
    SET CONSTRAINTS zeke_jobs.batch_add_up IMMEDIATE;
    UPDATE zeke_jobs.batch AS b SET cancelled_on = NULL, ended_on = NULL WHERE b.id = p_batch;
    SET CONSTRAINTS zeke_jobs.batch_add_up DEFERRED;
  END IF;
  RETURN QUERY SELECT unnest(v_jobs);
END
$$;
