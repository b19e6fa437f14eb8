-- Each change of a job's state inserts a row into zeke_jobs.batch_change, so that the change need not lock the batch's row. When a transaction that ends a job
-- commits, a deferred trigger adds these rows to the batch's counters. If all jobs of a closed batch have ended, the trigger sends the job that follows the
-- batch. A send need not lock the counters, because the batch cannot end during the send: the batch is open, or the sender is an unfinished job of the batch.

-- Count jobs in their batches. p_sign is 1 to add the jobs, -1 to subtract the jobs, or 0 to count ended jobs under their new states instead of as unfinished.
CREATE OR REPLACE FUNCTION zeke_jobs.count_in_batches(p_ids uuid[], p_sign integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off AS $$
DECLARE
  v_by CONSTANT integer := CASE WHEN p_sign = 0 THEN 1 ELSE p_sign END;
BEGIN
  INSERT INTO zeke_jobs.batch_change (batch, unfinished, completed, failed, cancelled, is_sent)
  SELECT q.extra ->> 'batch', CASE WHEN p_sign = 0 THEN -count(*) ELSE p_sign * count(*) FILTER (WHERE q.state IN ('queued', 'consumed')) END,
    v_by * count(*) FILTER (WHERE q.state = 'done'), v_by * count(*) FILTER (WHERE q.state = 'rejected' AND q.cancelled_on IS NULL),
    v_by * count(*) FILTER (WHERE q.state = 'rejected' AND q.cancelled_on IS NOT NULL), p_sign = 1 AND bool_and(q.state IN ('queued', 'consumed'))
  FROM zeke_jobs.queue AS q
  WHERE q.message_id = ANY (p_ids) AND (q.extra ->> 'batch') IS NOT NULL AND NOT (p_sign = 0 AND q.state IN ('queued', 'consumed'))
  GROUP BY 1;
END $$;

-- At a commit, add the rows of zeke_jobs.batch_change to the batches' counters. The first call handles all batches of the transaction, ordered by id.
CREATE OR REPLACE FUNCTION zeke_jobs.add_up_batches() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET enable_seqscan = off AS $$
DECLARE
  v_batch text;
  v_ends boolean;
BEGIN
  FOR v_batch IN SELECT DISTINCT c.batch FROM zeke_jobs.batch_change AS c WHERE c.xact = pg_current_xact_id() ORDER BY c.batch LOOP
    -- Because of this lock, the next statement sees the counters that the last holder of the lock has written.
    PERFORM 1 FROM zeke_jobs.batch AS b WHERE b.id = v_batch FOR UPDATE;
    WITH gone AS (
      DELETE FROM zeke_jobs.batch_change AS c WHERE c.batch = v_batch AND (c.is_sent OR c.xact = pg_current_xact_id())
      RETURNING c.*
    )
    UPDATE zeke_jobs.batch AS b
    SET unfinished = b.unfinished + s.unfinished, completed = b.completed + s.completed, failed = b.failed + s.failed, cancelled = b.cancelled + s.cancelled,
      cancelled_on = CASE WHEN s.cancels AND b.ended_on IS NULL THEN coalesce(b.cancelled_on, zeke_jobs.now()) ELSE b.cancelled_on END
    FROM (
      SELECT sum(g.unfinished) AS unfinished, sum(g.completed) AS completed, sum(g.failed) AS failed, sum(g.cancelled) AS cancelled,
        bool_or(g.cancels) AS cancels FROM gone AS g) AS s
    WHERE b.id = v_batch
    RETURNING b.ended_on IS NULL AND b.unfinished = 0 AND (b.after_failure = 'send' OR b.failed = 0)
      AND NOT EXISTS (SELECT 1 FROM zeke_jobs.batch_open AS o WHERE o.batch = v_batch) INTO v_ends;
    IF v_ends THEN PERFORM zeke_jobs.end_batch(v_batch); END IF;
  END LOOP;
  RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS batch_add_up ON zeke_jobs.batch_change;
CREATE CONSTRAINT TRIGGER batch_add_up AFTER INSERT ON zeke_jobs.batch_change
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NOT NEW.is_sent) EXECUTE FUNCTION zeke_jobs.add_up_batches();

