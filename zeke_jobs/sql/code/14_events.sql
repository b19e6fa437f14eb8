-- A job that waits for an event is queued until the event comes or the wait times out. The transaction that queues the job looks for the event, and the
-- transaction that emits the event looks for waiting jobs. Both transactions take the same lock, so no event is missed.

-- Emit an event in the caller's transaction. A job that waits for the event now, or begins to wait within thirty days, is due at once and gets the newest data.
--   SELECT zeke_jobs.emit('callback/42', '{"status": "paid"}');
CREATE OR REPLACE FUNCTION zeke_jobs.emit(name text, data jsonb DEFAULT 'null') RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
BEGIN
  PERFORM zeke_jobs.refuse(CASE
    WHEN octet_length(emit.name) BETWEEN 1 AND 1024 THEN CASE WHEN emit.data IS NULL THEN 'expected data, got NULL' ELSE zeke_jobs.unfit_json(emit.data) END
    ELSE format('expected the name of an event of 1 to 1024 bytes, got %s', coalesce(octet_length(emit.name)::text, 'NULL')) END);
  INSERT INTO zeke_jobs.event AS e (name, data) VALUES (emit.name, emit.data)
  ON CONFLICT ON CONSTRAINT event_pkey DO UPDATE SET data = excluded.data, emitted_on = zeke_jobs.now();
END $$;

-- When the transaction that emits an event commits, deliver the event to the jobs that wait for it.
CREATE OR REPLACE FUNCTION zeke_jobs.deliver_event() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET enable_seqscan = off AS $$
DECLARE
  v_queues text[];
BEGIN
  PERFORM zeke_jobs.take_lock('event/' || (hashtext(NEW.name) & 63));
  WITH given AS (
    UPDATE zeke_jobs.wait AS w SET data = NEW.data, came_on = zeke_jobs.now()
    WHERE w.event = NEW.name AND w.came_on IS NULL AND w.until > zeke_jobs.now() RETURNING w.job
  ),
  woken AS (
    UPDATE zeke_jobs.queue AS q SET run_at = zeke_jobs.now(), mtime = zeke_jobs.now() FROM given AS g
    WHERE q.message_id = g.job AND q.state = 'queued' AND q.extra ->> 'waiting_for' = 'event ' || NEW.name
    RETURNING q.queue_name
  )
  SELECT array_agg(DISTINCT w.queue_name) INTO v_queues FROM woken AS w;
  PERFORM zeke_jobs.notify_idle(r.queue) FROM unnest(v_queues) AS r (queue);
  RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS event_deliver ON zeke_jobs.event;
CREATE CONSTRAINT TRIGGER event_deliver AFTER INSERT OR UPDATE ON zeke_jobs.event
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION zeke_jobs.deliver_event();

-- End an attempt whose handler waits for an event. The job waits at most p_delay seconds. A wait that began in an earlier attempt keeps its deadline. If the
-- event has come, the job is due at once. Return whether the worker still held the job.
CREATE OR REPLACE FUNCTION zeke_jobs.wait_for(p_worker uuid, p_id uuid, p_claim bigint, p_event text,
  p_delay double precision, p_after double precision, p_revision integer, p_took double precision) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_wait zeke_jobs.wait;
BEGIN
  -- The event is locked before the job's row, in the same order as in deliver_event.
  PERFORM zeke_jobs.take_lock('event/' || (hashtext(p_event) & 63));
  PERFORM 1 FROM zeke_jobs.queue AS q WHERE q.message_id = p_id AND q.claim = p_claim AND q.worker = p_worker FOR UPDATE;
  IF NOT FOUND THEN RETURN false; END IF;
  INSERT INTO zeke_jobs.wait AS w (job, event, until, data, came_on)
  SELECT p_id, p_event, v_now + make_interval(secs => p_delay), e.data, CASE WHEN e.name IS NOT NULL THEN v_now END
  FROM (SELECT 1) AS one LEFT JOIN zeke_jobs.event AS e ON e.name = p_event
  ON CONFLICT ON CONSTRAINT wait_pkey DO UPDATE
  SET until = CASE WHEN w.until > v_now THEN w.until ELSE excluded.until END,
    data = coalesce(w.data, excluded.data), came_on = coalesce(w.came_on, excluded.came_on)
  RETURNING w.* INTO v_wait;
  RETURN zeke_jobs.finish(
    p_worker, p_id, p_claim, 'deferred', p_after, NULL, CASE WHEN v_wait.came_on IS NULL THEN v_wait.until ELSE v_now END,
    'event ' || p_event, NULL, p_revision, p_took);
END $$;
