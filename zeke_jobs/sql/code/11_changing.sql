-- These functions make changes for operators. They run with the rights of their owner, and record each change in the audit with the caller's login.

CREATE OR REPLACE FUNCTION zeke_jobs.note(p_action text, p_target text, p_by text, p_reason text, p_jobs uuid[] DEFAULT NULL) RETURNS void
LANGUAGE sql VOLATILE AS $$
  INSERT INTO zeke_jobs.audit (action, target, said_by, reason, jobs)
  VALUES (p_action, p_target, nullif(p_by, ''), nullif(p_reason, ''), p_jobs) $$;

-- Refuse changes of audit entries. The table's owner could drop the trigger, so the trigger protects only from accidental changes by the owner.
CREATE OR REPLACE FUNCTION zeke_jobs.refuse_to_rewrite() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND OLD.done_on < zeke_jobs.now() - interval '400 days' THEN RETURN OLD; END IF;
  RAISE EXCEPTION 'expected rows of zeke_jobs.audit to stay as they are for 400 days, got %', TG_OP
    USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE OR REPLACE TRIGGER audit_append BEFORE UPDATE OR DELETE ON zeke_jobs.audit
  FOR EACH ROW EXECUTE FUNCTION zeke_jobs.refuse_to_rewrite();

CREATE OR REPLACE TRIGGER audit_keep BEFORE TRUNCATE ON zeke_jobs.audit
  FOR EACH STATEMENT EXECUTE FUNCTION zeke_jobs.refuse_to_rewrite();

-- Delete audit entries that are older than 400 days. Workers call this function; it has no parameters, so they cannot choose which entries to delete.
CREATE OR REPLACE FUNCTION zeke_jobs.forget_audit() RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER AS $$ DELETE FROM zeke_jobs.audit AS a WHERE a.done_on < zeke_jobs.now() - interval '400 days' $$;

-- Record that a person sent jobs of a schedule: one job now (run), or one job for each past tick (backfill).
CREATE OR REPLACE FUNCTION zeke_jobs.note_sent(p_action text, p_task text, p_by text, p_reason text, p_jobs uuid[]) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
BEGIN
  PERFORM zeke_jobs.refuse(format('expected run or backfill, got %s', p_action)) WHERE p_action NOT IN ('run', 'backfill');
  PERFORM zeke_jobs.note(p_action, 'schedule/' || p_task, p_by, p_reason, p_jobs);
END $$;

-- Cancel queued jobs, and failed jobs that block others. Mark active jobs as cancelled, so that their workers stop them. Return the ids of all these jobs.
CREATE OR REPLACE FUNCTION zeke_jobs.cancel_jobs(p_ids uuid[], p_reason text, p_by text) RETURNS uuid[]
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_ended uuid[] := ARRAY(
    SELECT q.message_id FROM zeke_jobs.queue AS q
    WHERE q.message_id = ANY (p_ids) AND (q.state = 'queued' OR q.state = 'rejected' AND q.cancelled_on IS NULL AND zeke_jobs.holds_up(q))
    ORDER BY q.message_id FOR UPDATE);
  v_marked uuid[];
BEGIN
  PERFORM zeke_jobs.move(v_ended, 'cancelled', jsonb_strip_nulls(jsonb_build_object('reason', p_reason, 'by', p_by)));
  WITH marked AS (
    UPDATE zeke_jobs.queue AS q
    SET cancelled_on = coalesce(q.cancelled_on, v_now), mtime = v_now,
      extra = CASE WHEN q.cancelled_on IS NOT NULL THEN q.extra ELSE coalesce(q.extra, '{}') || jsonb_strip_nulls(jsonb_build_object(
        'cancel_reason', p_reason, 'cancelled_by', p_by)) END
    WHERE q.message_id = ANY (p_ids) AND q.state = 'consumed'
    RETURNING q.message_id,
      -- If this notification is lost, the worker sees within a second that the job is marked.
      pg_notify('zeke_jobs.cancel', q.message_id::text)
  )
  SELECT array_agg(m.message_id) INTO v_marked FROM marked AS m;
  RETURN v_ended || v_marked;
END $$;

-- Cancel all unfinished jobs of a task that is being removed, under its id and its aliases. Skip locked jobs; zeke_jobs.cancel_removed cancels them later.
CREATE OR REPLACE FUNCTION zeke_jobs.cancel_all(p_task text, p_reason text, p_by text) RETURNS integer
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_names text[] := p_task || coalesce((SELECT t.aliases FROM zeke_jobs.task AS t WHERE t.id = p_task), '{}');
  v_jobs uuid[] := ARRAY(
    SELECT q.message_id FROM zeke_jobs.queue AS q WHERE q.task = ANY (v_names) AND q.state IN ('queued', 'consumed')
    ORDER BY q.message_id FOR UPDATE SKIP LOCKED);
BEGIN
  v_jobs := zeke_jobs.cancel_jobs(v_jobs, p_reason, p_by);
  PERFORM zeke_jobs.note('cancel', 'task/' || p_task, p_by, p_reason, v_jobs);
  RETURN cardinality(v_jobs);