CREATE OR REPLACE VIEW zeke_jobs.batch_state AS
SELECT b.id,
  CASE WHEN b.cancelled_on IS NOT NULL THEN 'cancelled' WHEN b.ended_on IS NOT NULL THEN 'ended'
    WHEN EXISTS (SELECT 1 FROM zeke_jobs.batch_open AS o WHERE o.batch = b.id) THEN 'open'
    WHEN p.unfinished = 0 AND p.failed > 0 THEN 'held' ELSE 'running' END AS state,
  p.unfinished + p.completed + p.failed + p.cancelled AS jobs,
  p.unfinished, p.completed, p.failed, p.cancelled, b.after_failure, b.task AS then_task, b.then_job, b.then_outcome,
  b.created_on, b.ended_on, b.cancelled_on
FROM zeke_jobs.batch AS b CROSS JOIN LATERAL (
  SELECT b.unfinished + coalesce(sum(c.unfinished), 0) AS unfinished, b.completed + coalesce(sum(c.completed), 0) AS completed,
    b.failed + coalesce(sum(c.failed), 0) AS failed, b.cancelled + coalesce(sum(c.cancelled), 0) AS cancelled
  FROM zeke_jobs.batch_change AS c WHERE c.batch = b.id) AS p;
COMMENT ON VIEW zeke_jobs.batch_state IS 'Batches, and how many of their jobs are unfinished, completed, failed and cancelled.';

-- End a batch whose row the caller has locked, and send the job that follows the batch. If the send is refused, the batch records why, and the commit succeeds.
CREATE OR REPLACE FUNCTION zeke_jobs.end_batch(p_batch text) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_batch zeke_jobs.batch;
  v_sent record;
BEGIN
  UPDATE zeke_jobs.batch AS b SET ended_on = zeke_jobs.now() WHERE b.id = p_batch RETURNING b.* INTO v_batch;
  IF v_batch.task IS NULL OR v_batch.cancelled_on IS NOT NULL OR v_batch.then_job IS NOT NULL THEN RETURN; END IF;
  BEGIN
    -- This job is sent even if its task has max_queued jobs already, because the job was promised when the batch was made.
    SELECT e.outcome, e.job_id INTO v_sent FROM (
      -- In the payload, a value such as {"$batch": "failed"} is replaced by the id of the batch or by one of its job counts.
      SELECT coalesce(jsonb_object_agg(f.name, CASE
        WHEN jsonb_typeof(f.value) = 'object' AND f.value ? '$batch' THEN coalesce(to_jsonb(s) -> (f.value ->> '$batch'), 'null')
        ELSE f.value END), '{}') AS payload
      FROM jsonb_each(v_batch.payload) AS f (name, value)
      LEFT JOIN (SELECT b.id, b.jobs, b.completed, b.failed, b.cancelled FROM zeke_jobs.batch_state AS b WHERE b.id = p_batch) AS s ON true
    ) AS p CROSS JOIN LATERAL zeke_jobs.put(v_batch.task, NULL, p.payload, '{}', true) AS e;
  EXCEPTION WHEN invalid_parameter_value THEN
    SELECT SQLERRM AS outcome, NULL::uuid AS job_id INTO v_sent;
  END;
  UPDATE zeke_jobs.batch AS b SET then_job = v_sent.job_id, then_outcome = v_sent.outcome WHERE b.id = p_batch;
END $$;

-- Make a batch. Return false if the batch exists already.
CREATE OR REPLACE FUNCTION zeke_jobs.make_batch(p_batch text, p_then jsonb, p_after_failure text,
  p_open boolean) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_task zeke_jobs.task;
  v_payload jsonb;