END $$;

-- Cancel queued jobs whose task no longer exists. Such jobs exist if a send or a retry is committed after the task's removal.
CREATE OR REPLACE FUNCTION zeke_jobs.cancel_removed() RETURNS TABLE (task text, jobs integer)
LANGUAGE sql VOLATILE SECURITY DEFINER AS $$
  SELECT n.task, zeke_jobs.cancel_all(n.task, 'its task was removed from jobs.yaml', 'zeke-jobs')
  FROM (SELECT DISTINCT p.task FROM zeke_jobs.queued_names() AS p) AS n WHERE (zeke_jobs.find_task(n.task)).id IS NULL
  ORDER BY n.task $$;

-- Pause a task, queue, shared limit or schedule. Return false if the target was paused already.
CREATE OR REPLACE FUNCTION zeke_jobs.pause(p_target text, p_by text, p_reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
BEGIN
  INSERT INTO zeke_jobs.pause (target, paused_by, reason) VALUES (p_target, p_by, p_reason) ON CONFLICT (target) DO NOTHING;
  PERFORM zeke_jobs.note('pause', p_target, p_by, p_reason) WHERE FOUND;
  RETURN FOUND;
END $$;

-- End a pause, and wake the workers that can claim again. Return false if there was no pause.
CREATE OR REPLACE FUNCTION zeke_jobs.resume(p_target text, p_by text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
BEGIN
  DELETE FROM zeke_jobs.pause AS p WHERE p.target = p_target;
  IF FOUND THEN
    PERFORM zeke_jobs.notify_idle(q.queue) FROM (
      SELECT DISTINCT t.queue FROM zeke_jobs.task AS t
      WHERE p_target IN ('task/' || t.id, 'queue/' || t.queue) OR p_target = ANY (t.limits)) AS q;
    PERFORM zeke_jobs.note('resume', p_target, p_by, NULL);
  END IF;
  RETURN FOUND;
END $$;

-- Make the stored tasks equal to the tasks of jobs.yaml. Only a task that has changed gets the new revision.
CREATE OR REPLACE FUNCTION zeke_jobs.write_tasks(p_revision integer, p_tasks jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  c_defaults CONSTANT jsonb := '{"units": {}, "metered": false}';
  c_derived CONSTANT text[] := '{revision,on_time,metered}';
  v_former zeke_jobs.task[] := ARRAY(SELECT t FROM zeke_jobs.task AS t);
BEGIN
  DELETE FROM zeke_jobs.task;
  INSERT INTO zeke_jobs.task
  SELECT r.* FROM jsonb_array_elements(p_tasks) AS w (value) LEFT JOIN unnest(v_former) AS f ON f.id = w.value ->> 'id'
  CROSS JOIN LATERAL jsonb_populate_record(NULL::zeke_jobs.task, c_defaults || w.value) AS n
  CROSS JOIN LATERAL jsonb_populate_record(n, jsonb_build_object(
    'revision', CASE WHEN to_jsonb(f) - c_derived = to_jsonb(n) - c_derived THEN f.revision ELSE p_revision END)) AS r;
  UPDATE zeke_jobs.task AS t SET on_time = (
      SELECT least(min(zeke_jobs.allowance(b.period)), min(zeke_jobs.allowance(b.key_period))) FROM zeke_jobs.bucket AS b
      WHERE b.name = ANY (t.limits) AND b.unit = 'jobs' AND (b.step IS NOT NULL OR b.key_step IS NOT NULL)),
    metered = EXISTS (SELECT 1 FROM zeke_jobs.bucket AS b
      WHERE b.name = ANY (t.limits) AND (b.amount IS NOT NULL OR b.key_amount IS NOT NULL OR b.breaker_pause IS NOT NULL));
  -- If the new jobs.yaml gives a task a limit per key or fair shares, give keys to the task's queued jobs without a key. Skip jobs that a sender has locked.
  UPDATE zeke_jobs.queue AS q SET key = zeke_jobs.own_key(t.per_key, t.share, q.message_id::text)
  FROM zeke_jobs.task AS t WHERE t.id = q.task AND q.message_id = ANY (ARRAY(
    SELECT o.message_id FROM zeke_jobs.task AS t JOIN zeke_jobs.queue AS o ON o.queue_name = t.queue AND o.task = t.id
    LEFT JOIN unnest(v_former) AS f ON f.id = t.id
    WHERE (t.per_key IS NOT NULL OR t.share IS NOT NULL) AND f.per_key IS NULL AND f.share IS NULL AND o.state = 'queued' AND o.key IS NULL
    FOR UPDATE OF o SKIP LOCKED));
  -- If a task now runs in chunks, give each of its active jobs a different claimed_on, because jobs with the same claimed_on would count as one chunk.
  WITH active AS MATERIALIZED (
    SELECT q.message_id, q.worker, q.claimed_on FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.task = ANY (ARRAY(
      SELECT a.name FROM unnest(v_former) AS f JOIN zeke_jobs.task AS t ON t.id = f.id CROSS JOIN unnest(f.id || f.aliases) AS a (name)
      WHERE f.chunk IS NULL AND t.chunk IS NOT NULL)) FOR UPDATE SKIP LOCKED)
  UPDATE zeke_jobs.queue AS q SET claimed_on = a.claimed_on + a.n * interval '1 microsecond'
  FROM (SELECT o.*, row_number() OVER (PARTITION BY o.worker, o.claimed_on) AS n FROM active AS o) AS a WHERE q.message_id = a.message_id;
  -- Jobs get the order_hold of their task. Locked jobs are skipped; zeke_jobs.gather changes them later.
  UPDATE zeke_jobs.queue AS q SET order_hold = t.order_hold
  FROM zeke_jobs.task AS t WHERE t.id = q.task AND q.message_id = ANY (ARRAY(
    SELECT o.message_id FROM zeke_jobs.queue AS o
    WHERE o.state IN ('rejected', 'queued', 'consumed') AND o.task = ANY (ARRAY(
      SELECT t.id FROM zeke_jobs.task AS t LEFT JOIN unnest(v_former) AS f ON f.id = t.id WHERE t.order_hold IS DISTINCT FROM f.order_hold))
    FOR UPDATE SKIP LOCKED));
END $$;

-- Lock the catalogue until the transaction ends, so that only one process at a time can apply a revision of jobs.yaml.
CREATE OR REPLACE FUNCTION zeke_jobs.lock_catalogue() RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER AS $$ SELECT zeke_jobs.take_lock('catalogue') $$;

-- Apply a jobs.yaml, and change limits, tasks and jobs accordingly. p_cancel names removed tasks, whose jobs are cancelled. p_priorities gives
-- the queued jobs of some tasks a new priority. Return the number of the new revision. The numbers of revisions have no gaps.
CREATE OR REPLACE FUNCTION zeke_jobs.put_in_force(p_revision jsonb, p_buckets jsonb, p_tasks jsonb, p_cancel text[],
  p_priorities jsonb) RETURNS integer LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
DECLARE
  v_by text := p_revision ->> 'by';
  v_number integer;
  v_one record;
BEGIN
  PERFORM zeke_jobs.take_lock('catalogue');
  -- Jobs are cancelled before the limits are locked, because a worker may hold the lock of a job while it waits for the lock of a limit.
  PERFORM zeke_jobs.cancel_all(c.task, 'its task was removed from jobs.yaml', v_by) FROM unnest(p_cancel) AS c (task);
  -- Write the limits before the revision: this blocks claims until the commit, so no job is claimed under the old limits once the revision exists.
  PERFORM zeke_jobs.write_limits(p_buckets);
  INSERT INTO zeke_jobs.revision (number, digest, source, applied_by, message, origin, overrides, shown)
  OVERRIDING SYSTEM VALUE
  VALUES ((SELECT coalesce(max(r.number), 0) + 1 FROM zeke_jobs.revision AS r), p_revision ->> 'digest', p_revision ->> 'source',
    v_by, p_revision ->> 'message', p_revision ->> 'origin', p_revision -> 'overrides', p_revision -> 'shown')
  RETURNING number INTO v_number;
  PERFORM zeke_jobs.write_tasks(v_number, p_tasks);
  PERFORM zeke_jobs.gather(10000);
  -- If a paused task was renamed, store its pause under the new name. If several pauses get the same name, the earliest pause is kept.
  WITH former AS (
    DELETE FROM zeke_jobs.pause AS p USING zeke_jobs.task AS t, unnest(t.id || t.aliases) AS a (name)
    WHERE t.aliases <> '{}' AND p.target IN ('task/' || a.name, 'schedule/' || a.name)
    RETURNING split_part(p.target, '/', 1) || '/' || t.id AS target, p.paused_on, p.paused_by, p.reason
  )
  INSERT INTO zeke_jobs.pause (target, paused_on, paused_by, reason)
  SELECT f.target, f.paused_on, f.paused_by, f.reason FROM former AS f ORDER BY f.paused_on ON CONFLICT DO NOTHING;
  FOR v_one IN SELECT w.task, w.priority, w.was FROM jsonb_to_recordset(p_priorities) AS w (task text, priority integer, was integer) LOOP
    -- Jobs that a sender has locked are skipped: all claims wait for this transaction, so it must not wait for a sender.
    UPDATE zeke_jobs.queue AS q SET priority = v_one.priority WHERE q.message_id = ANY (ARRAY(
      SELECT o.message_id FROM zeke_jobs.queue AS o WHERE o.state = 'queued' AND o.task = v_one.task AND o.priority = v_one.was
      FOR UPDATE SKIP LOCKED));
  END LOOP;
  PERFORM pg_notify('zeke_jobs.revision', v_number::text); -- workers listen to this channel, and each heartbeat returns the number, too
  PERFORM zeke_jobs.note(p_revision ->> 'origin', 'revision/' || v_number, v_by, p_revision ->> 'message');
  RETURN v_number;
END $$;