BEGIN
  PERFORM zeke_jobs.refuse(CASE
    WHEN octet_length(p_batch) NOT BETWEEN 1 AND 1024 THEN format('expected the id of a batch of 1 to 1024 bytes, got %s', octet_length(p_batch))
    WHEN p_after_failure NOT IN ('send', 'hold') THEN format('expected after_failure send or hold, got %s', p_after_failure) END);
  IF p_then ->> 'task' IS NOT NULL THEN
    v_task := zeke_jobs.find_task(p_then ->> 'task');
    PERFORM zeke_jobs.refuse(format('expected the name of a task to send at the end of the batch, got %L', p_then ->> 'task'), 'undefined_object')
    WHERE v_task.id IS NULL;
    v_payload := zeke_jobs.accepted(v_task, coalesce(p_then -> 'payload', '{}'));
  END IF;
  INSERT INTO zeke_jobs.batch (id, task, payload, after_failure) VALUES (p_batch, v_task.id, v_payload, p_after_failure) ON CONFLICT DO NOTHING;
  IF FOUND THEN
    INSERT INTO zeke_jobs.batch_open (batch) SELECT p_batch WHERE p_open;
    -- At the commit, this row fires the trigger batch_add_up. The trigger ends the batch if it is closed and has no jobs.
    INSERT INTO zeke_jobs.batch_change (batch) VALUES (p_batch);
  END IF;
  RETURN FOUND;
END $$;

-- Return whether a send may add jobs to a batch: the batch is open (and stays so until the commit), or the sender is an unfinished job of the batch.
CREATE OR REPLACE FUNCTION zeke_jobs.takes_jobs(p_batch text, p_parent uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  -- No lock is needed here, because the batch cannot end before the sending job ends.
  IF EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = p_parent AND (q.extra ->> 'batch') = p_batch AND q.state IN ('queued', 'consumed')) THEN
    RETURN true;
  END IF;
  PERFORM 1 FROM zeke_jobs.batch_open AS o WHERE o.batch = p_batch FOR SHARE;
  RETURN FOUND;
END $$;

-- If a send names a new batch, create it closed: only this transaction and the batch's own jobs may add jobs. Return false if an existing batch takes no more.
CREATE OR REPLACE FUNCTION zeke_jobs.enter_batch(p_options jsonb, p_task zeke_jobs.task, p_payloads jsonb) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_batch text := p_options ->> 'batch';
BEGIN
  -- The id of a batch must not contain the value of a sensitive field, because everybody who may read batches sees the ids.
  PERFORM zeke_jobs.refuse(format('expected the id of a batch without the value of a sensitive field of %s, got one with it', p_task.id))
  FROM jsonb_array_elements(p_payloads) AS p (payload)
  WHERE p_task.sensitive <> '{}' AND zeke_jobs.mask_text(v_batch, p.payload, p_task.sensitive) <> v_batch;
  RETURN zeke_jobs.takes_jobs(v_batch, (p_options ->> 'parent')::uuid) AND NOT p_options ? 'then'
    OR zeke_jobs.make_batch(v_batch, p_options -> 'then', coalesce(p_options ->> 'after_failure', 'send'), false)
    -- This transaction may have made the batch when it sent an earlier job.
    OR EXISTS (SELECT 1 FROM zeke_jobs.batch AS b WHERE b.id = v_batch AND b.made_in = pg_current_xact_id());
END $$;

-- Open a batch, so that several sends can add jobs to it. If the batch is open already, change nothing and return true. If it has been closed, return false.
CREATE OR REPLACE FUNCTION zeke_jobs.try_open_batch(p_batch text, p_task text, p_payload jsonb,
  p_after_failure text) RETURNS boolean LANGUAGE sql VOLATILE SECURITY DEFINER AS $$
  SELECT zeke_jobs.make_batch(p_batch, jsonb_build_object('task', p_task, 'payload', p_payload), p_after_failure, true)
    OR zeke_jobs.takes_jobs(p_batch, NULL) $$;

-- Open a batch for callers in SQL, who must close it. Raise an error if it was closed. In the payload, {"$batch": "failed"} becomes the number of failed jobs.
--   SELECT zeke_jobs.open_batch('import-42', 'generate-brief', '{"failed": {"$batch": "failed"}}');
--   SELECT zeke_jobs.send('ingest-oneoff', '{"url": "https://example.org"}', '{"batch": "import-42"}'), zeke_jobs.close_batch('import-42');
CREATE OR REPLACE FUNCTION zeke_jobs.open_batch(id text, then_task text DEFAULT NULL, then_payload jsonb DEFAULT '{}',
  after_failure text DEFAULT 'send') RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
BEGIN
  PERFORM zeke_jobs.refuse(format('expected a batch that is new or open, got %L, which was closed', open_batch.id), 'object_not_in_prerequisite_state')
  WHERE NOT zeke_jobs.try_open_batch(open_batch.id, then_task, then_payload, open_batch.after_failure);
END $$;

-- Close a batch, so that the batch ends as soon as its last job ends. Return false if the batch is closed already or does not exist.
CREATE OR REPLACE FUNCTION zeke_jobs.close_batch(id text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
BEGIN
  -- If other transactions are adding jobs to the batch, this DELETE waits for them.
  DELETE FROM zeke_jobs.batch_open AS o WHERE o.batch = close_batch.id;
  INSERT INTO zeke_jobs.batch_change (batch) SELECT close_batch.id WHERE FOUND;
  RETURN FOUND;
END $$;

-- Cancel the unfinished jobs of a batch; the job that follows the batch is then not sent. Return the ids of the jobs that were cancelled or are being stopped.
CREATE OR REPLACE FUNCTION zeke_jobs.cancel_batch(p_batch text, p_reason text, p_by text) RETURNS SETOF uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
DECLARE
  v_jobs uuid[];
BEGIN
  PERFORM zeke_jobs.close_batch(p_batch);
  v_jobs := zeke_jobs.cancel_jobs(
    ARRAY(SELECT q.message_id FROM zeke_jobs.queue AS q WHERE (q.extra ->> 'batch') = p_batch AND q.cancelled_on IS NULL ORDER BY q.message_id),
    p_reason, p_by);
  INSERT INTO zeke_jobs.batch_change (batch, cancels) SELECT b.id, true FROM zeke_jobs.batch AS b WHERE b.id = p_batch;
  PERFORM zeke_jobs.note('cancel', 'batch/' || p_batch, p_by, p_reason, v_jobs);
  RETURN QUERY SELECT unnest(v_jobs);
END $$;

-- Retry the failed jobs of a batch. If the batch was cancelled, also retry its cancelled jobs; the job that follows the batch is then sent after all.
CREATE OR REPLACE FUNCTION zeke_jobs.retry_batch(p_batch text, p_by text) RETURNS SETOF uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
DECLARE
  v_cancelled boolean;
  v_jobs uuid[];
BEGIN
  SELECT b.cancelled_on IS NOT NULL INTO v_cancelled FROM zeke_jobs.batch AS b WHERE b.id = p_batch;
  v_jobs := zeke_jobs.move(ARRAY(
    SELECT q.message_id FROM zeke_jobs.queue AS q
    WHERE (q.extra ->> 'batch') = p_batch AND q.state = 'rejected' AND (q.cancelled_on IS NULL OR v_cancelled)
    ORDER BY q.message_id FOR UPDATE), 'again');
  PERFORM zeke_jobs.note('retry', 'batch/' || p_batch, p_by, NULL, v_jobs) WHERE v_jobs <> '{}';
  IF v_cancelled AND v_jobs <> '{}' THEN
    -- This runs the deferred trigger batch_add_up, which locks batches in the order of their ids. If the UPDATE came first, it could break this order.
    SET CONSTRAINTS zeke_jobs.batch_add_up IMMEDIATE;
    UPDATE zeke_jobs.batch AS b SET cancelled_on = NULL, ended_on = NULL WHERE b.id = p_batch;
    SET CONSTRAINTS zeke_jobs.batch_add_up DEFERRED;
  END IF;
  RETURN QUERY SELECT unnest(v_jobs);
END $$;
