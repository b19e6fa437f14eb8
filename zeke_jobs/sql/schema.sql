-- All that the migrations of zeke_jobs make, for reading and review. Written by `nox -s schema`; never edited, never run.

CREATE SCHEMA pgboss;

COMMENT ON SCHEMA pgboss IS 'Views of zeke_jobs in the words of pg-boss; no pg-boss is here.';

CREATE SCHEMA zeke_jobs;

CREATE TYPE zeke_jobs.candidate AS (
	task text,
	priority integer,
	gates text[],
	per_key integer,
	after_run_at timestamp with time zone,
	after_seq bigint,
	metered boolean
);

CREATE TYPE zeke_jobs.claimed AS (
	message_id uuid,
	claim bigint,
	task text,
	message text,
	attempt integer,
	attempt_base integer,
	deaths integer,
	revision integer,
	parent uuid,
	scheduled_for timestamp with time zone,
	claimed_on timestamp with time zone,
	expires_on timestamp with time zone,
	ahead boolean,
	sensitive text[]
);

CREATE TYPE zeke_jobs.job_status AS ENUM (
    'created',
    'retry',
    'active',
    'completed',
    'expired',
    'cancelled',
    'failed'
);

CREATE TYPE zeke_jobs.room AS (
	gate text,
	share integer,
	room integer,
	is_metered boolean,
	used integer,
	by_units boolean
);

CREATE TYPE zeke_jobs.state AS ENUM (
    'queued',
    'consumed',
    'rejected',
    'done'
);

CREATE FUNCTION zeke_jobs.add_cost(p_worker uuid, p_id uuid, p_claim bigint, p_amount numeric, p_currency text, OUT currency text, OUT missed text) RETURNS record
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
BEGIN
  UPDATE zeke_jobs.queue AS q
  SET cost = CASE WHEN coalesce(q.currency, p_currency) = p_currency THEN coalesce(q.cost, 0) + p_amount ELSE q.cost END,
    currency = coalesce(q.currency, p_currency)
  WHERE q.message_id = p_id AND q.claim = p_claim AND q.worker = p_worker
  RETURNING q.currency INTO currency;
  IF currency = p_currency THEN
    PERFORM zeke_jobs.report(p_id, p_claim, jsonb_build_object(p_currency, p_amount));
    missed := (
      SELECT min(u.unit) FROM zeke_jobs.meter_use AS u
      WHERE u.job = p_id AND u.claim = p_claim AND u.lasts IS NULL AND u.unit <> p_currency);
  END IF;
END
$$;

CREATE FUNCTION zeke_jobs.add_up_batches() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET plan_cache_mode TO 'force_generic_plan'
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

CREATE FUNCTION zeke_jobs.adopt() RETURNS trigger
    LANGUAGE plpgsql
    AS $_$
DECLARE
  v_task zeke_jobs.task;
  v_unfit text;
BEGIN
  IF NEW.message IS NULL THEN
    RETURN NEW;
  END IF;
  v_unfit := zeke_jobs.unfit_message(NEW.message);
  IF v_unfit IS NOT NULL THEN
    RAISE EXCEPTION '%', v_unfit USING ERRCODE = 'invalid_parameter_value';
  END IF;
  NEW.queue_name := regexp_replace(NEW.queue_name, '\.DQ$', '');
  v_task := zeke_jobs.find_task(NEW.message ->> 'actor_name');
  IF v_task.id IS NOT NULL THEN
    NEW.queue_name := v_task.queue;
    NEW.priority := v_task.priority;
    NEW.sensitive := nullif(NEW.sensitive || v_task.sensitive, '{}');
    IF v_task.per_key IS NOT NULL AND NEW.key IS NULL THEN
      NEW.key := NEW.message_id::text;
    END IF;
    NEW.order_hold := v_task.order_hold;
  END IF;
  IF jsonb_typeof(NEW.message #> '{options,eta}') = 'number' THEN
    NEW.run_at := zeke_jobs.readable(
      to_timestamp((NEW.message #>> '{options,eta}')::numeric / 1000.0), 'eta of a message', NEW.message #>> '{options,eta}');
  END IF;
  NEW.message := NEW.message || jsonb_build_object(
    'queue_name', NEW.queue_name, 'actor_name', coalesce(v_task.id, NEW.message ->> 'actor_name'),
    'options', coalesce(nullif(NEW.message -> 'options', 'null'), '{}') - 'eta' || '{"producer": "dramatiq-pg"}');
  NEW.awaited := true; -- a stock producer may wait, and cannot request the announcement
  NEW.revision := (SELECT coalesce(max(number), 0) FROM zeke_jobs.revision);
  RETURN NEW;
END
$_$;

CREATE FUNCTION zeke_jobs.advance_schedule(p_task text, p_cron text, p_timezone text, p_decided_to timestamp with time zone, p_next_tick timestamp with time zone) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  UPDATE zeke_jobs.schedule_state AS s
  SET cron = p_cron, timezone = p_timezone, next_tick = p_next_tick,
    decided_to = CASE WHEN p_decided_to <= s.decided_to THEN p_decided_to ELSE zeke_jobs.decidable(p_decided_to, p_task) END
  WHERE s.task = p_task;
  IF NOT has_table_privilege(session_user, 'zeke_jobs.schedule_state', 'UPDATE') AND NOT EXISTS (
    SELECT 1 FROM zeke_jobs.audit AS a
    WHERE a.target = 'schedule/' || p_task AND a.action = 'resume' AND a.xmin = pg_current_xact_id()::xid) THEN
    PERFORM zeke_jobs.note('advance', 'schedule/' || p_task, NULL, 'ticks decided up to ' || p_decided_to);
  END IF;
END
$$;

CREATE FUNCTION zeke_jobs.announce_revision() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  PERFORM pg_notify('zeke_jobs.revision', NEW.number::text);
  RETURN NULL;
END
$$;

CREATE FUNCTION zeke_jobs.await_end(p_id uuid) RETURNS zeke_jobs.state
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET plan_cache_mode TO 'force_generic_plan'
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

CREATE FUNCTION zeke_jobs.begin_beating() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  NEW.beating_since := NEW.heartbeat_on;
  RETURN NEW;
END
$$;

CREATE FUNCTION zeke_jobs.brief_attempts(p_attempts jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT CASE WHEN p_attempts = '[]' OR jsonb_typeof(p_attempts) <> 'array' THEN '[]' ELSE (
    SELECT jsonb_agg(
      jsonb_strip_nulls(jsonb_build_object(
        'attempt', a.value -> 'attempt', 'outcome', a.value -> 'outcome', 'started_on', a.value -> 'started_on',
        'ended_on', a.value -> 'ended_on', 'error', jsonb_build_object('type', a.value #> '{error,type}')))
      ORDER BY a.n)
    FROM jsonb_array_elements(p_attempts) WITH ORDINALITY AS a (value, n)) END
$$;

CREATE FUNCTION zeke_jobs.camel_of_words(p_name text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT string_agg(CASE WHEN (w.n = 1) THEN w.word ELSE (upper("left"(w.word, 1)) || substr(w.word, 2)) END, ''::text ORDER BY w.n) AS string_agg FROM unnest(string_to_array(camel_of_words.p_name, '_'::text)) WITH ORDINALITY w(word, n));

CREATE FUNCTION zeke_jobs.camel(p_name text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (strpos(p_name, '_'::text) = 0) THEN p_name ELSE zeke_jobs.camel_of_words(p_name) END;

CREATE FUNCTION zeke_jobs.cancel(p_id uuid, p_reason text, p_by text, OUT state zeke_jobs.state, OUT has_started boolean) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  SELECT c.state, c.has_started INTO cancel.state, cancel.has_started FROM zeke_jobs.cancel_unnoted(p_id, p_reason, p_by) AS c;
  IF cancel.state IS NOT NULL THEN
    PERFORM zeke_jobs.note('cancel', 'job/' || p_id, p_by, p_reason, ARRAY[p_id]);
  END IF;
END
$$;

CREATE FUNCTION zeke_jobs.cancel_all(p_task text, p_reason text, p_by text) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
  v_jobs uuid[];
  v_names text[] := p_task || coalesce((SELECT t.aliases FROM zeke_jobs.task AS t WHERE t.id = p_task), '{}');
BEGIN
  WITH cancelled AS (
    UPDATE zeke_jobs.queue AS q
    SET
      cancelled_on = coalesce(q.cancelled_on, zeke_jobs.now()),
      cancelled_by = CASE WHEN q.cancelled_on IS NULL THEN p_by ELSE q.cancelled_by END,
      cancel_reason = coalesce(q.cancel_reason, p_reason),
      completed_on = CASE q.state WHEN 'queued' THEN zeke_jobs.now() END,
      mtime = zeke_jobs.now(),
      state = CASE q.state WHEN 'queued' THEN 'rejected' ELSE q.state END
    WHERE q.task = ANY (v_names) AND q.state IN ('queued', 'consumed')
    RETURNING q.message_id, q.state, q.awaited
  ),
  announced AS (
    SELECT pg_notify(CASE c.state WHEN 'rejected' THEN 'zeke_jobs.done' ELSE 'zeke_jobs.cancel' END, c.message_id::text)
    FROM cancelled AS c
    WHERE c.awaited OR c.state = 'consumed'
  )
  SELECT array_agg(c.message_id) INTO v_jobs FROM cancelled AS c WHERE (SELECT count(*) FROM announced) >= 0;
  PERFORM zeke_jobs.note('cancel', 'task/' || p_task, p_by, p_reason, v_jobs);
END
$$;

CREATE FUNCTION zeke_jobs.cancel_batch(p_batch text, p_reason text, p_by text) RETURNS SETOF uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
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

CREATE FUNCTION zeke_jobs.cancel_unnoted(p_id uuid, p_reason text, p_by text, OUT state zeke_jobs.state, OUT has_started boolean) RETURNS record
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
DECLARE
  v_job record;
BEGIN
  UPDATE zeke_jobs.queue AS q
  SET
    cancelled_on = coalesce(q.cancelled_on, zeke_jobs.now()),
    cancelled_by = CASE WHEN q.cancelled_on IS NULL THEN p_by ELSE q.cancelled_by END,
    cancel_reason = coalesce(q.cancel_reason, p_reason),
    completed_on = CASE q.state WHEN 'queued' THEN zeke_jobs.now() ELSE q.completed_on END,
    mtime = zeke_jobs.now(),
    state = CASE q.state WHEN 'queued' THEN 'rejected' ELSE q.state END
  WHERE q.message_id = p_id AND (
    q.state IN ('queued', 'consumed')
    OR q.state = 'rejected' AND q.cancelled_on IS NULL AND (q.order_hold OR EXISTS (
      SELECT 1 FROM zeke_jobs.batch AS b WHERE b.id = q.batch AND b.after_failure = 'hold' AND b.ended_on IS NULL)))
  RETURNING q.state, q.awaited, q.started_on, q.task, q.queue_name, q.order_hold INTO v_job;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  IF v_job.state = 'consumed' THEN
    -- If the notification is lost, the job's worker sees the mark within a second.
    PERFORM pg_notify('zeke_jobs.cancel', p_id::text);
  ELSIF v_job.awaited THEN
    PERFORM pg_notify('zeke_jobs.done', p_id::text);
  END IF;
  IF v_job.state = 'rejected' AND (
    v_job.order_hold IS NOT NULL OR EXISTS (SELECT 1 FROM zeke_jobs.task AS t WHERE t.id = v_job.task AND t.metered))
  THEN
    -- Now the next job of its key may run, or a job that needs fewer units.
    PERFORM zeke_jobs.ring(v_job.queue_name), zeke_jobs.ring_for_freed(ARRAY[v_job.task]);
  END IF;
  cancel_unnoted.state := v_job.state;
  cancel_unnoted.has_started := v_job.started_on IS NOT NULL;
END
$$;

CREATE FUNCTION zeke_jobs.change_jobs(change text, filter jsonb, value jsonb DEFAULT '{}'::jsonb, reason text DEFAULT NULL::text, by text DEFAULT NULL::text, after uuid DEFAULT NULL::uuid, most integer DEFAULT 1000, OUT changed uuid[], OUT passed uuid[], OUT last uuid) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_task text := (SELECT coalesce(max(t.id), change_jobs.filter ->> 'task') FROM zeke_jobs.find_task(change_jobs.filter ->> 'task') AS t);
  v_statuses text[] := zeke_jobs.statuses_of(change_jobs.change, change_jobs.filter);
  v_value jsonb := zeke_jobs.value_of_change(change_jobs.change, change_jobs.value, v_now);
  v_found uuid[];
  v_held uuid[];
BEGIN
  IF zeke_jobs.unfit_filter(change_jobs.change, change_jobs.filter) IS NOT NULL THEN
    RAISE EXCEPTION '%', zeke_jobs.unfit_filter(change_jobs.change, change_jobs.filter) USING ERRCODE = 'invalid_parameter_value';
  END IF;
  v_found := ARRAY(
    SELECT c.id
    FROM zeke_jobs.changeable(change_jobs.change, change_jobs.filter, v_value, v_task, v_statuses, change_jobs.after) AS c
    ORDER BY c.id
    LIMIT change_jobs.most);
  IF cardinality(v_found) >= change_jobs.most THEN
    change_jobs.last := v_found[cardinality(v_found)];
  END IF;
  IF change_jobs.filter ->> 'id' IS NOT NULL THEN
    PERFORM 1 FROM zeke_jobs.queue AS q WHERE q.message_id = ANY (v_found) FOR UPDATE;
  END IF;
  -- A job may have changed since it was found.
  v_held := ARRAY(
    SELECT q.message_id FROM zeke_jobs.queue AS q
    WHERE q.message_id = ANY (v_found)
      AND zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on, q.waits)::text = ANY (v_statuses)
      AND (change_jobs.change IN ('cancel', 'retry') OR q.state = 'queued')
    ORDER BY q.message_id
    FOR UPDATE SKIP LOCKED);
  CASE change_jobs.change
    WHEN 'cancel' THEN
      changed := ARRAY(
        SELECT h.id FROM unnest(v_held) AS h (id)
        CROSS JOIN LATERAL zeke_jobs.cancel_unnoted(h.id, change_jobs.reason, change_jobs.by) AS c
        WHERE c.state IS NOT NULL);
    WHEN 'retry' THEN
      PERFORM zeke_jobs.retry_unnoted(v_held);
      changed := v_held;
    WHEN 'prioritise' THEN
      UPDATE zeke_jobs.queue AS q SET priority = (v_value ->> 'priority')::integer, mtime = v_now WHERE q.message_id = ANY (v_held);
      changed := v_held;
    ELSE
      UPDATE zeke_jobs.queue AS q SET run_at = (v_value ->> 'run_at')::timestamptz, mtime = v_now WHERE q.message_id = ANY (v_held);
      changed := v_held;
  END CASE;
  IF change_jobs.change IN ('prioritise', 'reschedule') THEN
    -- The jobs may be due now or soon, or no longer hold back jobs that need fewer units.
    PERFORM zeke_jobs.ring(r.queue_name)
    FROM (SELECT DISTINCT q.queue_name FROM zeke_jobs.queue AS q WHERE q.message_id = ANY (v_held)) AS r;
  END IF;
  passed := ARRAY(SELECT f.id FROM unnest(v_found) AS f (id) WHERE f.id <> ALL (v_held));
  IF changed <> '{}' THEN
    PERFORM zeke_jobs.note(
      change_jobs.change,
      coalesce('job/' || (change_jobs.filter ->> 'id'), 'task/' || (change_jobs.filter ->> 'task'),
        'batch/' || (change_jobs.filter ->> 'batch'), 'all'),
      change_jobs.by,
      nullif(concat_ws(': ', zeke_jobs.filter_in_words(change_jobs.filter, v_value), nullif(change_jobs.reason, '')), ''),
      changed);
  END IF;
END
$$;

CREATE FUNCTION zeke_jobs.changeable(p_change text, p_filter jsonb, p_value jsonb, p_task text, p_statuses text[], p_after uuid) RETURNS TABLE(id uuid, task text, status text)
    LANGUAGE sql STABLE
    AS $$
  SELECT q.message_id, q.task, zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on, q.waits)::text
  FROM zeke_jobs.queue AS q
  WHERE (
      q.state = 'queued' AND (
        p_change = 'cancel'
        OR p_change = 'prioritise' AND q.priority <> (p_value ->> 'priority')::integer
        OR p_change = 'reschedule' AND q.run_at <> (p_value ->> 'run_at')::timestamptz
          AND NOT (q.run_at <= zeke_jobs.now() AND (p_value ->> 'run_at')::timestamptz <= zeke_jobs.now()))
      OR p_change = 'cancel' AND q.state = 'consumed' AND q.cancelled_on IS NULL
      -- A failed job can be cancelled only while it blocks others.
      OR p_change = 'cancel' AND 'failed' = ANY (p_statuses) AND q.state = 'rejected' AND q.cancelled_on IS NULL AND (
        q.order_hold OR EXISTS (
          SELECT 1 FROM zeke_jobs.batch AS b WHERE b.id = q.batch AND b.after_failure = 'hold' AND b.ended_on IS NULL))
      OR p_change = 'retry' AND 'failed' = ANY (p_statuses) AND q.state = 'rejected' AND q.cancelled_on IS NULL
      OR p_change = 'retry' AND 'cancelled' = ANY (p_statuses) AND q.state = 'rejected' AND q.cancelled_on IS NOT NULL)
    AND zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on, q.waits)::text = ANY (p_statuses)
    AND (p_task IS NULL OR q.task = p_task)
    AND (p_filter ->> 'id' IS NULL OR q.message_id = (p_filter ->> 'id')::uuid)
    AND (p_filter ->> 'key' IS NULL OR q.key = p_filter ->> 'key')
    AND (p_filter ->> 'batch' IS NULL OR q.batch = p_filter ->> 'batch')
    AND (p_filter ->> 'parent' IS NULL OR q.parent = (p_filter ->> 'parent')::uuid)
    AND (p_filter ->> 'queue' IS NULL OR q.queue_name = p_filter ->> 'queue')
    -- Ended jobs by their end, others by their send.
    AND (p_filter ->> 'newer' IS NULL OR coalesce(q.completed_on, q.created_on)
      > zeke_jobs.now() - make_interval(secs => (p_filter ->> 'newer')::double precision))
    AND (p_filter ->> 'older' IS NULL OR coalesce(q.completed_on, q.created_on)
      <= zeke_jobs.now() - make_interval(secs => (p_filter ->> 'older')::double precision))
    AND (p_filter ->> 'until' IS NULL OR coalesce(q.completed_on, q.created_on) <= (p_filter ->> 'until')::timestamptz)
    AND (p_filter ->> 'error' IS NULL OR EXISTS (
      SELECT 1 FROM zeke_jobs.job AS j
      WHERE j.id = q.message_id
        AND strpos(lower(concat_ws(': ', j.error ->> 'type', j.error ->> 'message')), lower(p_filter ->> 'error')) > 0))
    AND (p_after IS NULL OR q.message_id > p_after)
$$;

CREATE FUNCTION zeke_jobs.chores() RETURNS text[]
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_until timestamptz := nullif(current_setting('zeke_jobs.chores_until', true), '')::timestamptz;
  v_chores text[] := ARRAY(
    SELECT 'rescue' WHERE EXISTS (SELECT 1 FROM zeke_jobs.worker AS w WHERE w.heartbeat_on < v_now - w.lost_after)
    UNION ALL
    SELECT 'expire' WHERE EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.attempt = 0 AND q.expires_on IS NOT NULL AND q.expires_on <= v_now)
    UNION ALL
    SELECT 'revert' WHERE EXISTS (SELECT 1 FROM zeke_jobs.overrides_over())
    UNION ALL
    SELECT 'gather' WHERE EXISTS (SELECT 1 FROM zeke_jobs.task AS t WHERE t.keys_due <= v_now AND t.per_key IS NOT NULL));
  v_begin timestamptz;
  v_took interval;
BEGIN
  IF v_until > v_now THEN
    RETURN v_chores;
  END IF;
  -- These searches read all queued and active jobs and, beside a long transaction, dead rows too. They may take a hundredth of the session's
  -- time.
  v_begin := clock_timestamp();
  v_chores := v_chores || ARRAY(
    SELECT 'rescue' WHERE EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q
      WHERE q.state = 'consumed' AND q.claimed_on < v_now - interval '1 minute'
        AND NOT EXISTS (SELECT 1 FROM zeke_jobs.worker AS w WHERE w.id = q.worker))
    UNION ALL
    SELECT 'gather' WHERE EXISTS (
      SELECT 1 FROM zeke_jobs.queued_names() AS p CROSS JOIN LATERAL zeke_jobs.find_task(p.task) AS t
      WHERE t.id <> p.task OR t.queue <> p.queue));
  v_took := clock_timestamp() - v_begin;
  IF v_took > interval '50 ms' THEN
    PERFORM set_config('zeke_jobs.chores_until', (v_now + 100 * v_took)::text, false);
  END IF;
  RETURN v_chores;
END
$$;

CREATE FUNCTION zeke_jobs.claim(p_worker uuid, p_queue text, p_tasks text[], p_want integer, p_free integer DEFAULT NULL::integer, p_threads integer DEFAULT NULL::integer, p_short text[] DEFAULT NULL::text[], p_more integer[] DEFAULT NULL::integer[], p_per_slot integer[] DEFAULT NULL::integer[], p_most integer[] DEFAULT NULL::integer[], OUT jobs zeke_jobs.claimed[], OUT held_back text[], OUT lacks_thread boolean, OUT full_gates text[], OUT opens_on timestamp with time zone) RETURNS record
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
#variable_conflict use_variable
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_revision integer := (SELECT nullif(w.revision, 0) FROM zeke_jobs.worker AS w WHERE w.id = p_worker);
  v_in_force integer := (SELECT max(r.number) FROM zeke_jobs.revision AS r);
  v_places jsonb := coalesce(nullif(current_setting('zeke_jobs.cursors', true), ''), '{}')::jsonb;
  v_until timestamptz := (v_places -> p_queue ->> 'until')::timestamptz;
  -- A clock that was set back must not keep the places for more than ten seconds.
  v_place jsonb := CASE WHEN v_until > v_now AND v_until <= v_now + interval '10 seconds' THEN v_places -> p_queue -> 'at' END;
  v_due zeke_jobs.candidate[];
  v_searched text[];
  v_took interval;
  v_rooms zeke_jobs.room[] := '{}';
  v_room zeke_jobs.room;
  v_metered text[] := '{}';
  v_used_up text[] := '{}';
  v_counted_on timestamptz := v_now; -- after the wait for the limits' locks, when rates may have more room
  v_picked record;
  v_blocked text[] := '{}';
  v_left integer := p_want;
  v_free integer := greatest(0, p_free);
  v_more integer[] := p_more;
  v_from integer := 1;
  v_to integer;
  v_open integer[];
  v_yields integer[];
  v_round record;
  v_rows zeke_jobs.claimed[];
  v_one zeke_jobs.candidate;
  v_taken integer;
  v_at integer;
  v_held record;
BEGIN
  -- If the server crashes before the claim is on disk, the job is simply queued again: its end cannot be on disk before the claim.
  PERFORM set_config('synchronous_commit', 'off', true);
  jobs := '{}';
  held_back := '{}';
  lacks_thread := false;
  full_gates := '{}';

  SELECT f.due, f.searched INTO v_due, v_searched FROM zeke_jobs.find_due(p_queue, p_tasks, v_now, v_place) AS f;
  IF v_due IS NULL THEN
    IF v_place IS NOT NULL THEN
      PERFORM set_config('zeke_jobs.cursors', (v_places - p_queue)::text, false);
    END IF;
    RETURN;
  END IF;
  v_took := zeke_jobs.now() - v_now;
  -- Slow: by what the search costs without dead entries, more with each task.
  IF v_took >= coalesce(nullif(current_setting('zeke_jobs.slow_claim', true), ''), '0.1 ms')::interval * (2 + cardinality(v_searched)) THEN
    PERFORM zeke_jobs.remember_places(p_queue, v_due, v_searched, v_now, v_took, v_places, v_place, v_until);
  END IF;

  IF zeke_jobs.lock_gates(v_due) THEN
    v_counted_on := zeke_jobs.now();
    PERFORM zeke_jobs.turn_breakers(ARRAY(SELECT unnest(c.gates) FROM unnest(v_due) AS c), v_counted_on);
    v_rooms := zeke_jobs.count_rooms(v_due, p_queue, p_free, p_threads, v_counted_on);
  END IF;
  -- A new jobs.yaml locks the whole table of gates (zeke_jobs.write_limits). If this claim read the tasks before it was in force, perhaps
  -- because it waited for that lock, begin again: the tasks may have other limits now. From here on no new jobs.yaml can come between.
  IF v_in_force IS DISTINCT FROM (SELECT max(r.number) FROM zeke_jobs.revision AS r) THEN
    SELECT c.* INTO jobs, held_back, lacks_thread, full_gates, opens_on
    FROM zeke_jobs.claim(p_worker, p_queue, p_tasks, p_want, p_free, p_threads, p_short, p_more, p_per_slot, p_most) AS c;
    RETURN;
  END IF;

  -- Within a priority in rounds: the part of its share that a task cannot use goes to the other tasks in the next round.
  WHILE v_from <= cardinality(v_due) AND v_left > 0 LOOP
    v_to := v_from;
    v_open := ARRAY[v_to];
    WHILE v_due[v_to + 1].priority = v_due[v_from].priority LOOP
      v_to := v_to + 1;
      v_open := v_open || v_to;
    END LOOP;
    IF v_blocked <> '{}' THEN
      -- Lower priorities do not overtake a job that needs more units than are left, or it would never get enough.
      v_yields := ARRAY(
        SELECT o.i FROM unnest(v_open) AS o (i)
        WHERE EXISTS (SELECT 1 FROM unnest(v_due[o.i].gates) AS g (name) WHERE 'units of ' || g.name = ANY (v_blocked)));
      v_open := ARRAY(SELECT o.i FROM unnest(v_open) WITH ORDINALITY AS o (i, n) WHERE o.i <> ALL (v_yields) ORDER BY o.n);
      held_back := held_back || ARRAY(SELECT v_due[y.i].task FROM unnest(v_yields) AS y (i));
    END IF;
    WHILE cardinality(v_open) > 0 AND v_left > 0 LOOP
      v_round := zeke_jobs.share_out(v_due, v_open, v_rooms, v_left, v_free, p_short, v_more);
      EXIT WHEN cardinality(v_round.chosen) = 0;
      v_picked := zeke_jobs.pick(p_queue, v_due, v_round.chosen, v_round.quotas, v_counted_on);
      v_blocked := v_blocked || v_picked.blocked;
      v_rows := zeke_jobs.mark(v_picked.places, p_worker, v_round.ahead, v_revision);
      jobs := jobs || v_rows;
      v_left := v_left - cardinality(v_rows);
      FOR v_turn IN 1 .. cardinality(v_round.chosen) LOOP
        v_one := v_due[v_round.chosen[v_turn]];
        v_taken := cardinality(v_rows);
        IF v_taken > 0 AND cardinality(v_round.chosen) > 1 THEN
          v_taken := (SELECT count(*) FROM unnest(v_rows) AS r WHERE r.task = v_one.task);
        END IF;
        IF v_one.task <> ALL (p_short) THEN
          v_free := v_free - v_taken;
        END IF;
        IF v_taken > 0 AND NOT v_round.ahead THEN
          FOR v_at IN 1 .. cardinality(v_rooms) LOOP
            IF v_rooms[v_at].gate = ANY (v_one.gates) THEN
              v_rooms[v_at].share := v_rooms[v_at].share - v_taken;
              v_rooms[v_at].used := v_rooms[v_at].used + v_taken;
            END IF;
          END LOOP;
        END IF;
        v_at := array_position(p_short, v_one.task);
        IF v_more[v_at] IS NOT NULL THEN
          v_more[v_at] := least(p_most[v_at], v_more[v_at] + CASE WHEN v_round.ahead THEN -v_taken ELSE p_per_slot[v_at] * v_taken END);
        END IF;
        -- A task that got less than its share has no more jobs that can run.
        IF v_taken < v_round.quotas[v_turn] THEN
          v_open := array_remove(v_open, v_round.chosen[v_turn]);
          IF v_one.per_key IS NOT NULL OR v_one.gates && v_picked.blocked THEN
            held_back := held_back || v_one.task; -- perhaps by its keys or its units
          END IF;
        END IF;
      END LOOP;
    END LOOP;
    IF cardinality(v_open) > 0 THEN
      v_held := zeke_jobs.find_held_back(p_queue, v_due, v_open, v_rooms, v_left, v_free, p_short, v_now);
      held_back := held_back || v_held.tasks;
      lacks_thread := lacks_thread OR v_held.lacks_thread;
    END IF;
    v_from := v_to + 1;
  END LOOP;

  IF v_left = 0 THEN
    held_back := '{}';
  END IF;
  IF v_place IS NOT NULL AND v_left = p_want THEN
    PERFORM set_config('zeke_jobs.cursors', (v_places - p_queue)::text, false);
  END IF;
  FOREACH v_room IN ARRAY v_rooms LOOP
    IF v_room.room <= v_room.used THEN
      full_gates := full_gates || v_room.gate;
    END IF;
    IF v_room.is_metered THEN
      v_metered := v_metered || v_room.gate;
      IF v_room.room <= v_room.used THEN
        v_used_up := v_used_up || v_room.gate;
      END IF;
    END IF;
  END LOOP;
  IF v_metered <> '{}' THEN
    IF cardinality(jobs) > 0 THEN
      UPDATE zeke_jobs.gate AS g
      SET probe = (
        SELECT j.message_id FROM unnest(jobs) AS j JOIN zeke_jobs.task AS t ON t.id = j.task AND g.name = ANY (t.gates) LIMIT 1)
      WHERE g.name IN (SELECT r.gate FROM unnest(v_rooms) AS r WHERE r.used > 0) AND g.tripped_on IS NOT NULL;
      PERFORM zeke_jobs.forget_uses(v_metered, v_counted_on);
    END IF;
    IF cardinality(held_back) > 0 THEN
      opens_on := zeke_jobs.opens_on(held_back, v_blocked || v_used_up, v_counted_on);
    END IF;
  END IF;
END
$$;

CREATE FUNCTION zeke_jobs.claim_alone(p_worker uuid, p_queue text, p_tasks text[], p_want integer DEFAULT 1) RETURNS SETOF zeke_jobs.claimed
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET plan_cache_mode TO 'force_custom_plan'
    AS $$
#variable_conflict use_variable
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_one record;
  v_places tid[];
  v_size integer;
  v_left integer;
  v_revision integer := (SELECT nullif(w.revision, 0) FROM zeke_jobs.worker AS w WHERE w.id = p_worker);
  v_in_force integer := (SELECT max(r.number) FROM zeke_jobs.revision AS r);
  v_suspects uuid[] := ARRAY(SELECT s.message_id FROM zeke_jobs.startable_suspects(ARRAY[p_queue], p_tasks, v_now) AS s);
  v_gates text[] := ARRAY(
    SELECT DISTINCT g.name FROM zeke_jobs.queue AS q JOIN zeke_jobs.task AS t ON t.id = q.task CROSS JOIN unnest(t.gates) AS g (name)
    WHERE q.message_id = ANY (v_suspects));
BEGIN
  -- Lock all gates at once, in the order of their names, as zeke_jobs.lock_gates does. Locked one by one, this call and a claim could wait for
  -- each other.
  PERFORM 1 FROM zeke_jobs.gate AS g WHERE g.name = ANY (v_gates) ORDER BY g.name FOR NO KEY UPDATE;
  PERFORM zeke_jobs.turn_breakers(v_gates, zeke_jobs.now());
  FOR v_one IN
    SELECT q.message_id, q.key, t.id AS task, t.gates, t.per_key, t.metered, t.id || t.aliases AS names, q.group_size
    FROM zeke_jobs.queue AS q JOIN zeke_jobs.task AS t ON t.id = q.task
    WHERE q.message_id = ANY (v_suspects)
    ORDER BY q.run_at, q.seq
  LOOP
    CONTINUE WHEN v_one.group_size <> v_size;
    -- If a new jobs.yaml is in force, stop: the next call obeys it.
    EXIT WHEN v_in_force IS DISTINCT FROM (SELECT max(r.number) FROM zeke_jobs.revision AS r);
    CONTINUE WHEN EXISTS (
      SELECT 1 FROM zeke_jobs.gate_rooms(v_one.gates, zeke_jobs.now()) AS r WHERE r.room < 1);
    CONTINUE WHEN v_one.per_key IS NOT NULL AND v_one.key IS NOT NULL AND v_one.per_key <= (
      SELECT sum((SELECT count(*) FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.task = n.name AND q.key = v_one.key))
      FROM unnest(v_one.names) AS n (name));
    CONTINUE WHEN v_one.metered AND NOT zeke_jobs.key_has_room(v_one.task, v_one.key, zeke_jobs.now());
    v_places := ARRAY(
      SELECT c.ctid FROM zeke_jobs.queue AS c
      WHERE c.message_id = v_one.message_id AND c.state = 'queued' AND c.deaths > 0 AND c.group_size = v_one.group_size
        AND (c.order_hold IS NULL OR c.ctid = zeke_jobs.first_in_line(c.task, c.key))
      FOR UPDATE SKIP LOCKED);
    IF v_one.metered THEN
      v_places := (zeke_jobs.take((v_one.task, 0, v_one.gates, v_one.per_key, NULL, NULL, true)::zeke_jobs.candidate, v_places)).places;
      UPDATE zeke_jobs.gate AS g SET probe = v_one.message_id
      WHERE g.name = ANY (v_one.gates) AND g.tripped_on IS NOT NULL AND cardinality(v_places) > 0;
    END IF;
    RETURN QUERY SELECT m.* FROM unnest(zeke_jobs.mark(v_places, p_worker, false, v_revision)) AS m;
    IF FOUND THEN
      v_size := v_one.group_size;
      v_left := coalesce(v_left, least(v_size, p_want)) - 1;
      EXIT WHEN v_left <= 0;
    END IF;
  END LOOP;
END
$$;

CREATE FUNCTION zeke_jobs.close_batch(id text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
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

CREATE FUNCTION zeke_jobs.complete(p_worker uuid, p_ids uuid[], p_claims bigint[], p_after double precision[], p_results text[], p_ring boolean DEFAULT true, p_took double precision[] DEFAULT NULL::double precision[]) RETURNS SETOF uuid
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'off'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET plan_cache_mode TO 'force_generic_plan'
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

CREATE FUNCTION zeke_jobs.complete_and_claim(p_worker uuid, p_ids uuid[], p_claims bigint[], p_after double precision[], p_results text[], p_queue text, p_tasks text[], p_want integer, p_free integer DEFAULT NULL::integer, p_threads integer DEFAULT NULL::integer, p_short text[] DEFAULT NULL::text[], p_ask boolean DEFAULT false, p_took double precision[] DEFAULT NULL::double precision[], p_more integer[] DEFAULT NULL::integer[], p_per_slot integer[] DEFAULT NULL::integer[], p_most integer[] DEFAULT NULL::integer[], p_kept_of text[] DEFAULT NULL::text[], p_kept integer[] DEFAULT NULL::integer[], p_said bigint DEFAULT NULL::bigint) RETURNS TABLE(lost uuid[], held_back text[], lacks_thread boolean, looks_on timestamp with time zone, began_on timestamp with time zone, on_clock timestamp with time zone, message_id uuid, claim bigint, task text, message text, attempt integer, attempt_base integer, deaths integer, revision integer, parent uuid, scheduled_for timestamp with time zone, claimed_on timestamp with time zone, expires_on timestamp with time zone, ahead boolean, sensitive text[])
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET plan_cache_mode TO 'force_generic_plan'
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

CREATE TABLE zeke_jobs.gate (
    name text NOT NULL,
    concurrency integer,
    rate_count integer,
    rate_period interval,
    metered boolean DEFAULT false NOT NULL,
    "least" integer,
    raise_every interval,
    ceiling integer,
    lowered_on timestamp with time zone,
    breaker_failures integer,
    breaker_share double precision,
    breaker_within interval,
    breaker_pause interval,
    closed_until timestamp with time zone,
    closed_by text,
    closed_why text,
    tripped_on timestamp with time zone,
    probe uuid,
    CONSTRAINT gate_closed_by CHECK ((closed_by = ANY (ARRAY['throttled'::text, 'breaker'::text]))),
    CONSTRAINT gate_concurrency CHECK ((concurrency >= 0)),
    CONSTRAINT gate_rate CHECK (((rate_count IS NULL) = (rate_period IS NULL)))
)
WITH (fillfactor='50');

COMMENT ON TABLE zeke_jobs.gate IS 'What a claim must lock and count: task/ID for a task''s own limit, limit/NAME for a shared one. No row, no limit.';

COMMENT ON COLUMN zeke_jobs.gate.rate_count IS 'At most so many jobs start within rate_period: the burst of the rate.';

COMMENT ON COLUMN zeke_jobs.gate.metered IS 'A claim must note its jobs in meter_use, or look whether the gate is closed.';

COMMENT ON COLUMN zeke_jobs.gate."least" IS 'The lowest concurrency that throttling may set; raise_every is the time after which it rises by one again.';

COMMENT ON COLUMN zeke_jobs.gate.ceiling IS 'The concurrency that throttling set at lowered_on; it has risen since.';

COMMENT ON COLUMN zeke_jobs.gate.closed_until IS 'No job starts before; closed_by and closed_why say why.';

COMMENT ON COLUMN zeke_jobs.gate.tripped_on IS 'The breaker is open since then; after closed_until one job at a time probes (probe).';

CREATE FUNCTION zeke_jobs.concurrency_of(p_gate zeke_jobs.gate, p_now timestamp with time zone) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
  -- If the clock was set back, the last throttling is in the future.
  SELECT CASE WHEN (p_gate).concurrency IS NOT NULL THEN least((p_gate).concurrency, (p_gate).ceiling + floor(greatest(
    0, extract(epoch FROM p_now - (p_gate).lowered_on) / extract(epoch FROM (p_gate).raise_every)))::integer) END
$$;

CREATE FUNCTION zeke_jobs.count_changes(change text, filter jsonb, value jsonb DEFAULT '{}'::jsonb, most integer DEFAULT NULL::integer) RETURNS TABLE(task text, status text, jobs bigint, until timestamp with time zone)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_task text := (SELECT coalesce(max(t.id), count_changes.filter ->> 'task') FROM zeke_jobs.find_task(count_changes.filter ->> 'task') AS t);
  v_statuses text[] := zeke_jobs.statuses_of(count_changes.change, count_changes.filter);
  v_value jsonb := zeke_jobs.value_of_change(count_changes.change, count_changes.value, v_now);
BEGIN
  IF zeke_jobs.unfit_filter(count_changes.change, count_changes.filter) IS NOT NULL THEN
    RAISE EXCEPTION '%', zeke_jobs.unfit_filter(count_changes.change, count_changes.filter) USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN QUERY
    SELECT c.task, c.status, count(*), v_now
    FROM (
      SELECT f.task, f.status
      FROM zeke_jobs.changeable(count_changes.change, count_changes.filter, v_value, v_task, v_statuses, NULL) AS f
      ORDER BY CASE WHEN count_changes.most IS NOT NULL THEN f.id END -- no sort without a limit
      LIMIT count_changes.most) AS c
    GROUP BY c.task, c.status
    ORDER BY c.task, c.status;
END
$$;

CREATE FUNCTION zeke_jobs.count_in_batch() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
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

CREATE FUNCTION zeke_jobs.count_rooms(p_due zeke_jobs.candidate[], p_queue text, p_free integer, p_threads integer, p_now timestamp with time zone) RETURNS zeke_jobs.room[]
    LANGUAGE plpgsql
    AS $$
DECLARE
  v_workers bigint := (
    SELECT greatest(1, count(*)) FROM zeke_jobs.worker AS w
    WHERE w.kind = 'worker' AND NOT w.stopping AND p_queue = ANY (w.queues));
  -- A variable, because with a sub-select as its argument gate_rooms would not become a part of the statement.
  v_gates text[] := ARRAY(SELECT DISTINCT unnest(c.gates) FROM unnest(p_due) AS c);
BEGIN
  RETURN ARRAY(
    SELECT ((g).name, least(r.room, CASE
        WHEN p_free IS NULL THEN NULL
        WHEN (g).metered THEN greatest(0, p_free)
        WHEN (g).concurrency IS NOT NULL THEN greatest(
          0, p_free, ceil((g).concurrency::numeric / v_workers)::integer - (p_threads - p_free))
        END), r.room, (g).metered OR (g).closed_until > p_now, 0,
        (g).metered AND EXISTS (SELECT 1 FROM zeke_jobs.meter AS m WHERE m.gate = (g).name AND NOT m.per_key))::zeke_jobs.room
    FROM (SELECT r.gate AS g, r.room FROM zeke_jobs.gate_rooms(v_gates, p_now) AS r OFFSET 0) AS r
    ORDER BY (g).name);
END
$$;

CREATE FUNCTION zeke_jobs.counts_for(p_period interval) RETURNS interval
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT p_period + least(p_period / 400, interval '250 ms') $$;

CREATE FUNCTION zeke_jobs.decidable(p_moment timestamp with time zone, p_schedule text) RETURNS timestamp with time zone
    LANGUAGE plpgsql STABLE
    AS $$
BEGIN
  IF p_moment > zeke_jobs.now() AND NOT has_table_privilege(session_user, 'zeke_jobs.schedule_state', 'UPDATE') THEN
    RAISE EXCEPTION 'expected ticks of % that are due, got %', p_schedule, p_moment USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN p_moment;
END
$$;

CREATE FUNCTION zeke_jobs.delete_schedule(name text, deleted_by text DEFAULT NULL::text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  DELETE FROM zeke_jobs.stored_schedule AS s WHERE s.name = delete_schedule.name;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM zeke_jobs.note('delete', 'schedule/' || delete_schedule.name, deleted_by, NULL);
  RETURN true;
END
$$;

CREATE FUNCTION zeke_jobs.deliver_event() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    AS $$
DECLARE
  v_queues text[];
BEGIN
  PERFORM zeke_jobs.lock_event(NEW.name);
  WITH given AS (
    UPDATE zeke_jobs.wait AS w SET data = NEW.data, came_on = zeke_jobs.now()
    WHERE w.event = NEW.name AND w.came_on IS NULL AND w.until > zeke_jobs.now()
    RETURNING w.job
  ),
  woken AS (
    UPDATE zeke_jobs.queue AS q SET run_at = zeke_jobs.now(), mtime = zeke_jobs.now()
    FROM given AS g
    WHERE q.message_id = g.job AND q.state = 'queued' AND q.waiting_for = 'event ' || NEW.name
    RETURNING q.queue_name
  )
  SELECT array_agg(DISTINCT w.queue_name) INTO v_queues FROM woken AS w;
  PERFORM zeke_jobs.ring(r.queue) FROM unnest(v_queues) AS r (queue);
  RETURN NULL;
END
$$;

CREATE FUNCTION zeke_jobs.depth(p_queue text, p_task text, p_most integer) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    AS $$
  SELECT count(*) FROM (
    (SELECT 1 FROM zeke_jobs.queue AS q
     WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = p_task
     LIMIT p_most)
    UNION ALL
    (SELECT 1 FROM zeke_jobs.queue AS q
     WHERE q.state = 'queued' AND q.deaths > 0 AND q.queue_name = p_queue AND q.task = p_task)
    UNION ALL
    (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.waits AND q.task = p_task)
  ) AS queued
$$;

CREATE TABLE zeke_jobs.task (
    id text NOT NULL,
    aliases text[] DEFAULT '{}'::text[] NOT NULL,
    queue text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    definition jsonb NOT NULL,
    payload_schema jsonb,
    priority integer DEFAULT 0 NOT NULL,
    per_key integer,
    gates text[] DEFAULT '{}'::text[] NOT NULL,
    retry_limit integer DEFAULT 0 NOT NULL,
    max_queued integer,
    unique_fields text[],
    unique_while text,
    unique_period interval,
    sensitive text[] DEFAULT '{}'::text[] NOT NULL,
    cron jsonb,
    paused boolean DEFAULT false NOT NULL,
    revision integer NOT NULL,
    keyed_on timestamp with time zone,
    keys_due timestamp with time zone,
    metered boolean DEFAULT false NOT NULL,
    units jsonb DEFAULT '{}'::jsonb NOT NULL,
    order_hold boolean,
    CONSTRAINT task_unique_while CHECK ((unique_while = ANY (ARRAY['queued'::text, 'active'::text, 'period'::text])))
);

COMMENT ON TABLE zeke_jobs.task IS 'The tasks of the revision in force. Clients read it, so that they need neither jobs.yaml nor handlers.';

COMMENT ON COLUMN zeke_jobs.task.definition IS 'The resolved stanza of jobs.yaml.';

COMMENT ON COLUMN zeke_jobs.task.gates IS 'Names of the gates that a job of this task must pass.';

COMMENT ON COLUMN zeke_jobs.task.paused IS 'Paused by jobs.yaml; people pause in zeke_jobs.pause.';

COMMENT ON COLUMN zeke_jobs.task.revision IS 'The revision that last changed this task.';

COMMENT ON COLUMN zeke_jobs.task.keyed_on IS 'When it got a per-key limit.';

COMMENT ON COLUMN zeke_jobs.task.keys_due IS 'When to look again for jobs that were sent before and have no key; NULL when a day has passed.';

COMMENT ON COLUMN zeke_jobs.task.metered IS 'A gate of it has a meter or a breaker, or can be throttled.';

COMMENT ON COLUMN zeke_jobs.task.units IS 'What a job uses as jobs.yaml has it, until that is learned.';

COMMENT ON COLUMN zeke_jobs.task.order_hold IS 'Its jobs run in strict order by key, and a failed one holds its key (true) or is skipped (false). NULL: in no order.';

CREATE FUNCTION zeke_jobs.duplicate_rule(p_task zeke_jobs.task, p_option jsonb, OUT on_duplicate text, OUT at_most interval) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    AS $$
BEGIN
  IF jsonb_typeof(p_option) <> 'object' THEN
    p_option := NULL;
  END IF;
  on_duplicate := coalesce(p_option ->> 'on_duplicate', p_task.definition #>> '{unique,on_duplicate}', 'ignore');
  at_most := coalesce(
    zeke_jobs.length_of(nullif(p_option -> 'at_most', 'null')), (p_task.definition #>> '{unique,at_most}')::interval);
  IF on_duplicate NOT IN ('ignore', 'replace', 'postpone') THEN
    RAISE EXCEPTION 'expected on_duplicate ignore, replace or postpone, got %', on_duplicate USING ERRCODE = 'invalid_parameter_value';
  END IF;
END
$$;

CREATE FUNCTION zeke_jobs.emit(name text, data jsonb DEFAULT 'null'::jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  v_size integer := zeke_jobs.json_size(emit.data);
  v_unfit text := zeke_jobs.unfit_json(emit.data, v_size);
BEGIN
  IF emit.name IS NULL OR emit.name = '' OR octet_length(emit.name) > 1024 THEN
    RAISE EXCEPTION 'expected the name of an event of 1 to 1024 bytes, got %', coalesce(octet_length(emit.name)::text, 'NULL')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF emit.data IS NULL OR v_size > 1048576 THEN
    v_unfit := format('expected at most 1 MiB, got %s', coalesce(v_size || ' bytes', 'NULL'));
  END IF;
  IF v_unfit IS NOT NULL THEN
    RAISE EXCEPTION '%', v_unfit USING ERRCODE = 'invalid_parameter_value';
  END IF;
  INSERT INTO zeke_jobs.event AS e (name, data) VALUES (emit.name, emit.data)
  ON CONFLICT ON CONSTRAINT event_pkey DO UPDATE SET data = excluded.data, emitted_on = zeke_jobs.now();
END
$$;

CREATE FUNCTION zeke_jobs.end_batch(p_batch text) RETURNS void
    LANGUAGE plpgsql
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

CREATE FUNCTION zeke_jobs.ended_task_after(p_task text) RETURNS text
    LANGUAGE sql STABLE
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    AS $$
  SELECT least(
    (SELECT q.task FROM zeke_jobs.queue AS q
     WHERE q.state = 'done' AND q.task > p_task ORDER BY q.task LIMIT 1),
    (SELECT q.task FROM zeke_jobs.queue AS q
     WHERE q.state = 'rejected' AND q.cancelled_on IS NULL AND q.task > p_task ORDER BY q.task LIMIT 1),
    (SELECT q.task FROM zeke_jobs.queue AS q
     WHERE q.state = 'rejected' AND q.cancelled_on IS NOT NULL AND q.task > p_task ORDER BY q.task LIMIT 1))
$$;

CREATE FUNCTION zeke_jobs.enqueue(p_task text, p_revision integer, p_payload jsonb, p_options jsonb, OUT outcome text, OUT job_id uuid, OUT status zeke_jobs.job_status) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
  v_task zeke_jobs.task;
  v_now timestamptz;
  v_id uuid := (p_options ->> 'id')::uuid;
  v_idempotency_key text;
  v_run_at timestamptz;
  v_expires timestamptz;
  v_tick timestamptz;
  v_parent uuid;
  v_key text;
  v_priority integer;
  v_keep interval;
  v_fields text[];
  v_while text;
  v_period interval;
  v_unique_key text;
  v_holder uuid;
  v_took boolean;
  v_full boolean := false;
  v_unfit text;
  v_first record;
  v_rule record;
BEGIN
  -- Without the long definition and payload schema; only a unique send reads them, below.
  SELECT t.id, t.queue, t.priority, t.per_key, t.revision, t.max_queued, t.unique_fields, t.sensitive, t.order_hold
  INTO v_task.id, v_task.queue, v_task.priority, v_task.per_key, v_task.revision, v_task.max_queued, v_task.unique_fields, v_task.sensitive,
    v_task.order_hold
  FROM zeke_jobs.task AS t WHERE t.id = p_task;
  IF v_task.id IS NULL THEN
    v_task := zeke_jobs.find_task(p_task);
    IF v_task.id IS NULL THEN
      outcome := 'unknown';
      RETURN;
    END IF;
  END IF;
  IF p_revision <> v_task.revision THEN
    outcome := 'stale';
    RETURN;
  END IF;
  -- Any sender may call this function without Python's checks.
  v_unfit := zeke_jobs.unfit_payload(p_payload);
  IF v_unfit IS NOT NULL THEN
    RAISE EXCEPTION 'payload of %: %', v_task.id, v_unfit USING ERRCODE = 'invalid_parameter_value';
  END IF;
  v_now := zeke_jobs.now();
  v_run_at := v_now;
  -- PL/pgSQL prepares each expression anew in each transaction, so a send without options must not reach the expressions about them.
  IF jsonb_typeof(p_options) = 'object' AND p_options - 'id' <> '{}' THEN
    v_unfit := coalesce(
      zeke_jobs.unfit_options(p_options),
      CASE WHEN p_options ? 'units' THEN zeke_jobs.unfit_units(v_task.id, p_options -> 'units') END);
    IF v_unfit IS NOT NULL THEN
      RAISE EXCEPTION '%', v_unfit USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF p_options ?| ARRAY['retry', 'timeout', 'keep'] AND zeke_jobs.is_beyond(v_task.id, p_options) THEN
      outcome := 'beyond';
      RETURN;
    END IF;
    v_priority := (p_options ->> 'priority')::integer;
    v_key := p_options ->> 'key';
    v_idempotency_key := p_options ->> 'idempotency_key';
    v_parent := (p_options ->> 'parent')::uuid;
    v_keep := zeke_jobs.length_of(p_options -> 'keep');
    IF p_options ?| ARRAY['run_at', 'delay', 'expires', 'scheduled_for'] THEN
      v_run_at := zeke_jobs.moment(p_options, 'run_at', v_now, zeke_jobs.moment(p_options, 'delay', v_now, v_now));
      v_expires := zeke_jobs.moment(p_options, 'expires', v_now, NULL);
      v_tick := zeke_jobs.moment(p_options, 'scheduled_for', v_now, NULL);
      -- With this option a sender could send the job of a tick before the scheduler does, and so replace it.
      IF v_tick IS NOT NULL AND NOT has_function_privilege(
        session_user, 'zeke_jobs.record_tick(text, timestamptz, text, text, text, uuid)', 'EXECUTE')
      THEN
        RAISE EXCEPTION 'expected no option scheduled_for from %: only a role that runs schedules sends the job of a tick',
          session_user USING ERRCODE = 'insufficient_privilege';
      END IF;
    END IF;
  END IF;
  IF v_id IS NULL THEN
    v_id := zeke_jobs.new_id();
  END IF;
  IF v_task.unique_fields IS NOT NULL OR p_options ?| ARRAY['unique', 'unique_key'] THEN
    SELECT * INTO v_task FROM zeke_jobs.task AS t WHERE t.id = v_task.id;
    SELECT * INTO v_fields, v_while, v_period FROM zeke_jobs.unique_rule(v_task, p_options -> 'unique');
    IF p_options ->> 'unique_key' IS NOT NULL THEN
      -- The caller's own text; the prefix keeps it apart from keys made of fields.
      v_unique_key := v_task.id || ' =' || (p_options ->> 'unique_key');
      v_while := CASE WHEN p_options ? 'unique' THEN v_while ELSE 'active' END;
    ELSIF v_fields IS NOT NULL THEN
      v_unique_key := zeke_jobs.unique_key(v_task, v_fields, p_payload);
    END IF;
    SELECT * INTO v_rule FROM zeke_jobs.duplicate_rule(v_task, p_options -> 'unique');
    IF v_rule.on_duplicate <> 'ignore' AND v_while <> 'queued' THEN
      RAISE EXCEPTION 'expected on_duplicate % while queued, got while %: a job that runs or has run keeps its payload',
        v_rule.on_duplicate, v_while USING ERRCODE = 'invalid_parameter_value';
    END IF;
  END IF;
  -- The job of on_failed, and the job at the end of a batch, are sent even if the queue is full.
  IF v_task.max_queued IS NOT NULL THEN
    IF (p_options -> 'carried' ? 'failure_of') IS NOT TRUE AND NOT (p_options ? 'beyond_max_queued' AND pg_trigger_depth() > 0) THEN
      v_full := zeke_jobs.room(v_task) <= 0;
    END IF;
  END IF;
  IF p_options ? 'batch' THEN
    IF NOT v_full AND NOT zeke_jobs.enter_batch(p_options, v_id) THEN
      outcome := 'closed';
      RETURN;
    END IF;
  END IF;
  LOOP
    v_took := false;
    IF v_unique_key IS NOT NULL AND NOT v_full THEN
      v_holder := NULL;
      -- Waits for another sender that is inserting the key; the next statement sees that sender's job.
      INSERT INTO zeke_jobs.unique_holder (unique_key, job) VALUES (v_unique_key, v_id) ON CONFLICT DO NOTHING;
      v_took := FOUND;
      IF NOT v_took THEN
        SELECT u.job INTO v_holder FROM zeke_jobs.unique_holder AS u WHERE u.unique_key = v_unique_key;
        IF NOT EXISTS (
          SELECT 1 FROM zeke_jobs.queue AS q
          WHERE q.message_id = v_holder AND zeke_jobs.holds(q, v_while, v_period, v_parent))
        THEN
          UPDATE zeke_jobs.unique_holder AS u SET job = v_id WHERE u.unique_key = v_unique_key AND u.job = v_holder;
          v_took := FOUND;
          CONTINUE WHEN NOT v_took;
        ELSIF v_rule.on_duplicate <> 'ignore' AND NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = v_id) THEN
          -- If a claim came first, the job no longer holds its key.
          CONTINUE WHEN NOT zeke_jobs.take_place(
            v_holder, v_task, p_payload, p_options, v_now, v_run_at, v_expires, v_rule.on_duplicate, v_rule.at_most);
          outcome := 'replaced';
          job_id := v_holder;
          status := (SELECT zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on) FROM zeke_jobs.queue AS q WHERE q.message_id = v_holder);
          RETURN;
        END IF;
      END IF;
    END IF;
    IF NOT v_full AND (v_unique_key IS NULL OR v_took) THEN
      INSERT INTO zeke_jobs.queue (
        message_id, queue_name, message, priority, run_at, expires_on, key, unique_key, idempotency_key, created_on, parent,
        scheduled_for, revision, sensitive, keep, batch, order_hold, schedule, units)
      VALUES (
        v_id,
        v_task.queue,
        zeke_jobs.message(v_task.queue, v_task.id, v_id, p_payload, p_options, v_now),
        coalesce(v_priority, v_task.priority),
        v_run_at,
        v_expires,
        coalesce(v_key, CASE WHEN v_task.per_key IS NOT NULL THEN v_id::text END),
        v_unique_key,
        v_idempotency_key,
        v_now,
        v_parent,
        v_tick,
        coalesce((SELECT r.number FROM zeke_jobs.revision AS r ORDER BY r.number DESC LIMIT 1), 0),
        nullif(v_task.sensitive, '{}'),
        v_keep,
        p_options ->> 'batch',
        v_task.order_hold,
        CASE WHEN v_tick IS NOT NULL THEN p_options ->> 'schedule' END,
        p_options -> 'units')
      ON CONFLICT DO NOTHING;
      IF FOUND THEN
        outcome := 'created';
        job_id := v_id;
        status := 'created';
        RETURN;
      END IF;
      -- Another job has the id, idempotency key or tick: restore the unique key.
      IF v_took AND v_holder IS NULL THEN
        DELETE FROM zeke_jobs.unique_holder AS u WHERE u.unique_key = v_unique_key AND u.job = v_id;
      ELSIF v_took THEN
        UPDATE zeke_jobs.unique_holder AS u SET job = v_holder WHERE u.unique_key = v_unique_key AND u.job = v_id;
      END IF;
    END IF;
    -- Find the job that won the conflict.
    SELECT * INTO v_first FROM (
      SELECT q.message_id, q.task, zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on, q.waits) AS status,
        true AS holds
      FROM zeke_jobs.queue AS q WHERE q.message_id = v_id
      UNION ALL
      SELECT q.message_id, q.task, zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on, q.waits), true
      FROM zeke_jobs.queue AS q WHERE q.task = v_task.id AND q.idempotency_key = v_idempotency_key
      UNION ALL
      SELECT q.message_id, q.task, zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on, q.waits), true
      FROM zeke_jobs.queue AS q
      WHERE q.task = v_task.id AND q.scheduled_for = v_tick AND coalesce(q.schedule, '') = coalesce(p_options ->> 'schedule', '')
      UNION ALL
      SELECT q.message_id, q.task, zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on, q.waits),
        zeke_jobs.holds(q, v_while, v_period, v_parent)
      FROM zeke_jobs.unique_holder AS u JOIN zeke_jobs.queue AS q ON q.message_id = u.job WHERE u.unique_key = v_unique_key
    ) AS f
    ORDER BY f.holds DESC
    LIMIT 1;
    IF FOUND AND v_first.holds THEN
      outcome := CASE WHEN v_first.task = v_task.id THEN 'duplicate' ELSE 'taken' END;
      job_id := v_first.message_id;
      status := v_first.status;
      RETURN;
    END IF;
    IF v_full THEN
      outcome := 'full';
      RETURN;
    END IF;
  END LOOP;
END
$$;

CREATE FUNCTION zeke_jobs.enqueue_many(p_task text, p_revision integer, p_payloads jsonb, p_ids uuid[], p_keys text[], p_options jsonb) RETURNS TABLE(ordinal bigint, outcome text, job_id uuid, status zeke_jobs.job_status)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
  v_task zeke_jobs.task := zeke_jobs.find_task(p_task);
  v_now timestamptz := zeke_jobs.now();
  v_fields text[];
  v_unique_keys text[];
  v_taken uuid[];
  v_unfit text;
  v_made bigint;
BEGIN
  IF v_task.id IS NULL OR p_revision <> v_task.revision THEN
    RETURN QUERY SELECT 0::bigint, CASE WHEN v_task.id IS NULL THEN 'unknown' ELSE 'stale' END, NULL::uuid,
      NULL::zeke_jobs.job_status;
    RETURN;
  END IF;
  v_unfit := coalesce(
    zeke_jobs.unfit_options(p_options),
    CASE WHEN p_options ? 'units' THEN zeke_jobs.unfit_units(v_task.id, p_options -> 'units') END,
    (SELECT zeke_jobs.unfit_options(jsonb_build_object('key', k.key)) FROM unnest(p_keys) AS k (key) WHERE k.key = '' OR octet_length(k.key) > 1024 LIMIT 1),
    (SELECT format('payloads[%s] of %s: %s', p.n - 1, v_task.id, u.unfit)
     FROM jsonb_array_elements(p_payloads) WITH ORDINALITY AS p (payload, n)
     CROSS JOIN LATERAL (SELECT zeke_jobs.unfit_payload(p.payload) AS unfit OFFSET 0) AS u
     WHERE u.unfit IS NOT NULL
     LIMIT 1));
  IF v_unfit IS NOT NULL THEN
    RAISE EXCEPTION '%', v_unfit USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF zeke_jobs.is_beyond(v_task.id, p_options) THEN
    RETURN QUERY SELECT 0::bigint, 'beyond', NULL::uuid, NULL::zeke_jobs.job_status;
    RETURN;
  END IF;
  SELECT r.fields INTO v_fields FROM zeke_jobs.unique_rule(v_task, p_options -> 'unique') AS r;
  -- A send that is repeated after a lost answer needs room only for the jobs that the first try did not write.
  IF v_task.max_queued IS NOT NULL AND zeke_jobs.room(v_task) < (
    SELECT count(*) FROM unnest(p_ids) AS i (id) WHERE NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = i.id))
  THEN
    RETURN QUERY SELECT 0::bigint, 'full', NULL::uuid, NULL::zeke_jobs.job_status;
    RETURN;
  END IF;
  IF p_options ? 'batch' AND NOT zeke_jobs.enter_batch(p_options, p_ids[1]) THEN
    RETURN QUERY SELECT 0::bigint, 'closed', NULL::uuid, NULL::zeke_jobs.job_status;
    RETURN;
  END IF;
  IF v_fields IS NOT NULL THEN
    v_unique_keys := ARRAY(
      SELECT zeke_jobs.unique_key(v_task, v_fields, p.payload)
      FROM jsonb_array_elements(p_payloads) WITH ORDINALITY AS p (payload, n) ORDER BY p.n);
    -- In the order of the keys, so that two senders never wait for each other.
    WITH taken AS (
      INSERT INTO zeke_jobs.unique_holder AS u (unique_key, job)
      SELECT DISTINCT ON (j.unique_key) j.unique_key, j.id
      FROM ROWS FROM (unnest(p_ids), unnest(v_unique_keys)) WITH ORDINALITY AS j (id, unique_key, n)
      WHERE NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = j.id)
      ORDER BY j.unique_key, j.n
      ON CONFLICT DO NOTHING
      RETURNING u.job
    )
    SELECT coalesce(array_agg(t.job), '{}') INTO v_taken FROM taken AS t;
  END IF;
  INSERT INTO zeke_jobs.queue (
    message_id, queue_name, message, priority, run_at, expires_on, key, unique_key, created_on, parent, revision, sensitive, keep, batch,
    order_hold, units)
  SELECT
    j.id,
    v_task.queue,
    zeke_jobs.message(v_task.queue, v_task.id, j.id, j.payload, p_options, v_now),
    coalesce((p_options ->> 'priority')::integer, v_task.priority),
    zeke_jobs.moment(p_options, 'run_at', v_now, zeke_jobs.moment(p_options, 'delay', v_now, v_now)),
    zeke_jobs.moment(p_options, 'expires', v_now, NULL),
    coalesce(j.key, p_options ->> 'key', CASE WHEN v_task.per_key IS NOT NULL THEN j.id::text END),
    j.unique_key,
    v_now,
    (p_options ->> 'parent')::uuid,
    (SELECT coalesce(max(r.number), 0) FROM zeke_jobs.revision AS r),
    nullif(v_task.sensitive, '{}'),
    zeke_jobs.length_of(p_options -> 'keep'),
    p_options ->> 'batch',
    v_task.order_hold,
    p_options -> 'units'
  FROM ROWS FROM (unnest(p_ids), unnest(p_keys), jsonb_array_elements(p_payloads), unnest(v_unique_keys))
    AS j (id, key, payload, unique_key)
  LEFT JOIN unnest(v_taken) AS t (id) ON t.id = j.id
  WHERE v_fields IS NULL OR t.id IS NOT NULL
  ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS v_made = ROW_COUNT;
  IF v_made = cardinality(p_ids) THEN
    RETURN;
  END IF;
  -- Other jobs have some of the unique keys: decide these sends one by one, in the same order.
  RETURN QUERY
    SELECT j.n, e.outcome, e.job_id, e.status
    FROM (
      SELECT i.id, i.key, i.payload, i.n
      FROM ROWS FROM (unnest(p_ids), unnest(p_keys), jsonb_array_elements(p_payloads), unnest(v_unique_keys))
        WITH ORDINALITY AS i (id, key, payload, unique_key, n)
      WHERE NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = i.id)
      ORDER BY i.unique_key, i.n
      OFFSET 0
    ) AS j
    CROSS JOIN LATERAL zeke_jobs.enqueue(
      v_task.id, NULL, j.payload,
      (p_options - 'then') || jsonb_strip_nulls(jsonb_build_object(
        'id', j.id, 'key', coalesce(j.key, p_options ->> 'key'),
        'first_job', CASE WHEN p_options ? 'batch' THEN coalesce(p_options ->> 'first_job', p_ids[1]::text) END))) AS e;
END
$$;

CREATE FUNCTION zeke_jobs.enter_batch(p_options jsonb, p_first_job uuid) RETURNS boolean
    LANGUAGE plpgsql
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

CREATE FUNCTION zeke_jobs.expire(p_limit integer) RETURNS integer
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET plan_cache_mode TO 'force_custom_plan'
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

CREATE FUNCTION zeke_jobs.filter_in_words(p_filter jsonb, p_value jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
  SELECT nullif(concat_ws(', ',
    CASE jsonb_typeof(p_filter -> 'status') WHEN 'string' THEN p_filter ->> 'status'
      WHEN 'array' THEN (SELECT string_agg(s.name, ', ') FROM jsonb_array_elements_text(p_filter -> 'status') AS s (name)) END,
    (SELECT string_agg(f.name || ' ' || f.value || CASE WHEN f.name IN ('newer', 'older') THEN ' s' ELSE '' END, ', ' ORDER BY f.name)
     FROM jsonb_each_text(jsonb_strip_nulls(p_filter) - '{status,task,id,until}'::text[]) AS f (name, value)),
    (SELECT string_agg(v.name || ' ' || v.value, ', ') FROM jsonb_each_text(p_value) AS v (name, value))), '')
$$;

CREATE FUNCTION zeke_jobs.find_due(p_queue text, p_tasks text[], p_now timestamp with time zone, p_places jsonb, OUT due zeke_jobs.candidate[], OUT searched text[]) RETURNS record
    LANGUAGE plpgsql
    AS $$
BEGIN
  WITH RECURSIVE served AS (
    SELECT t.id, t.gates, t.per_key, t.metered, (p_places -> t.id ->> 0)::integer AS cursor,
      (p_places -> t.id ->> 1)::timestamptz AS after_run_at, (p_places -> t.id ->> 2)::bigint AS after_seq
    FROM zeke_jobs.task AS t
    WHERE t.queue = p_queue AND t.id = ANY (p_tasks) AND NOT t.paused AND NOT EXISTS (
      SELECT 1 FROM zeke_jobs.pause AS p
      WHERE p.target = 'task/' || t.id OR p.target = 'queue/' || p_queue OR p.target = ANY (t.gates))
  ),
  level (task, gates, per_key, metered, cursor, after_run_at, after_seq, priority) AS (
    SELECT s.id, s.gates, s.per_key, s.metered, s.cursor, s.after_run_at, s.after_seq, 2147483648::bigint FROM served AS s
    UNION ALL
    -- The next lower priority.
    SELECT l.task, l.gates, l.per_key, l.metered, l.cursor, l.after_run_at, l.after_seq, CASE
      WHEN l.cursor IS NULL OR l.cursor >= l.priority THEN (
        SELECT q.priority FROM zeke_jobs.queue AS q
        WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = l.task AND q.priority < l.priority
        ORDER BY q.priority DESC LIMIT 1)
      ELSE coalesce((
        SELECT q.priority FROM zeke_jobs.queue AS q
        WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = l.task AND q.priority > l.cursor
          AND q.priority < l.priority
        ORDER BY q.priority DESC LIMIT 1), (
        SELECT q.priority FROM zeke_jobs.queue AS q
        WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = l.task AND q.priority = l.cursor
          AND (q.run_at, q.seq) > (l.after_run_at, l.after_seq)
        LIMIT 1), (
        SELECT q.priority FROM zeke_jobs.queue AS q
        WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = l.task AND q.priority < l.cursor
        ORDER BY q.priority DESC LIMIT 1)) END
    FROM level AS l
    WHERE l.priority IS NOT NULL
  ),
  begun AS (
    SELECT l.task, l.gates, l.per_key, l.metered, l.priority::integer,
      CASE WHEN l.cursor = l.priority THEN l.after_run_at ELSE '-infinity' END AS after_run_at,
      CASE WHEN l.cursor = l.priority THEN l.after_seq ELSE 0 END AS after_seq
    FROM level AS l
    WHERE l.priority < 2147483648
  )
  SELECT array_agg(
    (l.task, l.priority, l.gates, l.per_key, f.run_at, f.seq - 1, l.metered)::zeke_jobs.candidate ORDER BY l.priority DESC, random()),
    (SELECT array_agg(s.id) FROM served AS s)
  INTO due, searched
  FROM begun AS l
  -- Picking begins at this first due job, so that dead index entries are stepped over once and not twice.
  CROSS JOIN LATERAL (
    SELECT q.run_at, q.seq FROM zeke_jobs.queue AS q
    WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = l.task
      AND q.priority = l.priority AND q.run_at <= p_now AND (q.run_at, q.seq) > (l.after_run_at, l.after_seq)
      AND (l.per_key IS NULL OR q.key IS NOT NULL)
    ORDER BY q.run_at, q.seq LIMIT 1
  ) AS f;
END
$$;

CREATE FUNCTION zeke_jobs.find_held_back(p_queue text, p_due zeke_jobs.candidate[], p_open integer[], p_rooms zeke_jobs.room[], p_left integer, p_free integer, p_short text[], p_now timestamp with time zone, OUT tasks text[], OUT lacks_thread boolean) RETURNS record
    LANGUAGE plpgsql
    AS $$
DECLARE
  v_at integer;
  v_one zeke_jobs.candidate;
  v_long boolean;
BEGIN
  tasks := '{}';
  lacks_thread := false;
  FOREACH v_at IN ARRAY p_open LOOP
    v_one := p_due[v_at];
    v_long := p_short IS NOT NULL AND v_one.task <> ALL (p_short);
    CONTINUE WHEN p_left = 0 AND NOT (v_long AND p_free <= 0);
    IF v_long OR p_short IS NULL THEN
      PERFORM 1 FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = v_one.task AND q.priority = v_one.priority
        AND q.run_at <= p_now AND (q.run_at, q.seq) > (v_one.after_run_at, v_one.after_seq)
      LIMIT 1;
      CONTINUE WHEN NOT FOUND;
    END IF;
    tasks := tasks || v_one.task;
    IF v_long AND p_free <= 0 AND NOT lacks_thread THEN
      lacks_thread := NOT EXISTS (SELECT 1 FROM unnest(p_rooms) AS r WHERE r.gate = ANY (v_one.gates) AND r.room <= r.used);
    END IF;
  END LOOP;
END
$$;

CREATE FUNCTION zeke_jobs.find_task(p_name text) RETURNS zeke_jobs.task
    LANGUAGE plpgsql STABLE
    SET jit TO 'off'
    AS $$
BEGIN
  RETURN (SELECT t FROM zeke_jobs.task AS t WHERE t.id = p_name OR p_name = ANY (t.aliases) ORDER BY (t.id = p_name) DESC LIMIT 1);
END
$$;

CREATE FUNCTION zeke_jobs.finish(p_worker uuid, p_id uuid, p_claim bigint, p_outcome text, p_after double precision, p_delay double precision, p_until timestamp with time zone, p_reason text, p_error jsonb, p_revision integer, p_took double precision DEFAULT NULL::double precision, p_breaks boolean DEFAULT false) RETURNS boolean
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET plan_cache_mode TO 'force_generic_plan'
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

CREATE FUNCTION zeke_jobs.first_in_line(p_task text, p_key text) RETURNS tid
    LANGUAGE plpgsql
    AS $$
BEGIN
  RETURN (
    SELECT q.ctid FROM zeke_jobs.queue AS q
    WHERE q.order_hold IS NOT NULL AND (q.state IN ('queued', 'consumed') OR q.order_hold AND q.state = 'rejected' AND q.cancelled_on IS NULL)
      AND q.task = p_task AND q.key = p_key
    ORDER BY q.seq LIMIT 1);
END
$$;

CREATE FUNCTION zeke_jobs.forget_audit() RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  DELETE FROM zeke_jobs.audit AS a WHERE a.done_on < zeke_jobs.now() - interval '400 days'
$$;

CREATE FUNCTION zeke_jobs.forget_uses(p_gates text[], p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
  DELETE FROM zeke_jobs.meter_use AS u
  WHERE u.ctid = ANY (ARRAY(
    SELECT o.ctid FROM unnest(p_gates) AS g (name) JOIN zeke_jobs.meter_use AS o ON o.gate = g.name AND o.ends_on <= p_now - interval '1 second'
    WHERE o.settled OR o.lasts IS NOT NULL -- the cost of a job that runs past midnight is still needed for the average
    LIMIT 1000 FOR UPDATE OF o SKIP LOCKED));
  DELETE FROM zeke_jobs.breaker_end AS e USING zeke_jobs.gate AS g
  WHERE g.name = ANY (p_gates) AND g.tripped_on IS NULL AND e.gate = g.name AND e.ended_on <= p_now - g.breaker_within;
  IF random() < 0.01 THEN
    -- Merge the uses into two hundred parts of the window; each part counts as long as its latest use.
    WITH many AS (
      DELETE FROM zeke_jobs.meter_use AS u
      WHERE u.ctid = ANY (ARRAY(
        SELECT o.ctid FROM zeke_jobs.meter_use AS o
        WHERE o.gate = ANY (p_gates) AND o.ends_on > p_now AND o.settled AND o.key = '' AND o.lasts > interval '25 seconds' IS NOT FALSE
        FOR UPDATE SKIP LOCKED))
      RETURNING u.*
    )
    INSERT INTO zeke_jobs.meter_use (gate, unit, taken_on, ends_on, lasts, amount, settled)
    SELECT m.gate, m.unit, max(m.taken_on), max(m.ends_on), m.lasts, sum(m.amount), true
    FROM many AS m
    GROUP BY m.gate, m.unit, m.lasts, CASE WHEN m.lasts IS NULL THEN m.ends_on ELSE date_bin(m.lasts / 200, m.ends_on, 'epoch') END;
  END IF;
END
$$;

CREATE FUNCTION zeke_jobs.gate_opens(p_gate zeke_jobs.gate, p_now timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE plpgsql
    AS $$
BEGIN
  IF p_gate.closed_until > p_now THEN
    RETURN p_gate.closed_until;
  END IF;
  -- The rate has room and there are no other meters, so the concurrency is full: only the end of a job makes room.
  IF zeke_jobs.taken(p_gate.name, 'jobs', '', p_now) < p_gate.rate_count
    AND NOT EXISTS (SELECT 1 FROM zeke_jobs.meter AS m WHERE m.gate = p_gate.name)
  THEN
    RETURN NULL;
  END IF;
  RETURN (
    SELECT min(o.opens)
    FROM (
      -- Ask only for keys for which jobs wait.
      SELECT zeke_jobs.next_key_on(substr(m.gate, length('task/') + 1), p_now) AS opens
      FROM zeke_jobs.meter AS m
      WHERE m.gate = p_gate.name AND m.per_key AND (zeke_jobs.taken(m.gate, 'jobs', '', p_now) >= p_gate.rate_count) IS NOT TRUE
      UNION ALL
      -- A job whose start is not yet reported counts as if it had started at its claim.
      SELECT CASE WHEN u.unit = 'jobs' AND NOT u.settled THEN u.taken_on + u.lasts ELSE u.ends_on END
      FROM (
        SELECT 'jobs' AS unit WHERE p_gate.rate_count IS NOT NULL
        UNION ALL
        SELECT m.unit FROM zeke_jobs.meter AS m WHERE m.gate = p_gate.name AND NOT m.per_key
      ) AS m
      CROSS JOIN LATERAL (
        SELECT f.* FROM zeke_jobs.meter_use AS f
        WHERE f.gate = p_gate.name AND f.unit = m.unit AND f.key = '' AND f.ends_on > p_now AND f.ends_on < 'infinity'
        ORDER BY f.ends_on LIMIT 20
      ) AS u
    ) AS o);
END
$$;

CREATE FUNCTION zeke_jobs.gate_room(p_gate zeke_jobs.gate, p_now timestamp with time zone) RETURNS integer
    LANGUAGE sql STABLE
    AS $$ SELECT r.room FROM zeke_jobs.gate_rooms(ARRAY[p_gate.name], p_now) AS r $$;

CREATE FUNCTION zeke_jobs.gate_rooms(p_gates text[], p_now timestamp with time zone) RETURNS TABLE(gate zeke_jobs.gate, room integer)
    LANGUAGE sql STABLE
    AS $$
  SELECT g, CASE WHEN g.closed_until > p_now THEN 0 ELSE least(
    CASE WHEN g.concurrency IS NOT NULL THEN zeke_jobs.concurrency_of(g, p_now) - (
      SELECT sum(a.active) FROM zeke_jobs.task_active AS a WHERE g.name = ANY (a.gates)) END,
    CASE WHEN g.rate_count IS NOT NULL THEN greatest(0, g.rate_count - zeke_jobs.taken(g.name, 'jobs', '', p_now)) END,
    -- A job that has ended does not probe any more. A claim opens or closes the breaker before it calls this.
    CASE WHEN g.tripped_on IS NOT NULL THEN CASE WHEN zeke_jobs.probes(g) THEN 0 ELSE 1 END END) END::integer
  FROM zeke_jobs.gate AS g
  WHERE g.name = ANY (p_gates)
$$;

CREATE FUNCTION zeke_jobs.gather(p_limit integer) RETURNS TABLE(was text, was_in text, task text, queue text, jobs integer)
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET plan_cache_mode TO 'force_custom_plan'
    AS $$
#variable_conflict use_column
DECLARE
  v_pair record;
  v_task zeke_jobs.task;
  v_ids uuid[];
  v_count integer;
BEGIN
  -- Not in the function's header, where only a superuser may set a custom setting.
  PERFORM set_config('zeke_jobs.gathering', 'on', true);
  FOR v_pair IN
    SELECT p.queue AS queue_name, p.task FROM zeke_jobs.queued_names() AS p
  LOOP
    v_task := zeke_jobs.find_task(v_pair.task);
    CONTINUE WHEN v_task.id IS NULL OR v_task.id = v_pair.task AND v_task.queue = v_pair.queue_name;
    v_ids := ARRAY(
      SELECT q.message_id FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = v_pair.queue_name AND q.task = v_pair.task
      LIMIT p_limit
      FOR UPDATE SKIP LOCKED
    ) || ARRAY(
      SELECT q.message_id FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths > 0 AND q.queue_name = v_pair.queue_name AND q.task = v_pair.task
      LIMIT p_limit
      FOR UPDATE SKIP LOCKED
    );
    WITH moved AS (
      UPDATE zeke_jobs.queue AS q
      SET queue_name = v_task.queue, mtime = zeke_jobs.now(),
        message = q.message || jsonb_build_object('actor_name', v_task.id, 'queue_name', v_task.queue),
        key = coalesce(q.key, CASE WHEN v_task.per_key IS NOT NULL THEN q.message_id::text END),
        unique_key = v_task.id || substr(q.unique_key, length(v_pair.task) + 1),
        idempotency_key = CASE WHEN v_task.id = v_pair.task OR NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS o
            WHERE o.task = v_task.id AND o.idempotency_key = q.idempotency_key)
          THEN q.idempotency_key END,
        scheduled_for = CASE WHEN v_task.id = v_pair.task OR NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS o
            WHERE o.task = v_task.id AND o.scheduled_for = q.scheduled_for AND o.schedule IS NOT DISTINCT FROM q.schedule)
          THEN q.scheduled_for END
      WHERE q.message_id = ANY (v_ids)
      RETURNING q.message_id, q.unique_key
    ),
    former AS (
      DELETE FROM zeke_jobs.unique_holder AS u
      USING moved AS m
      WHERE v_task.id <> v_pair.task AND u.job = m.message_id
        AND u.unique_key = v_pair.task || substr(m.unique_key, length(v_task.id) + 1)
      RETURNING m.unique_key, u.job
    ),
    held AS (
      -- If a job of the new name already has the key, both jobs stay, as before.
      INSERT INTO zeke_jobs.unique_holder (unique_key, job)
      SELECT f.unique_key, f.job FROM former AS f ORDER BY f.unique_key
      ON CONFLICT DO NOTHING
    )
    SELECT count(*) INTO v_count FROM moved;
    IF v_count > 0 THEN
      PERFORM zeke_jobs.ring(v_task.queue);
      RETURN QUERY SELECT v_pair.task, v_pair.queue_name, v_task.id, v_task.queue, v_count;
    END IF;
  END LOOP;
  PERFORM set_config('zeke_jobs.gathering', '', true);
END
$$;

CREATE FUNCTION zeke_jobs.give_back(p_worker uuid, p_ids uuid[], p_claims bigint[]) RETURNS SETOF uuid
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'off'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET plan_cache_mode TO 'force_generic_plan'
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

CREATE FUNCTION zeke_jobs.give_keys() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  UPDATE zeke_jobs.queue AS q
  SET key = q.message_id::text
  WHERE q.task = NEW.id AND q.key IS NULL AND q.state <> 'done';
  UPDATE zeke_jobs.task AS t
  SET keyed_on = zeke_jobs.now(), keys_due = zeke_jobs.now() + interval '5 seconds'
  WHERE t.id = NEW.id;
  RETURN NULL;
END
$$;

CREATE FUNCTION zeke_jobs.give_late_keys() RETURNS integer
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET plan_cache_mode TO 'force_custom_plan'
    AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_task record;
  v_count integer;
  v_total integer := 0;
BEGIN
  FOR v_task IN
    SELECT t.id, t.queue, t.keyed_on, t.order_hold FROM zeke_jobs.task AS t
    WHERE t.per_key IS NOT NULL AND t.keys_due <= v_now
    FOR UPDATE SKIP LOCKED
  LOOP
    UPDATE zeke_jobs.queue AS q
    SET key = coalesce(q.key, q.message_id::text), order_hold = v_task.order_hold
    WHERE q.message_id = ANY (ARRAY(
      SELECT l.message_id FROM zeke_jobs.queue AS l
      WHERE l.state = 'queued' AND l.deaths = 0 AND l.queue_name = v_task.queue AND l.task = v_task.id
        AND (l.key IS NULL OR l.order_hold IS DISTINCT FROM v_task.order_hold)
      FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS v_count = ROW_COUNT;
    v_total := v_total + v_count;
    UPDATE zeke_jobs.task AS t
    SET keys_due = CASE WHEN v_now < t.keyed_on + interval '1 day'
      THEN v_now + greatest(v_now - t.keyed_on, interval '5 seconds') END
    WHERE t.id = v_task.id;
    IF v_count > 0 THEN
      PERFORM zeke_jobs.ring(v_task.queue);
    END IF;
  END LOOP;
  RETURN v_total;
END
$$;

CREATE FUNCTION zeke_jobs.give_order() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  UPDATE zeke_jobs.queue AS q
  SET order_hold = NEW.order_hold
  WHERE q.task = NEW.id AND q.state <> 'done' AND q.order_hold IS DISTINCT FROM NEW.order_hold;
  UPDATE zeke_jobs.task AS t
  SET keyed_on = zeke_jobs.now(), keys_due = zeke_jobs.now() + interval '5 seconds'
  WHERE t.id = NEW.id AND NEW.per_key IS NOT NULL;
  RETURN NULL;
END
$$;

CREATE FUNCTION zeke_jobs.heartbeat(p_worker uuid, p_busy integer, p_revision integer, p_stopping boolean) RETURNS TABLE(alive boolean, revision integer, alone boolean)
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
DECLARE
  v_queues text[];
  v_tasks text[];
  v_alone boolean;
  v_groups bigint;
BEGIN
  UPDATE zeke_jobs.worker AS w
  SET heartbeat_on = zeke_jobs.now(), busy = p_busy, revision = p_revision, stopping = p_stopping
  WHERE w.id = p_worker
  RETURNING w.queues, w.tasks, w.alone INTO v_queues, v_tasks, v_alone;
  IF v_queues IS NULL THEN
    RETURN QUERY SELECT false, 0, false;
    RETURN;
  END IF;
  -- For each group of suspects one process stops claiming other jobs, until its suspects have ended. If there are two processes or more, at
  -- least one goes on with the other jobs.
  v_groups := (
    SELECT coalesce(ceil(sum(1.0 / s.group_size)), 0) FROM zeke_jobs.startable_suspects(v_queues, v_tasks, zeke_jobs.now()) AS s);
  IF p_stopping THEN
    v_alone := false;
  ELSIF v_alone AND v_groups = 0 THEN
    v_alone := zeke_jobs.runs_suspect(p_worker);
  ELSIF NOT v_alone AND v_groups > 0 THEN
    PERFORM zeke_jobs.take_lock('alone');
    v_alone := (
      SELECT count(*) FILTER (WHERE w.alone AND NOT zeke_jobs.runs_suspect(w.id)) < v_groups
        AND count(*) FILTER (WHERE w.alone) < greatest(1, count(*) - 1)
      FROM zeke_jobs.worker AS w WHERE w.kind = 'worker' AND NOT w.stopping AND w.queues && v_queues
    );
  END IF;
  UPDATE zeke_jobs.worker AS w SET alone = v_alone WHERE w.id = p_worker AND w.alone <> v_alone;
  RETURN QUERY SELECT true, (SELECT coalesce(max(r.number), 0) FROM zeke_jobs.revision AS r), v_alone;
END
$$;

CREATE FUNCTION zeke_jobs.hold(p_worker uuid, p_id uuid, p_claim bigint, p_after double precision DEFAULT NULL::double precision, p_result text DEFAULT NULL::text) RETURNS boolean
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET plan_cache_mode TO 'force_generic_plan'
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

CREATE FUNCTION zeke_jobs.now() RETURNS timestamp with time zone
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    AS $$ BEGIN RETURN clock_timestamp(); END $$;

CREATE TABLE zeke_jobs.queue (
    message_id uuid NOT NULL,
    queue_name text DEFAULT 'default'::text NOT NULL,
    state zeke_jobs.state DEFAULT 'queued'::zeke_jobs.state NOT NULL,
    mtime timestamp with time zone DEFAULT clock_timestamp(),
    message jsonb,
    result jsonb,
    result_ttl timestamp with time zone,
    task text GENERATED ALWAYS AS ((message ->> 'actor_name'::text)) STORED,
    seq bigint NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    run_at timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    expires_on timestamp with time zone,
    key text,
    unique_key text,
    idempotency_key text,
    claim bigint DEFAULT 0 NOT NULL,
    worker uuid,
    ahead boolean DEFAULT false NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    attempt_base integer DEFAULT 0 NOT NULL,
    deaths integer DEFAULT 0 NOT NULL,
    group_size integer DEFAULT 1 NOT NULL,
    created_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    claimed_on timestamp with time zone,
    started_on timestamp with time zone,
    completed_on timestamp with time zone,
    attempts jsonb DEFAULT '[]'::jsonb NOT NULL,
    progress jsonb,
    waiting_for text,
    parent uuid,
    scheduled_for timestamp with time zone,
    revision integer,
    cancelled_on timestamp with time zone,
    cancel_reason text,
    awaited boolean DEFAULT false NOT NULL,
    sensitive text[],
    waits boolean GENERATED ALWAYS AS ((ahead AND (started_on IS NULL))) STORED NOT NULL,
    cost numeric,
    currency text,
    cancelled_by text,
    units jsonb,
    keep interval,
    purge_on timestamp with time zone,
    batch text,
    order_hold boolean,
    schedule text,
    key_seen boolean DEFAULT false NOT NULL,
    CONSTRAINT queue_times CHECK (((LEAST(run_at, expires_on, created_on, claimed_on, started_on, completed_on, scheduled_for, cancelled_on) >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (GREATEST(run_at, expires_on, created_on, claimed_on, started_on, completed_on, scheduled_for, cancelled_on) < '9000-01-01 00:00:00+00'::timestamp with time zone)))
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_insert_scale_factor='0.05', autovacuum_analyze_scale_factor='0.05', autovacuum_vacuum_cost_delay='0');

COMMENT ON TABLE zeke_jobs.queue IS 'One row per job. People read the view zeke_jobs.job.';

COMMENT ON COLUMN zeke_jobs.queue.message IS 'The dramatiq message; kwargs is the payload, in snake_case.';

COMMENT ON COLUMN zeke_jobs.queue.result IS 'Output of a completed job; jsonb null for None.';

COMMENT ON COLUMN zeke_jobs.queue.task IS 'Canonical task id.';

COMMENT ON COLUMN zeke_jobs.queue.seq IS 'Order of arrival.';

COMMENT ON COLUMN zeke_jobs.queue.priority IS 'Higher runs first.';

COMMENT ON COLUMN zeke_jobs.queue.run_at IS 'Not claimed before this time.';

COMMENT ON COLUMN zeke_jobs.queue.expires_on IS 'Cancelled if it has not started by then.';

COMMENT ON COLUMN zeke_jobs.queue.key IS 'What the per-key limit counts by; the job''s own id where none was given.';

COMMENT ON COLUMN zeke_jobs.queue.unique_key IS 'What it was sent as unique by; the newest such job is its holder.';

COMMENT ON COLUMN zeke_jobs.queue.idempotency_key IS 'The caller''s name for this send; a second send finds this row.';

COMMENT ON COLUMN zeke_jobs.queue.claim IS 'Grows with each claim, is never reset, and fences every later change by the claimant.';

COMMENT ON COLUMN zeke_jobs.queue.worker IS 'Who holds the claim; NULL whenever the job is not active.';

COMMENT ON COLUMN zeke_jobs.queue.ahead IS 'Claimed ahead of its limit: starts in its worker in the slot of a job that ends there. Always false where it is not active.';

COMMENT ON COLUMN zeke_jobs.queue.attempt IS 'Starts of the handler, without those that ended in a deferral.';

COMMENT ON COLUMN zeke_jobs.queue.attempt_base IS 'Value of attempt when the retry limit was last granted afresh.';

COMMENT ON COLUMN zeke_jobs.queue.deaths IS 'Workers that died of it, as far as is known: the first while it was one of several perhaps, each further one while it ran alone.';

COMMENT ON COLUMN zeke_jobs.queue.group_size IS 'Where deaths is not 0: with how many others of its kind it may run in one process, itself included; 1 is alone.';

COMMENT ON COLUMN zeke_jobs.queue.started_on IS 'Start of the handler; while active, NULL until the worker has said so.';

COMMENT ON COLUMN zeke_jobs.queue.completed_on IS 'When the job ended, in whatever way.';

COMMENT ON COLUMN zeke_jobs.queue.attempts IS 'Every attempt that did not complete: times, outcome, error, revision.';

COMMENT ON COLUMN zeke_jobs.queue.waiting_for IS 'Why the job was deferred.';

COMMENT ON COLUMN zeke_jobs.queue.parent IS 'The job that sent this one.';

COMMENT ON COLUMN zeke_jobs.queue.scheduled_for IS 'The tick of the schedule that this job is for.';

COMMENT ON COLUMN zeke_jobs.queue.revision IS 'Revision of jobs.yaml that it ran under last; before that, the one in force when it was sent.';

COMMENT ON COLUMN zeke_jobs.queue.cancelled_on IS 'The cancel mark; on an active job: it is being stopped.';

COMMENT ON COLUMN zeke_jobs.queue.awaited IS 'Somebody waits for the end: it is announced on channel zeke_jobs.done.';

COMMENT ON COLUMN zeke_jobs.queue.sensitive IS 'Fields of the payload that its task called sensitive when it was sent; NULL for none. What the task calls so now is masked too.';

COMMENT ON COLUMN zeke_jobs.queue.waits IS 'Claimed ahead, and not known to have started: shown as queued.';

COMMENT ON COLUMN zeke_jobs.queue.cost IS 'What its handler said that it cost so far, over all attempts; NULL is unknown, not nothing.';

COMMENT ON COLUMN zeke_jobs.queue.currency IS 'What the cost is counted in, as ISO 4217 has it; NULL while the cost is.';

COMMENT ON COLUMN zeke_jobs.queue.cancelled_by IS 'Who cancelled it, where that was said.';

COMMENT ON COLUMN zeke_jobs.queue.units IS 'What the sender expects it to use; NULL: what its task says or has learned.';

COMMENT ON COLUMN zeke_jobs.queue.keep IS 'How long the send wants it kept after its end; NULL: as its task says.';

COMMENT ON COLUMN zeke_jobs.queue.purge_on IS 'When a job that ended is removed, where its send said how long it is kept.';

COMMENT ON COLUMN zeke_jobs.queue.batch IS 'The batch that it belongs to.';

COMMENT ON COLUMN zeke_jobs.queue.order_hold IS 'As its task''s: it stands in the line of its key.';

COMMENT ON COLUMN zeke_jobs.queue.schedule IS 'The stored schedule whose tick it is for; NULL: its task''s own.';

COMMENT ON COLUMN zeke_jobs.queue.key_seen IS 'Its task has a rate per key, and a claim has found that its key must wait: it is found by its key in key_wait.';

CREATE FUNCTION zeke_jobs.holds(p_job zeke_jobs.queue, p_while text, p_period interval, p_parent uuid) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
  SELECT CASE p_while
    WHEN 'queued' THEN (p_job).state = 'queued'
    WHEN 'active' THEN
      (p_job).state = 'queued' OR (p_job).state = 'consumed' AND (p_job).message_id IS DISTINCT FROM p_parent
    ELSE (p_job).created_on + p_period > zeke_jobs.now()
  END
$$;

CREATE FUNCTION zeke_jobs.holds_up(p_id uuid, p_task text, p_key text, p_order_hold boolean, p_batch text) RETURNS boolean
    LANGUAGE plpgsql STABLE
    AS $$
BEGIN
  RETURN coalesce(p_order_hold, false) AND p_key <> p_id::text AND (zeke_jobs.find_task(p_task)).id IS NOT NULL
    OR EXISTS (SELECT 1 FROM zeke_jobs.batch AS b WHERE b.id = p_batch AND b.after_failure = 'hold' AND b.ended_on IS NULL);
END
$$;

CREATE FUNCTION zeke_jobs.import_jobs(p_source text, p_jobs jsonb, p_by text) RETURNS uuid[]
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_one jsonb;
  v_job jsonb;
  v_task zeke_jobs.task;
  v_id uuid;
  v_key text;
  v_attempt integer;
  v_error jsonb;
  v_made uuid[] := '{}';
  v_taken uuid[] := '{}';
BEGIN
  FOR v_one IN SELECT j.value FROM jsonb_array_elements(p_jobs) AS j (value) LOOP
    v_job := v_one -> 'job';
    v_task := zeke_jobs.find_task(v_one ->> 'task');
    IF v_task.id IS NULL OR zeke_jobs.unfit_payload(v_one -> 'payload') IS NOT NULL THEN
      RAISE EXCEPTION 'expected a task and a payload of it, got %: %', v_one ->> 'task', zeke_jobs.unfit_payload(v_one -> 'payload')
        USING ERRCODE = 'invalid_parameter_value';
    END IF;
    v_id := (v_job ->> 'id')::uuid;
    IF EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = v_id) THEN
      v_id := gen_random_uuid();
    END IF;
    INSERT INTO zeke_jobs.imported (source, name, source_id, job) VALUES (p_source, v_job ->> 'name', (v_job ->> 'id')::uuid, v_id)
    ON CONFLICT DO NOTHING;
    CONTINUE WHEN NOT FOUND;
    v_attempt := CASE v_job ->> 'state' WHEN 'created' THEN 0 ELSE (v_job ->> 'retry_count')::integer + 1 END;
    -- Its texts are masked here, as a worker masks those that it writes.
    v_error := CASE WHEN v_job ->> 'state' IN ('retry', 'failed') THEN zeke_jobs.mask(jsonb_strip_nulls(jsonb_build_object(
      'type', coalesce(v_job #>> '{output,name}', 'Error'),
      'message', left(coalesce(v_job #>> '{output,message}', v_job ->> 'output', ''), 4000),
      'traceback', left(v_job #>> '{output,stack}', 16000))), v_task.sensitive, v_one -> 'payload') END;
    v_key := NULL;
    IF v_job ->> 'state' IN ('created', 'retry') THEN
      v_key := CASE
        WHEN v_job ->> 'singleton_key' IS NOT NULL THEN v_task.id || ' =' || (v_job ->> 'singleton_key')
        WHEN v_task.unique_fields IS NOT NULL THEN zeke_jobs.unique_key(v_task, v_task.unique_fields, v_one -> 'payload') END;
    END IF;
    -- If another unfinished job has the unique key, that job keeps the key, and both jobs run, as in pg-boss.
    IF v_key IS NOT NULL THEN
      INSERT INTO zeke_jobs.unique_holder AS u (unique_key, job) VALUES (v_key, v_id)
      ON CONFLICT (unique_key) DO UPDATE SET job = excluded.job
      WHERE NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = u.job AND q.state IN ('queued', 'consumed'));
      v_key := CASE WHEN FOUND THEN v_key END;
    END IF;
    INSERT INTO zeke_jobs.queue (
      message_id, queue_name, message, state, priority, run_at, key, unique_key, created_on, started_on, completed_on, attempt, attempts,
      result, revision, sensitive, order_hold)
    VALUES (
      v_id,
      v_task.queue,
      zeke_jobs.message(v_task.queue, v_task.id, v_id, v_one -> 'payload', '{}', (v_job ->> 'created_on')::timestamptz),
      (CASE v_job ->> 'state' WHEN 'completed' THEN 'done' WHEN 'failed' THEN 'rejected' ELSE 'queued' END)::zeke_jobs.state,
      (v_job ->> 'priority')::integer,
      (v_job ->> 'start_after')::timestamptz,
      coalesce(v_job ->> 'group_id', CASE WHEN v_task.per_key IS NOT NULL THEN v_id::text END),
      v_key,
      (v_job ->> 'created_on')::timestamptz,
      CASE WHEN v_job ->> 'state' IN ('completed', 'failed') THEN (v_job ->> 'started_on')::timestamptz END,
      (v_job ->> 'completed_on')::timestamptz,
      v_attempt,
      CASE WHEN v_error IS NULL THEN '[]' ELSE jsonb_build_array(jsonb_build_object(
        'attempt', v_attempt, 'outcome', v_job ->> 'state', 'started_on', v_job -> 'started_on',
        'ended_on', coalesce(v_job -> 'completed_on', v_job -> 'started_on'), 'error', v_error)) END,
      CASE WHEN v_job ->> 'state' = 'completed' THEN coalesce(v_job -> 'output', 'null') END,
      (SELECT coalesce(max(r.number), 0) FROM zeke_jobs.revision AS r),
      nullif(v_task.sensitive, '{}'),
      -- A past failure does not block its key.
      CASE WHEN v_job ->> 'state' IN ('created', 'retry') THEN v_task.order_hold END);
    v_made := v_made || v_id;
    v_taken := v_taken || (v_job ->> 'id')::uuid;
  END LOOP;
  IF v_made <> '{}' THEN
    PERFORM zeke_jobs.note('import', p_source, p_by, NULL, v_made);
  END IF;
  RETURN v_taken;
END
$$;

CREATE FUNCTION zeke_jobs.integer_of(p_value jsonb) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (jsonb_typeof(p_value) = 'number'::text) THEN (LEAST(GREATEST((p_value)::numeric, ('-2147483648'::integer)::numeric), (2147483647)::numeric))::integer ELSE NULL::integer END;

CREATE FUNCTION zeke_jobs.is_beyond(p_task text, p_options jsonb) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
  SELECT coalesce((zeke_jobs.retry_rule(p_options -> 'retry') ->> 'limit')::integer > (b.most ->> 'retry')::integer, false)
    OR coalesce(zeke_jobs.length_of(p_options -> 'timeout') > (b.most ->> 'timeout')::interval, false)
    OR coalesce(zeke_jobs.length_of(p_options -> 'keep') > (b.most ->> 'keep')::interval, false)
  FROM (SELECT t.definition -> 'per_send' FROM zeke_jobs.task AS t WHERE t.id = p_task) AS b (most)
$$;

CREATE TABLE zeke_jobs.lease (
    name text NOT NULL,
    job uuid NOT NULL,
    claim bigint NOT NULL,
    taken_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL
);

COMMENT ON TABLE zeke_jobs.lease IS 'Leases that were taken. One counts only while its job is active under the same claim.';

CREATE FUNCTION zeke_jobs.is_live(p_lease zeke_jobs.lease) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
  SELECT EXISTS (
    SELECT 1 FROM zeke_jobs.queue AS q
    WHERE q.message_id = p_lease.job AND q.claim = p_lease.claim AND q.state = 'consumed')
$$;

CREATE FUNCTION zeke_jobs.is_readable(p_moment timestamp with time zone) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT p_moment >= '1970-01-01 00:00:00+00' AND p_moment < '9000-01-01 00:00:00+00' $$;

CREATE FUNCTION zeke_jobs.json_size(p_value jsonb) RETURNS integer
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
DECLARE
  v_text text := p_value::text;
BEGIN
  -- jsonb writes a space after each comma and colon: half as much again at most.
  IF octet_length(v_text) > 1048576 AND octet_length(v_text) < 2097152 THEN
    v_text := regexp_replace(v_text, '("(?:[^"\\]|\\.)*")|([,:]) ', '\1\2', 'g');
  END IF;
  RETURN octet_length(v_text);
END
$$;

CREATE FUNCTION zeke_jobs.keep_slots(p_worker uuid, p_tasks text[], p_counts integer[], p_said bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
  PERFORM 1 FROM zeke_jobs.worker AS w WHERE w.id = p_worker FOR KEY SHARE;
  IF FOUND THEN
    INSERT INTO zeke_jobs.kept_slot AS s (worker, task, count, said)
    SELECT p_worker, k.task, k.count, p_said FROM unnest(p_tasks, p_counts) AS k (task, count) ORDER BY k.task
    ON CONFLICT ON CONSTRAINT kept_slot_pkey DO UPDATE SET count = excluded.count, said = excluded.said WHERE s.said < excluded.said;
  END IF;
END
$$;

CREATE FUNCTION zeke_jobs.key_has_room(p_task text, p_key text, p_now timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
  RETURN p_key IS NULL OR NOT EXISTS (
    SELECT 1 FROM zeke_jobs.meter AS m
    WHERE m.gate = 'task/' || p_task AND m.unit = 'jobs' AND m.per_key
      AND zeke_jobs.taken(m.gate, 'jobs', p_key, p_now) >= m.amount);
END
$$;

CREATE FUNCTION zeke_jobs.known_task(p_name text, OUT id text, OUT revision integer, OUT payload_schema jsonb, OUT sensitive text[]) RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT t.id, t.revision, t.payload_schema, t.sensitive FROM zeke_jobs.find_task(p_name) AS t WHERE t.id IS NOT NULL
$$;

CREATE FUNCTION zeke_jobs.leaves(p_value jsonb, p_path text[]) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
DECLARE
  v_found text[] := '{}';
  v_key text;
  v_item jsonb;
BEGIN
  CASE jsonb_typeof(p_value)
    WHEN 'object' THEN
      FOR v_key, v_item IN SELECT e.key, e.value FROM jsonb_each(p_value) AS e (key, value) LOOP
        IF p_path = '{}' OR v_key = p_path[1] OR v_key = zeke_jobs.camel(p_path[1]) THEN
          v_found := v_found || zeke_jobs.leaves(v_item, p_path[2:]);
        END IF;
      END LOOP;
    WHEN 'array' THEN
      FOR v_item IN SELECT e.value FROM jsonb_array_elements(p_value) AS e (value) LOOP
        v_found := v_found || zeke_jobs.leaves(v_item, p_path);
      END LOOP;
    WHEN 'string', 'number' THEN
      v_found := ARRAY[p_value #>> '{}'];
    ELSE
      NULL;
  END CASE;
  RETURN v_found;
END
$$;

CREATE FUNCTION zeke_jobs.length_of(p_option jsonb) RETURNS interval
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
  SELECT CASE WHEN jsonb_typeof(p_option) = 'number' THEN make_interval(secs => (p_option #>> '{}')::double precision)
    ELSE (p_option #>> '{}')::interval END
$$;

CREATE FUNCTION zeke_jobs.length_of(p_duration text) RETURNS interval
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (p_duration ~ '^(\d{1,9}(\.\d{1,6})? ?(ms|s|m|h|d|w|seconds?|minutes?|hours?|days?) ?){1,6}$'::text) THEN LEAST((p_duration)::interval, '1000 years'::interval) ELSE NULL::interval END;

CREATE FUNCTION zeke_jobs.lock_catalogue() RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT zeke_jobs.take_lock('catalogue')
$$;

CREATE FUNCTION zeke_jobs.lock_event(p_event text) RETURNS void
    LANGUAGE sql
    AS $$
  SELECT zeke_jobs.take_lock('event/' || (hashtext(p_event) & 63))
$$;

CREATE FUNCTION zeke_jobs.lock_gates(p_due zeke_jobs.candidate[]) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
  PERFORM 1 FROM zeke_jobs.gate AS g
  WHERE g.name IN (SELECT unnest(c.gates) FROM unnest(p_due) AS c)
  ORDER BY g.name
  FOR NO KEY UPDATE;
  RETURN FOUND;
END
$$;

CREATE FUNCTION zeke_jobs.lock_schedule(p_task text, p_cron text, p_timezone text, p_decided_to timestamp with time zone) RETURNS TABLE(cron text, timezone text, decided_to timestamp with time zone)
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  INSERT INTO zeke_jobs.schedule_state AS s (task, cron, timezone, decided_to)
  VALUES (p_task, p_cron, p_timezone, zeke_jobs.decidable(p_decided_to, p_task))
  ON CONFLICT (task) DO UPDATE SET task = excluded.task
  RETURNING s.cron, s.timezone, s.decided_to
$$;

CREATE FUNCTION zeke_jobs.make_batch(p_batch text, p_then jsonb, p_after_failure text, p_open boolean, p_first_job uuid) RETURNS boolean
    LANGUAGE plpgsql
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

CREATE FUNCTION zeke_jobs.mark(p_places tid[], p_worker uuid, p_ahead boolean, p_revision integer) RETURNS zeke_jobs.claimed[]
    LANGUAGE plpgsql
    AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_jobs zeke_jobs.claimed[];
BEGIN
  WITH updated AS (
    UPDATE zeke_jobs.queue AS q
    SET state = 'consumed', claim = q.claim + 1, worker = p_worker, ahead = p_ahead,
      claimed_on = v_now, started_on = NULL, mtime = v_now, waiting_for = NULL, revision = coalesce(p_revision, q.revision)
    FROM unnest(p_places) AS p (place)
    WHERE q.ctid = p.place AND q.state = 'queued'
    RETURNING (q.message_id, q.claim, q.task, q.message::text, q.attempt, q.attempt_base, q.deaths, q.revision, q.parent,
      q.scheduled_for, q.claimed_on, q.expires_on, q.ahead, q.sensitive)::zeke_jobs.claimed AS one
  )
  SELECT coalesce(array_agg(u.one), '{}') INTO v_jobs FROM updated AS u;
  RETURN v_jobs;
END
$$;

CREATE FUNCTION zeke_jobs.mark_started(p_worker uuid, p_ids uuid[], p_claims bigint[], p_after double precision[]) RETURNS void
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'off'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET plan_cache_mode TO 'force_generic_plan'
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

CREATE FUNCTION zeke_jobs.mask(p_value jsonb, p_fields text[], p_payload jsonb DEFAULT NULL::jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
  v_secrets text[];
  v_one text;
BEGIN
  IF p_value IS NULL OR p_fields IS NULL THEN
    RETURN p_value;
  END IF;
  FOREACH v_one IN ARRAY p_fields LOOP
    p_value := zeke_jobs.mask_at(p_value, string_to_array(v_one, '.'), false);
  END LOOP;
  IF p_payload IS NOT NULL THEN
    v_secrets := zeke_jobs.secrets_in(p_payload, p_fields);
    FOREACH v_one IN ARRAY coalesce(v_secrets, '{}') LOOP
      IF strpos(p_value::text, v_one) > 0 THEN
        RETURN zeke_jobs.mask_texts(p_value, v_secrets);
      END IF;
    END LOOP;
  END IF;
  RETURN p_value;
END
$$;

CREATE FUNCTION zeke_jobs.mask_all(p_text text, p_secrets text[]) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
DECLARE
  v_secret text;
BEGIN
  FOREACH v_secret IN ARRAY coalesce(p_secrets, '{}') LOOP
    p_text := replace(p_text, v_secret, '***');
  END LOOP;
  RETURN p_text;
END
$$;

CREATE FUNCTION zeke_jobs.mask_at(p_value jsonb, p_path text[], p_inside boolean) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
DECLARE
  v_key text;
BEGIN
  IF p_path = '{}' THEN
    RETURN '"***"';
  END IF;
  CASE jsonb_typeof(p_value)
    WHEN 'object' THEN
      FOREACH v_key IN ARRAY ARRAY[p_path[1], zeke_jobs.camel(p_path[1])] LOOP
        IF p_value ? v_key THEN
          p_value := jsonb_set(p_value, ARRAY[v_key], zeke_jobs.mask_at(p_value -> v_key, p_path[2:], true));
        END IF;
      END LOOP;
      RETURN p_value;
    WHEN 'array' THEN
      RETURN (
        SELECT coalesce(jsonb_agg(zeke_jobs.mask_at(e.value, p_path, p_inside) ORDER BY e.n), '[]')
        FROM jsonb_array_elements(p_value) WITH ORDINALITY AS e (value, n));
    WHEN 'null' THEN
      RETURN p_value;
    ELSE
      RETURN CASE WHEN p_inside THEN '"***"' ELSE p_value END;
  END CASE;
END
$$;

CREATE FUNCTION zeke_jobs.mask_text(p_text text, p_payload jsonb, p_fields text[]) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    AS $$
BEGIN
  RETURN CASE WHEN p_text IS NULL OR p_fields IS NULL THEN p_text ELSE zeke_jobs.mask_all(p_text, zeke_jobs.secrets_in(p_payload, p_fields)) END;
END
$$;

CREATE FUNCTION zeke_jobs.mask_texts(p_value jsonb, p_secrets text[]) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
BEGIN
  RETURN CASE jsonb_typeof(p_value)
    WHEN 'object' THEN (
      SELECT coalesce(jsonb_object_agg(zeke_jobs.mask_all(e.key, p_secrets), zeke_jobs.mask_texts(e.value, p_secrets)), '{}')
      FROM jsonb_each(p_value) AS e (key, value))
    WHEN 'array' THEN (
      SELECT coalesce(jsonb_agg(zeke_jobs.mask_texts(e.value, p_secrets) ORDER BY e.n), '[]')
      FROM jsonb_array_elements(p_value) WITH ORDINALITY AS e (value, n))
    WHEN 'string' THEN to_jsonb(zeke_jobs.mask_all(p_value #>> '{}', p_secrets))
    WHEN 'number' THEN CASE WHEN p_value #>> '{}' = ANY (p_secrets) THEN '"***"' ELSE p_value END
    ELSE p_value
  END;
END
$$;

CREATE FUNCTION zeke_jobs.message(p_queue text, p_task text, p_id uuid, p_payload jsonb, p_options jsonb, p_now timestamp with time zone) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
  SELECT jsonb_build_object(
    'queue_name', p_queue, 'actor_name', p_task, 'args', '[]'::jsonb, 'kwargs', p_payload,
    'options', CASE WHEN p_options ?| ARRAY['traceparent', 'retry', 'timeout', 'batch', 'carried']
      THEN zeke_jobs.message_options(p_options) ELSE '{}' END,
    'message_id', p_id, 'message_timestamp', floor(extract(epoch FROM p_now) * 1000)::bigint)
$$;

CREATE FUNCTION zeke_jobs.message_options(p_options jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    AS $$
DECLARE
  v_options jsonb := jsonb_build_object('traceparent', p_options -> 'traceparent', 'batch', p_options -> 'batch');
BEGIN
  IF p_options ?| ARRAY['retry', 'timeout'] THEN
    v_options := v_options || jsonb_build_object(
      'retry', (
        SELECT jsonb_object_agg(r.name, CASE r.name WHEN 'limit' THEN r.value ELSE to_jsonb(extract(epoch FROM zeke_jobs.length_of(r.value))) END)
        FROM jsonb_each(zeke_jobs.retry_rule(p_options -> 'retry')) AS r (name, value)),
      'timeout', extract(epoch FROM zeke_jobs.length_of(p_options -> 'timeout')));
  END IF;
  RETURN coalesce(p_options -> 'carried', '{}') || jsonb_strip_nulls(v_options);
END
$$;

CREATE FUNCTION zeke_jobs.moment(p_options jsonb, p_name text, p_now timestamp with time zone, p_default timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    AS $$
DECLARE
  v_given text := p_options ->> p_name;
BEGIN
  IF v_given IS NULL THEN
    RETURN p_default;
  END IF;
  RETURN zeke_jobs.readable(
    CASE
      WHEN jsonb_typeof(p_options -> p_name) = 'number' THEN p_now + make_interval(secs => v_given::double precision)
      WHEN p_name = 'delay' THEN p_now + v_given::interval
      ELSE v_given::timestamptz
    END, p_name, v_given);
END
$$;

CREATE FUNCTION zeke_jobs.new_id() RETURNS uuid
    LANGUAGE sql PARALLEL SAFE
    AS $$
  SELECT encode(
    set_bit(
      set_bit(
        overlay(
          uuid_send(gen_random_uuid())
          PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
        52, 1),
      53, 1),
    'hex')::uuid
$$;

CREATE FUNCTION zeke_jobs.next_due(p_queue text, p_tasks text[], p_after timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
BEGIN
  RETURN (
    WITH RECURSIVE level (task, priority) AS (
      SELECT t.id, 2147483648::bigint FROM zeke_jobs.task AS t WHERE t.queue = p_queue AND t.id = ANY (p_tasks)
      UNION ALL
      -- The next lower priority.
      SELECT l.task, (
        SELECT q.priority FROM zeke_jobs.queue AS q
        WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = l.task AND q.priority < l.priority
        ORDER BY q.priority DESC LIMIT 1)
      FROM level AS l
      WHERE l.priority IS NOT NULL
    )
    SELECT min((
      SELECT q.run_at FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = l.task
        AND q.priority = l.priority AND q.run_at > p_after
      ORDER BY q.run_at LIMIT 1))
    FROM level AS l
    WHERE l.priority < 2147483648
  );
END
$$;

CREATE FUNCTION zeke_jobs.next_key_on(p_task text, p_now timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE plpgsql
    AS $$
BEGIN
  RETURN (
    WITH RECURSIVE level (priority) AS (
      SELECT min(w.priority) FROM zeke_jobs.key_wait AS w WHERE w.task = p_task
      UNION ALL
      SELECT (SELECT min(w.priority) FROM zeke_jobs.key_wait AS w WHERE w.task = p_task AND w.priority > l.priority)
      FROM level AS l
      WHERE l.priority IS NOT NULL
    )
    SELECT min((
      SELECT w.due_on FROM zeke_jobs.key_wait AS w
      WHERE w.task = p_task AND w.priority = l.priority AND w.due_on > p_now
      ORDER BY w.due_on LIMIT 1))
    FROM level AS l);
END
$$;

CREATE FUNCTION zeke_jobs.note(p_action text, p_target text, p_by text, p_reason text, p_jobs uuid[] DEFAULT NULL::uuid[]) RETURNS void
    LANGUAGE sql
    AS $$
  INSERT INTO zeke_jobs.audit (action, target, said_by, reason, jobs)
  VALUES (p_action, p_target, nullif(p_by, ''), nullif(p_reason, ''), p_jobs)
$$;

CREATE FUNCTION zeke_jobs.note_breaches() RETURNS TABLE(task text, event text, max_wait interval, wait interval, since timestamp with time zone)
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
BEGIN
  -- If two schedulers call at once, the second waits here and then sees the rows of the first.
  PERFORM zeke_jobs.take_lock('breach');
  RETURN QUERY
    WITH late AS MATERIALIZED (
      SELECT w.task, w.max_wait, w.wait, w.oldest_due + w.max_wait AS since FROM zeke_jobs.task_wait AS w WHERE w.is_late
    ),
    begun AS (
      INSERT INTO zeke_jobs.breach AS b (task, since)
      SELECT l.task, l.since FROM late AS l
      ON CONFLICT ON CONSTRAINT breach_pkey DO NOTHING
      RETURNING b.task
    ),
    ended AS (
      DELETE FROM zeke_jobs.breach AS b
      WHERE NOT EXISTS (SELECT 1 FROM late AS l WHERE l.task = b.task)
      RETURNING b.task, b.since
    )
    SELECT l.task, 'begun', l.max_wait, l.wait, l.since FROM late AS l JOIN begun AS b ON b.task = l.task
    UNION ALL
    SELECT e.task, 'ended', w.max_wait, w.wait, e.since FROM ended AS e LEFT JOIN zeke_jobs.task_wait AS w ON w.task = e.task;
END
$$;

CREATE FUNCTION zeke_jobs.note_ends(p_ids uuid[], p_failed boolean) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM zeke_jobs.gate AS g WHERE g.breaker_pause IS NOT NULL) THEN
    INSERT INTO zeke_jobs.breaker_end (gate, ended_on, failed, job)
    SELECT g.name, zeke_jobs.now(), p_failed, q.message_id
    FROM zeke_jobs.queue AS q CROSS JOIN LATERAL zeke_jobs.find_task(q.task) AS t JOIN zeke_jobs.gate AS g ON g.name = ANY (t.gates)
    WHERE q.message_id = ANY (p_ids) AND g.breaker_pause IS NOT NULL
      AND (p_failed OR g.breaker_share IS NOT NULL OR g.probe = q.message_id);
  END IF;
END
$$;

CREATE FUNCTION zeke_jobs.note_keys(p_queue text, p_one zeke_jobs.candidate, p_keys text[], p_rooms integer[], p_waiting text[], p_unseen tid[], p_places tid[], p_is_dry boolean, p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
  v_gate text := 'task/' || p_one.task;
  v_rate integer := (SELECT m.amount FROM zeke_jobs.meter AS m WHERE m.gate = v_gate AND m.unit = 'jobs' AND m.per_key);
  v_strict boolean := (SELECT t.order_hold IS NOT NULL FROM zeke_jobs.task AS t WHERE t.id = p_one.task);
  v_full text[];
  v_dry text[];
  v_wait text[];
BEGIN
  SELECT coalesce(array_agg(k.key) FILTER (WHERE k.room <= coalesce(x.taken, 0)), '{}'),
    coalesce(array_agg(k.key) FILTER (WHERE p_is_dry AND k.room > coalesce(x.taken, 0)), '{}')
  INTO v_full, v_dry
  FROM unnest(p_keys, p_rooms) AS k (key, room)
  LEFT JOIN (
    SELECT q.key, count(*) AS taken FROM unnest(p_places) AS p (place) JOIN zeke_jobs.queue AS q ON q.ctid = p.place GROUP BY q.key
  ) AS x ON x.key = k.key;
  WITH seen AS (
    UPDATE zeke_jobs.queue AS q
    SET key_seen = true
    WHERE q.ctid = ANY (ARRAY(
      SELECT o.ctid FROM unnest(p_unseen) AS u (place) JOIN zeke_jobs.queue AS o ON o.ctid = u.place
      -- In strict order, the other jobs of a dry key wait for its first job. Without strict order, another claim has the jobs of a dry key
      -- locked just now.
      WHERE u.place NOT IN (SELECT p.place FROM unnest(p_places) AS p (place))
        AND o.key IN (SELECT f.key FROM unnest(v_full || CASE WHEN v_strict THEN v_dry END) AS f (key))
        AND o.state = 'queued' AND NOT o.key_seen
      FOR UPDATE OF o SKIP LOCKED))
    RETURNING q.key
  )
  SELECT array_agg(DISTINCT s.key) INTO v_wait FROM seen AS s;
  v_wait := ARRAY(
    SELECT k.key FROM unnest(v_full || v_dry) AS k (key)
    WHERE k.key IN (SELECT w.key FROM unnest(v_wait || p_waiting) AS w (key)));
  IF cardinality(v_wait) = 0 THEN
    RETURN;
  END IF;
  WITH wait AS MATERIALIZED (
    SELECT k.key, CASE
      WHEN k.key IN (SELECT d.key FROM unnest(v_dry) AS d (key)) THEN p_now + interval '1 second'
      ELSE coalesce((
        -- The time at which enough of its starts no longer count. A start that no worker has reported yet counts from its claim.
        SELECT (array_agg(e.ends ORDER BY e.ends))[count(*) - v_rate + 1]
        FROM (
          SELECT CASE WHEN NOT u.settled AND u.taken_on + u.lasts > p_now THEN u.taken_on + u.lasts ELSE u.ends_on END AS ends
          FROM zeke_jobs.meter_use AS u
          WHERE u.gate = v_gate AND u.unit = 'jobs' AND u.key = k.key AND u.ends_on > p_now
        ) AS e
        HAVING count(*) >= v_rate), p_now) END AS due_on
    FROM unnest(v_wait) AS k (key)
  ),
  waits AS (
    INSERT INTO zeke_jobs.key_wait AS w (task, priority, key, due_on)
    SELECT p_one.task, p_one.priority, k.key, k.due_on FROM wait AS k
    WHERE EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths < 1 AND q.queue_name = p_queue AND q.task = p_one.task AND q.key = k.key
        AND q.priority = p_one.priority AND q.key_seen AND q.ctid <> ALL (p_places))
    ON CONFLICT ON CONSTRAINT key_wait_key DO UPDATE SET due_on = excluded.due_on
    RETURNING w.key
  )
  DELETE FROM zeke_jobs.key_wait AS w
  WHERE w.task = p_one.task AND w.priority = p_one.priority AND w.key = ANY (v_wait) AND w.key NOT IN (SELECT s.key FROM waits AS s);
END
$$;

CREATE FUNCTION zeke_jobs.note_sent(p_action text, p_task text, p_by text, p_reason text, p_jobs uuid[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  IF p_action NOT IN ('run', 'backfill') THEN
    RAISE EXCEPTION 'expected run or backfill, got %', p_action USING ERRCODE = 'invalid_parameter_value';
  END IF;
  PERFORM zeke_jobs.note(p_action, 'schedule/' || p_task, p_by, p_reason, p_jobs);
END
$$;

CREATE FUNCTION zeke_jobs.oldest_due(p_queue text, p_task text) RETURNS timestamp with time zone
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    AS $$
  WITH RECURSIVE level (priority) AS (
    SELECT (
      SELECT q.priority FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = p_task
      ORDER BY q.priority DESC LIMIT 1)
    UNION ALL
    SELECT (
      SELECT q.priority FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = p_task AND q.priority < l.priority
      ORDER BY q.priority DESC LIMIT 1)
    FROM level AS l
    WHERE l.priority IS NOT NULL
  )
  SELECT least(
    (SELECT min((
       SELECT q.run_at FROM zeke_jobs.queue AS q
       WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = p_task
         AND q.priority = l.priority AND q.run_at <= zeke_jobs.now()
       ORDER BY q.run_at, q.seq LIMIT 1))
     FROM level AS l
     WHERE l.priority IS NOT NULL),
    (SELECT min(q.run_at) FROM zeke_jobs.queue AS q
     WHERE q.state = 'queued' AND q.deaths > 0 AND q.queue_name = p_queue AND q.run_at <= zeke_jobs.now() AND q.task = p_task))
$$;

CREATE FUNCTION zeke_jobs.open_batch(id text, then_task text DEFAULT NULL::text, then_payload jsonb DEFAULT '{}'::jsonb, after_failure text DEFAULT 'send'::text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  IF NOT zeke_jobs.try_open_batch(open_batch.id, then_task, then_payload, open_batch.after_failure) THEN
    RAISE EXCEPTION 'expected a batch that is new or open, got %, which was closed', quote_literal(open_batch.id)
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
END
$$;

CREATE FUNCTION zeke_jobs.opens_on(p_tasks text[], p_full text[], p_now timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE plpgsql
    AS $$
BEGIN
  RETURN (
    SELECT nullif(min(o.opens), 'infinity')
    FROM (
      SELECT max(CASE WHEN 'keys of ' || g.name = ANY (p_full) THEN p_now ELSE zeke_jobs.gate_opens(g, p_now) END) AS opens
      FROM zeke_jobs.task AS t JOIN zeke_jobs.gate AS g ON g.name = ANY (t.gates) AND g.name = ANY (p_full)
      WHERE t.id = ANY (p_tasks)
      GROUP BY t.id
    ) AS o
  );
END
$$;

CREATE FUNCTION zeke_jobs.output_of(p_id uuid) RETURNS SETOF jsonb
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT q.result FROM zeke_jobs.queue AS q WHERE q.message_id = p_id AND q.state = 'done'
$$;

CREATE FUNCTION zeke_jobs.overdue() RETURNS TABLE(task text, status zeke_jobs.job_status, before timestamp with time zone)
    LANGUAGE sql STABLE
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    AS $$
  WITH RECURSIVE present (task) AS (
    SELECT zeke_jobs.ended_task_after('')
    UNION ALL
    SELECT zeke_jobs.ended_task_after(p.task) FROM present AS p WHERE p.task IS NOT NULL
  )
  SELECT p.task, s.status, b.before
  FROM present AS p
  CROSS JOIN unnest('{completed,failed,cancelled}'::zeke_jobs.job_status[]) AS s (status)
  LEFT JOIN zeke_jobs.task AS t ON t.id = p.task
  CROSS JOIN LATERAL (
    SELECT zeke_jobs.now() - greatest(
      coalesce((t.definition #>> ARRAY['keep', s.status::text])::interval, '30 days'), t.unique_period) AS before
  ) AS b
  WHERE p.task IS NOT NULL AND CASE s.status
    WHEN 'completed' THEN EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q
      WHERE q.state = 'done' AND q.task = p.task AND q.completed_on < b.before AND q.keep IS NULL)
    WHEN 'failed' THEN EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q
      WHERE q.state = 'rejected' AND q.cancelled_on IS NULL AND q.task = p.task AND q.completed_on < b.before AND q.keep IS NULL)
    ELSE EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q
      WHERE q.state = 'rejected' AND q.cancelled_on IS NOT NULL AND q.task = p.task AND q.completed_on < b.before
        AND q.keep IS NULL) END
  UNION ALL
  SELECT NULL, NULL, zeke_jobs.now() WHERE EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.purge_on < zeke_jobs.now())
$$;

CREATE FUNCTION zeke_jobs.overrides_over() RETURNS SETOF jsonb
    LANGUAGE sql STABLE
    AS $$
  SELECT o.value -> 'path' AS path
  FROM (SELECT r.overrides FROM zeke_jobs.revision AS r ORDER BY r.number DESC LIMIT 1) AS latest
  CROSS JOIN jsonb_array_elements(latest.overrides) AS o (value)
  CROSS JOIN LATERAL (
    SELECT (o.value #>> '{path,1}') || coalesce(
      (SELECT t.aliases FROM zeke_jobs.task AS t WHERE t.id = o.value #>> '{path,1}'), '{}') AS names) AS d
  WHERE (o.value ->> 'until')::timestamptz <= zeke_jobs.now()
    OR o.value ->> 'drains' IS NOT NULL
    AND NOT EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.task = ANY (d.names))
    AND NOT EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = o.value ->> 'drains' AND q.task = ANY (d.names))
    AND NOT EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths > 0 AND q.queue_name = o.value ->> 'drains' AND q.task = ANY (d.names))
$$;

CREATE FUNCTION zeke_jobs.pace(p_task text, p_sample integer, OUT done_per_minute double precision, OUT failed_per_minute double precision, OUT mean double precision, OUT p50 double precision, OUT p95 double precision, OUT sample bigint) RETURNS record
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    AS $$
  WITH done AS (
    SELECT q.completed_on, extract(epoch FROM q.completed_on - q.started_on)::double precision AS took
    FROM zeke_jobs.queue AS q
    WHERE q.state = 'done' AND q.task = p_task AND q.completed_on > zeke_jobs.now() - interval '1 hour'
    ORDER BY q.completed_on DESC LIMIT p_sample
  ),
  failed AS (
    SELECT q.completed_on FROM zeke_jobs.queue AS q
    WHERE q.state = 'rejected' AND q.cancelled_on IS NULL AND q.task = p_task
      AND q.completed_on > zeke_jobs.now() - interval '1 minute'
    ORDER BY q.completed_on DESC LIMIT p_sample
  )
  SELECT
    d.recent * 60 / CASE WHEN d.recent < p_sample THEN 60 ELSE greatest(0.001, d.span) END,
    f.recent * 60 / CASE WHEN f.recent < p_sample THEN 60 ELSE greatest(0.001, f.span) END,
    d.mean, d.p50, d.p95, d.sample
  FROM (
    SELECT
      count(*) FILTER (WHERE completed_on > zeke_jobs.now() - interval '1 minute') AS recent,
      extract(epoch FROM zeke_jobs.now() - min(completed_on))::double precision AS span,
      avg(took) AS mean,
      percentile_cont(0.5) WITHIN GROUP (ORDER BY took) AS p50,
      percentile_cont(0.95) WITHIN GROUP (ORDER BY took) AS p95,
      count(*) AS sample
    FROM done
  ) AS d
  CROSS JOIN (
    SELECT count(*) AS recent, extract(epoch FROM zeke_jobs.now() - min(completed_on))::double precision AS span FROM failed
  ) AS f
$$;

CREATE FUNCTION zeke_jobs.pause(p_target text, p_by text, p_reason text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  INSERT INTO zeke_jobs.pause (target, paused_by, reason) VALUES (p_target, p_by, p_reason) ON CONFLICT (target) DO NOTHING;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM zeke_jobs.ring_for_target(p_target); -- its jobs no longer hold back jobs that need fewer units
  PERFORM zeke_jobs.note('pause', p_target, p_by, p_reason);
  RETURN true;
END
$$;

CREATE FUNCTION zeke_jobs.pauses_follow() RETURNS void
    LANGUAGE sql
    AS $$
  WITH former AS (
    DELETE FROM zeke_jobs.pause AS p
    USING zeke_jobs.task AS t, unnest(t.aliases) AS a (name)
    WHERE p.target IN ('task/' || a.name, 'schedule/' || a.name)
    RETURNING split_part(p.target, '/', 1) || '/' || t.id AS target, p.paused_on, p.paused_by, p.reason
  ),
  merged AS (
    SELECT DISTINCT ON (f.target) f.target, f.paused_on, f.paused_by, f.reason
    FROM former AS f
    ORDER BY f.target, f.paused_on
  )
  INSERT INTO zeke_jobs.pause AS p (target, paused_on, paused_by, reason)
  SELECT m.target, m.paused_on, m.paused_by, m.reason FROM merged AS m
  ON CONFLICT (target) DO UPDATE
  SET paused_on = excluded.paused_on, paused_by = excluded.paused_by, reason = excluded.reason
  WHERE excluded.paused_on < p.paused_on
$$;

CREATE FUNCTION zeke_jobs.payload_fault(p_payload jsonb, p_schema jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
DECLARE
  v_shape jsonb := zeke_jobs.shape(p_schema, p_schema);
  v_fields text[];
  v_wrong text;
BEGIN
  IF p_schema IS NULL THEN
    RETURN NULL;
  END IF;
  v_wrong := (SELECT r.name FROM jsonb_array_elements_text(coalesce(p_schema -> 'required', '[]')) AS r (name)
              WHERE NOT p_payload ? r.name LIMIT 1);
  IF v_wrong IS NOT NULL THEN
    RETURN format('expected field %s, got none', v_wrong);
  END IF;
  IF coalesce(v_shape -> 'additionalProperties', 'false') = 'false' THEN
    v_fields := ARRAY(SELECT jsonb_object_keys(coalesce(v_shape -> 'properties', '{}')));
    v_wrong := (SELECT k.name FROM jsonb_object_keys(p_payload) AS k (name) WHERE k.name <> ALL (v_fields) LIMIT 1);
    IF v_wrong IS NOT NULL THEN
      RETURN format('expected fields of the task (%s), got %s', array_to_string(v_fields, ', '), v_wrong);
    END IF;
  END IF;
  RETURN NULL;
END
$$;

CREATE FUNCTION zeke_jobs.pg_boss_cancel(p_schema text, p_jobs uuid[]) RETURNS void
    LANGUAGE plpgsql
    AS $_$
BEGIN
  EXECUTE format($query$
    UPDATE %I.job AS j
    SET state = 'cancelled', completed_on = now(), output = '{"moved": "zeke_jobs"}'
    WHERE j.id = ANY ($1) AND j.state::text IN ('created', 'retry')
      AND EXISTS (SELECT 1 FROM zeke_jobs.imported AS i WHERE i.source = $2 AND i.source_id = j.id AND i.name = j.name)
  $query$, p_schema) USING p_jobs, 'pg-boss/' || p_schema;
END
$_$;

CREATE FUNCTION zeke_jobs.pg_boss_counts(p_schema text, p_since timestamp with time zone) RETURNS TABLE(name text, state text, jobs bigint, later bigint)
    LANGUAGE plpgsql STABLE
    AS $_$
BEGIN
  RETURN QUERY EXECUTE format($query$
    SELECT j.name, j.state::text, count(*), count(*) FILTER (WHERE j.state::text IN ('created', 'retry') AND j.start_after > now())
    FROM %I.job AS j
    WHERE j.name NOT LIKE '\_\_pgboss\_\_%%'
      AND (j.state::text IN ('created', 'retry', 'active') OR j.state::text IN ('completed', 'failed') AND j.completed_on >= $1)
      AND NOT EXISTS (SELECT 1 FROM zeke_jobs.imported AS i WHERE i.source = $2 AND i.source_id = j.id AND i.name = j.name)
    GROUP BY j.name, j.state
    ORDER BY j.name, j.state
  $query$, p_schema) USING p_since, 'pg-boss/' || p_schema;
END
$_$;

CREATE FUNCTION zeke_jobs.pg_boss_jobs(p_schema text, p_names text[], p_states text[], p_since timestamp with time zone, p_after_time timestamp with time zone, p_after uuid, p_most integer, p_lock boolean) RETURNS SETOF jsonb
    LANGUAGE plpgsql
    AS $_$
BEGIN
  RETURN QUERY EXECUTE format($query$
    SELECT to_jsonb(j)
    FROM %I.job AS j
    WHERE j.name = ANY ($1) AND j.state::text = ANY ($2) AND (j.completed_on IS NULL OR j.completed_on >= $3)
      AND ($4 IS NULL OR (j.created_on, j.id) > ($4, $5))
      AND NOT EXISTS (SELECT 1 FROM zeke_jobs.imported AS i WHERE i.source = $7 AND i.source_id = j.id AND i.name = j.name)
    ORDER BY j.created_on, j.id
    LIMIT $6
    %s
  $query$, p_schema, CASE WHEN p_lock THEN 'FOR UPDATE OF j SKIP LOCKED' ELSE '' END)
  USING p_names, p_states, p_since, p_after_time, p_after, p_most, 'pg-boss/' || p_schema;
END
$_$;

CREATE FUNCTION zeke_jobs.pg_boss_schedules(p_schema text) RETURNS SETOF jsonb
    LANGUAGE plpgsql STABLE
    AS $$
BEGIN
  RETURN QUERY EXECUTE format('SELECT to_jsonb(s) FROM %I.schedule AS s ORDER BY to_jsonb(s) ->> ''name'', to_jsonb(s) ->> ''key''', p_schema);
END
$$;

CREATE FUNCTION zeke_jobs.pg_boss_unschedule(p_schema text, p_name text, p_key text) RETURNS void
    LANGUAGE plpgsql
    AS $_$
BEGIN
  EXECUTE format('DELETE FROM %I.schedule AS s WHERE s.name = $1 AND coalesce(to_jsonb(s) ->> ''key'', '''') = $2', p_schema)
  USING p_name, p_key;
END
$_$;

CREATE FUNCTION zeke_jobs.pg_boss_version(p_schema text) RETURNS integer
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
  v_version integer;
BEGIN
  IF (SELECT count(*) FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE n.nspname = p_schema AND c.relname = 'job' AND c.relkind IN ('r', 'p') AND NOT a.attisdropped AND a.attname IN (
        'id', 'name', 'priority', 'data', 'state', 'retry_count', 'start_after', 'started_on', 'created_on', 'completed_on',
        'singleton_key', 'output')) < 12
  THEN
    RETURN NULL;
  END IF;
  EXECUTE format('SELECT max(version) FROM %I.version', p_schema) INTO v_version;
  RETURN v_version;
END
$$;

CREATE FUNCTION zeke_jobs.pick(p_queue text, p_due zeke_jobs.candidate[], p_chosen integer[], p_quotas integer[], p_now timestamp with time zone, OUT places tid[], OUT blocked text[]) RETURNS record
    LANGUAGE plpgsql
    AS $$
DECLARE
  v_one zeke_jobs.candidate;
  v_found tid[];
  v_by_rate boolean;
  v_looked record;
  v_fit record;
BEGIN
  blocked := '{}';
  places := ARRAY(
    SELECT r.place
    FROM unnest(p_chosen, p_quotas) AS x (i, quota)
    CROSS JOIN LATERAL (
      SELECT q.ctid AS place FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = p_due[x.i].task
        AND q.priority = p_due[x.i].priority AND q.run_at <= p_now
        AND (q.run_at, q.seq) > (p_due[x.i].after_run_at, p_due[x.i].after_seq)
        AND (q.expires_on IS NULL OR q.expires_on > p_now OR q.attempt > 0)
      ORDER BY q.run_at, q.seq LIMIT x.quota
      FOR UPDATE SKIP LOCKED
    ) AS r
    WHERE p_due[x.i].per_key IS NULL AND NOT p_due[x.i].metered);
  FOR v_turn IN 1 .. cardinality(p_chosen) LOOP
    v_one := p_due[p_chosen[v_turn]];
    CONTINUE WHEN v_one.per_key IS NULL AND NOT v_one.metered;
    v_by_rate := v_one.per_key IS NOT NULL AND EXISTS (
      SELECT 1 FROM zeke_jobs.meter AS m WHERE m.gate = 'task/' || v_one.task AND m.per_key);
    IF v_one.per_key IS NULL THEN
      v_found := ARRAY(
        SELECT q.ctid FROM zeke_jobs.queue AS q
        WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = v_one.task AND q.priority = v_one.priority
          AND q.run_at <= p_now AND (q.run_at, q.seq) > (v_one.after_run_at, v_one.after_seq)
          AND (q.expires_on IS NULL OR q.expires_on > p_now OR q.attempt > 0)
        ORDER BY q.run_at, q.seq LIMIT p_quotas[v_turn]
        FOR UPDATE SKIP LOCKED);
    ELSIF v_by_rate THEN
      v_looked := zeke_jobs.pick_by_rate(p_queue, v_one, p_quotas[v_turn], p_now);
      v_found := v_looked.places;
      IF cardinality(v_found) < p_quotas[v_turn] THEN
        blocked := blocked || ('task/' || v_one.task) || CASE WHEN NOT v_looked.is_last THEN ARRAY['keys of task/' || v_one.task] END;
      END IF;
    ELSE
      v_found := zeke_jobs.pick_by_key(
        p_queue, v_one.task, v_one.priority, v_one.after_run_at, v_one.after_seq, p_quotas[v_turn], v_one.per_key, p_now);
    END IF;
    IF v_one.metered THEN
      v_fit := zeke_jobs.take(v_one, v_found);
      IF v_by_rate THEN
        PERFORM zeke_jobs.note_keys(
          p_queue, v_one, v_looked.keys, v_looked.rooms, v_looked.waiting, v_looked.unseen, v_fit.places,
          cardinality(v_found) < p_quotas[v_turn] AND cardinality(v_fit.places) = cardinality(v_found), p_now);
      END IF;
      v_found := v_fit.places;
      blocked := blocked || v_fit.blocked;
    END IF;
    places := places || v_found;
  END LOOP;
END
$$;

CREATE FUNCTION zeke_jobs.pick_by_key(p_queue text, p_task text, p_priority integer, p_after_run_at timestamp with time zone, p_after_seq bigint, p_quota integer, p_per_key integer, p_now timestamp with time zone) RETURNS tid[]
    LANGUAGE plpgsql
    AS $$
DECLARE
  -- The most keys that a claim probes. A blocked key costs some 20 microseconds, and the next claim starts at another key.
  c_probes CONSTANT integer := 500;
  c_oldest CONSTANT integer := 200;
  v_picked tid[] := '{}';
  v_found tid[];
  v_oldest text[] := ARRAY(
    SELECT q.key FROM zeke_jobs.queue AS q
    WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = p_task AND q.priority = p_priority
      AND q.run_at <= p_now AND (q.run_at, q.seq) > (p_after_run_at, p_after_seq)
      AND (q.expires_on IS NULL OR q.expires_on > p_now OR q.attempt > 0)
    ORDER BY q.run_at, q.seq LIMIT c_oldest);
  -- If few jobs have this priority, only their keys are probed, however many keys the jobs of other priorities have.
  v_listed boolean := cardinality(v_oldest) < c_oldest;
  v_keys text[] := ARRAY(
    SELECT k.key FROM (SELECT DISTINCT o.key FROM unnest(v_oldest) AS o (key) WHERE o.key IS NOT NULL) AS k ORDER BY random());
  v_start text;
  v_key text;
  v_served text[] := '{}';
  v_wrapped boolean := false;
  v_room integer;
  v_names text[];
  v_strict boolean;
  v_first tid;
BEGIN
  SELECT t.id || t.aliases, t.order_hold IS NOT NULL INTO v_names, v_strict FROM zeke_jobs.task AS t WHERE t.id = p_task;
  IF NOT v_listed THEN
    -- Begin at the next real key after the last claim's. A random point would not do: keys with a common prefix (a host, an id) would all lie on
    -- one side of it.
    SELECT q.key INTO v_start
    FROM zeke_jobs.queue AS q
    WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = p_task AND q.key > (
      SELECT g.key_cursor FROM zeke_jobs.key_cursor AS g WHERE g.task = p_task)
    ORDER BY q.key LIMIT 1;
    v_start := coalesce(v_start, '');
  END IF;
  LOOP
    v_key := CASE WHEN v_listed THEN v_keys[1] ELSE v_start END;
    FOR v_probe IN 1 .. c_probes LOOP
      EXIT WHEN cardinality(v_picked) >= p_quota OR v_key IS NULL;
      v_room := p_per_key - (
        SELECT sum((SELECT count(*) FROM zeke_jobs.queue AS a WHERE a.state = 'consumed' AND a.task = n.name AND a.key = v_key))
        FROM unnest(v_names) AS n (name));
      IF v_room > 0 AND v_strict THEN
        v_first := zeke_jobs.first_in_line(p_task, v_key);
        v_found := ARRAY(
          SELECT q.ctid FROM zeke_jobs.queue AS q
          WHERE q.ctid = v_first AND q.state = 'queued' AND q.deaths < 1 AND q.queue_name = p_queue AND q.task = p_task AND q.key = v_key
            AND q.priority = p_priority AND q.run_at <= p_now AND (q.expires_on IS NULL OR q.expires_on > p_now OR q.attempt > 0)
          FOR UPDATE SKIP LOCKED);
      ELSIF v_room > 0 THEN
        v_found := ARRAY(
          SELECT q.ctid FROM zeke_jobs.queue AS q
          WHERE q.state = 'queued' AND q.deaths < 1 AND q.queue_name = p_queue AND q.task = p_task AND q.key = v_key
            AND q.priority = p_priority AND q.run_at <= p_now AND (q.expires_on IS NULL OR q.expires_on > p_now OR q.attempt > 0)
          ORDER BY q.run_at, q.seq
          LIMIT least(v_room, p_quota - cardinality(v_picked))
          FOR UPDATE SKIP LOCKED);
      END IF;
      IF v_room > 0 THEN
        v_picked := v_picked || v_found;
        IF cardinality(v_found) > 0 THEN
          v_served := v_served || v_key;
        END IF;
      END IF;
      IF v_listed THEN
        v_key := v_keys[v_probe + 1];
        CONTINUE;
      END IF;
      SELECT q.key INTO v_key
      FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = p_task AND q.key > v_key
      ORDER BY q.key LIMIT 1;
      IF v_key IS NULL AND NOT v_wrapped THEN
        v_wrapped := true;
        SELECT q.key INTO v_key
        FROM zeke_jobs.queue AS q
        WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = p_task AND q.key IS NOT NULL
        ORDER BY q.key LIMIT 1;
      END IF;
      IF v_wrapped AND (v_key IS NULL OR v_key >= v_start) THEN
        v_keys := '{}'; -- all keys were probed
        EXIT;
      END IF;
    END LOOP;
    EXIT WHEN v_listed;
    INSERT INTO zeke_jobs.key_cursor AS g (task, key_cursor) VALUES (p_task, coalesce(v_key, ''))
    ON CONFLICT (task) DO UPDATE SET key_cursor = excluded.key_cursor;
    EXIT WHEN cardinality(v_picked) >= p_quota;
    -- Too few jobs were found, because many keys have none of this priority. The keys of the oldest jobs have some: probe those.
    v_listed := true;
    v_keys := ARRAY(SELECT k.key FROM unnest(v_keys) AS k (key) WHERE k.key <> ALL (v_served));
  END LOOP;
  RETURN v_picked;
END
$$;

CREATE FUNCTION zeke_jobs.pick_by_rate(p_queue text, p_one zeke_jobs.candidate, p_quota integer, p_now timestamp with time zone, OUT places tid[], OUT keys text[], OUT rooms integer[], OUT waiting text[], OUT unseen tid[], OUT is_last boolean) RETURNS record
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
DECLARE
  c_most CONSTANT integer := 500;
  c_any CONSTANT integer := 1000000; -- the number of jobs of a key is not limited (zeke_jobs/revisions/rows.py)
  v_task text := p_one.task;
  v_names text[];
  v_strict boolean;
  v_gate text := 'task/' || p_one.task;
  v_rate integer := (SELECT m.amount FROM zeke_jobs.meter AS m WHERE m.gate = v_gate AND m.unit = 'jobs' AND m.per_key);
  v_freed text[];
  v_busy text[] := '{}';
  v_size integer := least(c_most, p_quota);
  v_due_on timestamptz := '-infinity';
  v_due_key text := '';
  v_run_at timestamptz := '-infinity';
  v_seq bigint := 0;
  v_left integer;
  v_batch record;
BEGIN
  places := '{}';
  keys := '{}';
  rooms := '{}';
  waiting := '{}';
  unseen := '{}';
  SELECT t.id || t.aliases, t.order_hold IS NOT NULL INTO v_names, v_strict FROM zeke_jobs.task AS t WHERE t.id = v_task;
  WITH freed AS (
    DELETE FROM zeke_jobs.key_wait AS w WHERE w.task = v_task AND w.priority IS NULL RETURNING w.key
  )
  SELECT array_agg(f.key) INTO v_freed FROM freed AS f;
  IF v_freed IS NOT NULL THEN
    UPDATE zeke_jobs.key_wait AS w SET due_on = p_now WHERE w.task = v_task AND w.key = ANY (v_freed) AND w.due_on > p_now;
  END IF;
  IF p_one.per_key < c_any THEN
    -- At most one key for each running job.
    v_busy := ARRAY(
      SELECT a.key FROM unnest(v_names) AS n (name) JOIN zeke_jobs.queue AS a ON a.state = 'consumed' AND a.task = n.name
      GROUP BY a.key HAVING count(*) >= p_one.per_key);
  END IF;
  LOOP
    WITH due AS MATERIALIZED (
      SELECT w.key, w.due_on FROM zeke_jobs.key_wait AS w
      WHERE w.task = v_task AND w.priority = p_one.priority AND w.due_on <= p_now AND (w.due_on, w.key) > (v_due_on, v_due_key)
        AND w.key NOT IN (SELECT b.key FROM unnest(v_busy) AS b (key) WHERE b.key IS NOT NULL)
      ORDER BY w.due_on, w.key LIMIT v_size
    ),
    new AS MATERIALIZED (
      SELECT q.ctid AS place, q.key, q.run_at, q.seq FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths < 1 AND q.key IS NOT NULL AND NOT q.key_seen AND q.queue_name = p_queue AND q.task = v_task
        AND q.priority = p_one.priority AND q.run_at <= p_now AND (q.run_at, q.seq) > (v_run_at, v_seq)
        AND (q.expires_on IS NULL OR q.expires_on > p_now OR q.attempt > 0)
      ORDER BY q.run_at, q.seq LIMIT v_size
    ),
    turn AS MATERIALIZED (
      SELECT t.key, least(
        v_rate - (SELECT coalesce(sum(u.amount), 0) FROM zeke_jobs.meter_use AS u
          WHERE u.gate = v_gate AND u.unit = 'jobs' AND u.key = t.key AND u.ends_on > p_now),
        CASE WHEN p_one.per_key < c_any THEN p_one.per_key - (
          SELECT sum((SELECT count(*) FROM zeke_jobs.queue AS a WHERE a.state = 'consumed' AND a.task = n.name AND a.key = t.key))
          FROM unnest(v_names) AS n (name)) END)::integer AS room,
        row_number() OVER (ORDER BY t.since, random()) AS n
      FROM (
        SELECT x.key, min(x.since) AS since
        FROM (SELECT d.key, d.due_on AS since FROM due AS d UNION ALL SELECT o.key, o.run_at FROM new AS o) AS x
        WHERE x.key NOT IN (SELECT k.key FROM unnest(pick_by_rate.keys) AS k (key))
        GROUP BY x.key
      ) AS t
    )
    SELECT (SELECT array_agg(t.key ORDER BY t.n) FROM turn AS t) AS keys, (SELECT array_agg(t.room ORDER BY t.n) FROM turn AS t) AS rooms,
      ARRAY(SELECT d.key FROM due AS d ORDER BY d.due_on, d.key) AS waiting, (SELECT max(d.due_on) FROM due AS d) AS due_on,
      ARRAY(SELECT o.place FROM new AS o) AS unseen, l.run_at, l.seq
    INTO v_batch
    FROM (SELECT) AS one LEFT JOIN (SELECT o.run_at, o.seq FROM new AS o ORDER BY o.run_at DESC, o.seq DESC LIMIT 1) AS l ON true;
    v_left := p_quota - cardinality(places);
    IF v_strict THEN
      places := places || ARRAY(
        SELECT r.place
        FROM unnest(v_batch.keys, v_batch.rooms) AS k (key, room)
        CROSS JOIN LATERAL (SELECT zeke_jobs.first_in_line(v_task, k.key) AS place OFFSET 0) AS f
        CROSS JOIN LATERAL (
          SELECT q.ctid AS place FROM zeke_jobs.queue AS q
          WHERE q.ctid = f.place AND q.state = 'queued' AND q.deaths < 1 AND q.queue_name = p_queue AND q.priority = p_one.priority
            AND q.run_at <= p_now AND (q.expires_on IS NULL OR q.expires_on > p_now OR q.attempt > 0)
          LIMIT 1
          FOR UPDATE SKIP LOCKED
        ) AS r
        WHERE k.room > 0
        LIMIT v_left);
    ELSE
      places := places || ARRAY(
        SELECT r.place
        FROM unnest(v_batch.keys, v_batch.rooms) AS k (key, room)
        CROSS JOIN LATERAL (
          SELECT q.ctid AS place FROM zeke_jobs.queue AS q
          WHERE q.state = 'queued' AND q.deaths < 1 AND q.queue_name = p_queue AND q.task = v_task AND q.key = k.key
            AND q.priority = p_one.priority AND q.run_at <= p_now AND (q.expires_on IS NULL OR q.expires_on > p_now OR q.attempt > 0)
          ORDER BY q.run_at, q.seq
          LIMIT greatest(0, k.room)
          FOR UPDATE SKIP LOCKED
        ) AS r
        WHERE k.room > 0
        LIMIT v_left);
    END IF;
    keys := keys || v_batch.keys;
    rooms := rooms || v_batch.rooms;
    waiting := waiting || v_batch.waiting;
    unseen := unseen || v_batch.unseen;
    is_last := cardinality(v_batch.waiting) < v_size AND cardinality(v_batch.unseen) < v_size;
    EXIT WHEN is_last OR cardinality(places) >= p_quota OR cardinality(waiting) + cardinality(unseen) >= c_most;
    v_due_on := coalesce(v_batch.due_on, v_due_on);
    v_due_key := coalesce(v_batch.waiting[cardinality(v_batch.waiting)], v_due_key);
    v_run_at := coalesce(v_batch.run_at, v_run_at);
    v_seq := coalesce(v_batch.seq, v_seq);
    v_size := c_most / 2;
  END LOOP;
END
$$;

CREATE FUNCTION zeke_jobs.probes(p_gate zeke_jobs.gate) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$ SELECT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = (p_gate).probe AND q.state = 'consumed') $$;

CREATE FUNCTION zeke_jobs.purge(p_task text, p_status zeke_jobs.job_status, p_after timestamp with time zone, p_before timestamp with time zone, p_limit integer, OUT purged integer, OUT reached timestamp with time zone) RETURNS record
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET plan_cache_mode TO 'force_custom_plan'
    AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_places tid[];
  v_sensitive text[] := (SELECT t.sensitive FROM zeke_jobs.find_task(p_task) AS t);
BEGIN
  -- If a crash of the server undoes a purge, it is simply repeated.
  PERFORM set_config('synchronous_commit', 'off', true);
  IF p_task IS NULL THEN
    v_places := ARRAY(
      SELECT q.ctid FROM zeke_jobs.queue AS q
      WHERE q.purge_on >= p_after AND q.purge_on < p_before AND q.state IN ('done', 'rejected')
        AND (q.state = 'done' OR q.cancelled_on IS NOT NULL OR q.order_hold IS NOT TRUE AND q.batch IS NULL
          OR NOT zeke_jobs.holds_up(q.message_id, q.task, q.key, q.order_hold, q.batch))
      ORDER BY q.purge_on LIMIT p_limit
      FOR UPDATE SKIP LOCKED);
  ELSIF p_status = 'completed' THEN
    v_places := ARRAY(
      SELECT q.ctid FROM zeke_jobs.queue AS q
      WHERE q.state = 'done' AND q.task = p_task
        AND q.completed_on >= p_after AND q.completed_on < p_before AND q.keep IS NULL
      ORDER BY q.completed_on LIMIT p_limit
      FOR UPDATE SKIP LOCKED);
  ELSIF p_status = 'failed' THEN
    v_places := ARRAY(
      SELECT q.ctid FROM zeke_jobs.queue AS q
      WHERE q.state = 'rejected' AND q.cancelled_on IS NULL AND q.task = p_task
        AND q.completed_on >= p_after AND q.completed_on < p_before AND q.keep IS NULL
        AND (q.order_hold IS NOT TRUE AND q.batch IS NULL
          OR NOT zeke_jobs.holds_up(q.message_id, q.task, q.key, q.order_hold, q.batch))
      ORDER BY q.completed_on LIMIT p_limit
      FOR UPDATE SKIP LOCKED);
  ELSE
    v_places := ARRAY(
      SELECT q.ctid FROM zeke_jobs.queue AS q
      WHERE q.state = 'rejected' AND q.cancelled_on IS NOT NULL AND q.task = p_task
        AND q.completed_on >= p_after AND q.completed_on < p_before AND q.keep IS NULL
      ORDER BY q.completed_on LIMIT p_limit
      FOR UPDATE SKIP LOCKED);
  END IF;
  WITH gone AS (
    DELETE FROM zeke_jobs.queue AS q
    WHERE q.ctid = ANY (v_places)
    RETURNING q.message_id, q.task, q.queue_name, q.priority, q.key, q.attempt, q.deaths, q.parent, q.scheduled_for, q.revision,
      q.run_at, q.created_on, q.started_on, q.completed_on, q.cost, q.currency, q.seq, q.claimed_on, q.expires_on, q.attempts,
      q.unique_key, q.batch, zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on) AS status, coalesce(q.purge_on, q.completed_on) AS place,
      zeke_jobs.mask_text(q.key, q.message -> 'kwargs', q.sensitive || coalesce(
        v_sensitive, (SELECT t.sensitive FROM zeke_jobs.find_task(q.task) AS t))) <> q.key AS is_sensitive
  ),
  kept AS (
    INSERT INTO zeke_jobs.history AS h (
      id, name, state, queue, priority, key, attempt, deaths, parent, scheduled_for, revision, run_at, created_on, started_on,
      completed_on, purged_on, cost, currency, seq, claimed_on, expires_on, attempts, is_sensitive, batch)
    SELECT
      g.message_id, g.task, g.status, g.queue_name, g.priority, g.key, g.attempt, g.deaths, g.parent, g.scheduled_for, g.revision,
      g.run_at, g.created_on, g.started_on, g.completed_on, v_now, g.cost, g.currency, g.seq, g.claimed_on, g.expires_on,
      zeke_jobs.brief_attempts(g.attempts), coalesce(g.is_sensitive, false), g.batch
    FROM gone AS g
    -- A caller may use its own id again after the first job with it was purged.
    ON CONFLICT (id) DO UPDATE
    SET name = excluded.name, state = excluded.state, queue = excluded.queue, priority = excluded.priority, key = excluded.key,
      attempt = excluded.attempt, deaths = excluded.deaths, parent = excluded.parent, scheduled_for = excluded.scheduled_for,
      revision = excluded.revision, run_at = excluded.run_at, created_on = excluded.created_on, started_on = excluded.started_on,
      completed_on = excluded.completed_on, purged_on = excluded.purged_on, cost = excluded.cost,
      currency = excluded.currency, seq = excluded.seq, claimed_on = excluded.claimed_on, expires_on = excluded.expires_on,
      attempts = excluded.attempts, is_sensitive = excluded.is_sensitive, batch = excluded.batch
  ),
  left_behind AS (
    SELECT u.unique_key FROM zeke_jobs.unique_holder AS u JOIN gone AS g ON u.unique_key = g.unique_key AND u.job = g.message_id
    -- Skip locked keys: a sender is taking them over.
    FOR UPDATE OF u SKIP LOCKED
  ),
  steps AS (
    DELETE FROM zeke_jobs.step AS s USING gone AS g WHERE s.job = g.message_id
  ),
  waits AS (
    DELETE FROM zeke_jobs.wait AS w USING gone AS g WHERE w.job = g.message_id
  ),
  freed AS (
    DELETE FROM zeke_jobs.unique_holder AS u USING left_behind AS l WHERE u.unique_key = l.unique_key
  )
  SELECT count(*), max(g.place) INTO purged, reached FROM gone AS g;
END
$$;

CREATE FUNCTION zeke_jobs.put_in_force(p_revision jsonb, p_gates jsonb, p_tasks jsonb, p_cancel text[], p_priorities jsonb) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  v_by text := p_revision ->> 'by';
  v_number integer;
  v_one record;
BEGIN
  PERFORM zeke_jobs.take_lock('catalogue');
  -- Cancel before the limits are locked: a worker may hold one of these jobs while it waits for a limit.
  PERFORM zeke_jobs.cancel_all(c.task, 'its task was removed from jobs.yaml', v_by) FROM unnest(p_cancel) AS c (task);
  -- Write the limits before the revision: their lock holds back claims, so the revision's time is later than the last claim before it.
  PERFORM zeke_jobs.write_limits(p_gates);
  INSERT INTO zeke_jobs.revision (number, digest, source, applied_by, message, origin, overrides)
  OVERRIDING SYSTEM VALUE
  VALUES ((SELECT coalesce(max(r.number), 0) + 1 FROM zeke_jobs.revision AS r), p_revision ->> 'digest', p_revision ->> 'source',
    v_by, p_revision ->> 'message', p_revision ->> 'origin', p_revision -> 'overrides')
  RETURNING number INTO v_number;
  PERFORM zeke_jobs.write_tasks(v_number, p_tasks);
  PERFORM zeke_jobs.give_late_keys();
  PERFORM zeke_jobs.gather(10000);
  PERFORM zeke_jobs.pauses_follow();
  FOR v_one IN SELECT w.task, w.priority, w.was FROM jsonb_to_recordset(p_priorities) AS w (task text, priority integer, was integer) LOOP
    UPDATE zeke_jobs.queue AS q SET priority = v_one.priority
    WHERE q.state = 'queued' AND q.task = v_one.task AND q.priority = v_one.was;
  END LOOP;
  PERFORM zeke_jobs.note(p_revision ->> 'origin', 'revision/' || v_number, v_by, p_revision ->> 'message');
  RETURN v_number;
END
$$;

CREATE FUNCTION zeke_jobs.put_schedule(name text, task text, at text, timezone text DEFAULT 'UTC'::text, payload jsonb DEFAULT '{}'::jsonb, key text DEFAULT NULL::text, options jsonb DEFAULT '{}'::jsonb, put_by text DEFAULT NULL::text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
#variable_conflict use_column
DECLARE
  c_options CONSTANT jsonb := '{"missed": "latest", "window": 86400, "overlap": "skip", "jitter": 0, "paused": false}';
  v_task zeke_jobs.task := zeke_jobs.find_task(put_schedule.task);
  v_payload jsonb;
  v_options jsonb := c_options || coalesce(put_schedule.options, '{}');
  v_fault text;
  v_cron jsonb;
BEGIN
  IF v_task.id IS NULL THEN
    RAISE EXCEPTION 'expected the name of a task, got %', coalesce(quote_literal(put_schedule.task), 'NULL') USING ERRCODE = 'undefined_object';
  END IF;
  v_payload := zeke_jobs.rename_keys(put_schedule.payload, v_task.payload_schema, v_task.payload_schema, false);
  v_fault := coalesce(
    CASE WHEN coalesce(put_schedule.name, '') !~ '^[^/]+/.+' OR octet_length(put_schedule.name) > 200
      THEN format('expected a name of two parts, such as digest/team-7, of at most 200 bytes, got %L', put_schedule.name) END,
    CASE WHEN put_schedule.name ~ '[\u0001-\u001f\u007f-\u009f\u2028\u2029]'
      THEN format('expected a name without line ends and control characters, got %L', put_schedule.name) END,
    -- Checks only the form; Python reads the line and shows other faults, as in 99 * * * *.
    CASE WHEN coalesce(put_schedule.at, '') !~*
        '^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|[0-9a-z*,/-]+([ \t]+[0-9a-z*,/-]+){4})$'
      THEN format('expected a cron line of five fields, got %L', put_schedule.at) END,
    CASE WHEN NOT EXISTS (SELECT 1 FROM pg_timezone_names AS z WHERE z.name = put_schedule.timezone AND z.name NOT IN ('localtime', 'posixrules', 'Factory'))
      THEN format('expected the name of a time zone, got %L', put_schedule.timezone) END,
    CASE WHEN jsonb_typeof(put_schedule.options) <> 'object' THEN format('expected options as an object, got %s', put_schedule.options) END,
    (SELECT format('expected options among missed, window, overlap, jitter and paused, got %s', o.name)
     FROM jsonb_object_keys(put_schedule.options) AS o (name) WHERE NOT c_options ? o.name LIMIT 1),
    CASE WHEN coalesce(v_options ->> 'missed', '') NOT IN ('latest', 'skip', 'all')
        OR coalesce(v_options ->> 'overlap', '') NOT IN ('skip', 'allow')
        -- 100 years. No JSON value of another type lies between two numbers.
        OR v_options -> 'window' NOT BETWEEN '0' AND '3155760000' OR v_options -> 'jitter' NOT BETWEEN '0' AND '3155760000'
        OR jsonb_typeof(v_options -> 'paused') <> 'boolean'
      THEN format('expected missed latest, skip or all, overlap skip or allow, window and jitter of 0 seconds to 100 years, got %s', put_schedule.options) END,
    'payload of ' || v_task.id || ': ' || coalesce(zeke_jobs.unfit_payload(v_payload), zeke_jobs.payload_fault(v_payload, v_task.payload_schema)),
    CASE WHEN put_schedule.key = '' THEN 'expected a key, or NULL, got empty text' END,
    zeke_jobs.unfit_options(jsonb_build_object('key', put_schedule.key)));
  IF v_fault IS NOT NULL THEN
    RAISE EXCEPTION '%', v_fault USING ERRCODE = 'invalid_parameter_value';
  END IF;
  v_cron := v_options || jsonb_build_object('at', put_schedule.at, 'timezone', put_schedule.timezone, 'payload', v_payload);
  INSERT INTO zeke_jobs.stored_schedule AS s (name, task, cron, key, put_by)
  VALUES (put_schedule.name, v_task.id, v_cron, put_schedule.key, put_schedule.put_by)
  ON CONFLICT ON CONSTRAINT stored_schedule_pkey DO UPDATE
  SET task = excluded.task, cron = excluded.cron, key = excluded.key, put_by = excluded.put_by, put_on = zeke_jobs.now()
  WHERE (s.task, s.cron, s.key) IS DISTINCT FROM (excluded.task, excluded.cron, excluded.key);
  IF FOUND THEN
    PERFORM zeke_jobs.note('put', 'schedule/' || put_schedule.name, put_schedule.put_by, NULL);
  END IF;
END
$_$;

CREATE FUNCTION zeke_jobs.queued_names() RETURNS TABLE(queue text, task text)
    LANGUAGE plpgsql STABLE
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY WITH RECURSIVE present (queue_name, task) AS (
    (SELECT q.queue_name, q.task FROM zeke_jobs.queue AS q
     WHERE q.state = 'queued' AND q.deaths = 0
     ORDER BY q.queue_name, q.task LIMIT 1)
    UNION ALL
    SELECT n.queue_name, n.task
    FROM present AS p
    CROSS JOIN LATERAL (
      SELECT q.queue_name, q.task FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths = 0 AND (q.queue_name, q.task) > (p.queue_name, p.task)
      ORDER BY q.queue_name, q.task LIMIT 1) AS n
  )
  SELECT p.queue_name, p.task FROM present AS p
  UNION
  SELECT q.queue_name, q.task FROM zeke_jobs.queue AS q WHERE q.state = 'queued' AND q.deaths > 0;
END
$$;

CREATE FUNCTION zeke_jobs.readable(p_moment timestamp with time zone, p_name text, p_given text) RETURNS timestamp with time zone
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
BEGIN
  IF NOT zeke_jobs.is_readable(p_moment) THEN
    RAISE EXCEPTION 'expected % from 1970-01-01 to 9000-01-01, got %', p_name, p_given USING ERRCODE = 'datetime_field_overflow';
  END IF;
  RETURN p_moment;
END
$$;

CREATE FUNCTION zeke_jobs.record_tick(p_task text, p_scheduled_for timestamp with time zone, p_outcome text, p_reason text, p_origin text, p_job uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  IF p_origin <> 'backfill' AND NOT has_table_privilege(session_user, 'zeke_jobs.tick', 'INSERT') THEN
    RAISE EXCEPTION 'expected a tick of a backfill from a login that is no scheduler, got origin %', p_origin
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  INSERT INTO zeke_jobs.tick AS t (task, scheduled_for, outcome, reason, origin, job)
  VALUES (p_task, zeke_jobs.decidable(p_scheduled_for, p_task), p_outcome, p_reason, p_origin, p_job)
  ON CONFLICT (task, scheduled_for) DO UPDATE
  SET outcome = excluded.outcome, reason = excluded.reason, origin = excluded.origin, job = excluded.job,
    decided_on = excluded.decided_on
  WHERE t.outcome = 'skipped' AND excluded.origin = 'backfill';
END
$$;

CREATE FUNCTION zeke_jobs.refuse_telling_batch() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  IF zeke_jobs.mask_text(NEW.batch, NEW.message -> 'kwargs', NEW.sensitive) <> NEW.batch THEN
    RAISE EXCEPTION 'expected the id of a batch without the value of a sensitive field of %, got one with it', NEW.task
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN NEW;
END
$$;

CREATE FUNCTION zeke_jobs.refuse_to_rewrite() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  IF TG_OP = 'DELETE' AND OLD.done_on < zeke_jobs.now() - interval '400 days' THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'expected rows of zeke_jobs.audit to stay as they are for 400 days, got %', TG_OP
    USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE FUNCTION zeke_jobs.remember_places(p_queue text, p_due zeke_jobs.candidate[], p_searched text[], p_now timestamp with time zone, p_took interval, p_cursors jsonb, p_places jsonb, p_until timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
  -- A job may be committed some time after it was sent, so a place is at least 100 ms old.
  PERFORM set_config('zeke_jobs.cursors', (p_cursors || jsonb_build_object(p_queue, jsonb_build_object(
    'until', CASE
      WHEN p_places IS NULL THEN p_now + least(greatest(interval '50 ms', 30 * p_took), interval '10 seconds')
      ELSE p_until END,
    'at', (
      SELECT jsonb_object_agg(t.id, CASE
        WHEN c.after_run_at < p_now - interval '100 ms' THEN jsonb_build_array(c.priority, c.after_run_at, c.after_seq)
        ELSE jsonb_build_array(coalesce(c.priority, t.priority), p_now - interval '100 ms', 0) END ORDER BY c.priority)
      FROM zeke_jobs.task AS t LEFT JOIN unnest(p_due) AS c ON c.task = t.id
      -- A task without due jobs gets a place only if the search was slow even with places: each place costs two more probes.
      WHERE t.id = ANY (p_searched) AND (c.task IS NOT NULL OR p_places IS NOT NULL)))))::text, false);
END
$$;

CREATE FUNCTION zeke_jobs.remove_log() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  DELETE FROM zeke_jobs.job_log AS l USING removed AS r WHERE l.job = r.message_id;
  RETURN NULL;
END
$$;

CREATE FUNCTION zeke_jobs.rename_keys(p_value jsonb, p_schema jsonb, p_root jsonb, p_to_camel boolean) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET jit TO 'off'
    AS $$
DECLARE
  v_shape jsonb;
  v_renamed jsonb;
  v_given bigint;
BEGIN
  IF jsonb_typeof(p_value) NOT IN ('object', 'array') OR p_schema IS NULL THEN
    RETURN p_value;
  END IF;
  v_shape := zeke_jobs.shape(p_schema, p_root);
  IF jsonb_typeof(p_value) = 'array' THEN
    IF NOT v_shape ? 'items' THEN
      RETURN p_value;
    END IF;
    RETURN coalesce(
      (SELECT jsonb_agg(zeke_jobs.rename_keys(e.value, v_shape -> 'items', p_root, p_to_camel) ORDER BY e.n)
       FROM jsonb_array_elements(p_value) WITH ORDINALITY AS e (value, n)),
      '[]');
  END IF;
  SELECT
    count(*),
    jsonb_object_agg(
      CASE WHEN f.name IS NULL THEN e.key WHEN p_to_camel THEN zeke_jobs.camel(f.name) ELSE f.name END,
      zeke_jobs.rename_keys(e.value, coalesce(f.schema, v_shape -> 'additionalProperties'), p_root, p_to_camel))
  INTO v_given, v_renamed
  FROM jsonb_each(p_value) AS e (key, value)
  LEFT JOIN jsonb_each(coalesce(v_shape -> 'properties', '{}')) AS f (name, schema)
    ON f.name = e.key OR NOT p_to_camel AND zeke_jobs.camel(f.name) = e.key;
  IF v_given > (SELECT count(*) FROM jsonb_object_keys(v_renamed)) AND NOT p_to_camel THEN
    RAISE EXCEPTION 'expected each field once, got one in both snake_case and camelCase: %',
      (SELECT string_agg(k, ', ' ORDER BY k) FROM jsonb_object_keys(p_value) AS k)
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN coalesce(v_renamed, '{}');
END
$$;

CREATE FUNCTION zeke_jobs.renew_key_waits(p_tasks text[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
  DELETE FROM zeke_jobs.key_wait AS w
  WHERE w.task = ANY (p_tasks) OR NOT EXISTS (SELECT 1 FROM zeke_jobs.meter AS m WHERE m.gate = 'task/' || w.task AND m.per_key);
  INSERT INTO zeke_jobs.key_wait (task, priority, key, due_on)
  SELECT q.task, q.priority, q.key, min(q.run_at) FROM zeke_jobs.queue AS q
  WHERE q.task = ANY (p_tasks) AND q.state = 'queued' AND q.deaths < 1 AND q.key IS NOT NULL AND q.key_seen
  GROUP BY q.task, q.priority, q.key;
END
$$;

CREATE FUNCTION zeke_jobs.report(p_job uuid, p_claim bigint, p_units jsonb) RETURNS void
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
BEGIN
  UPDATE zeke_jobs.meter_use AS u
  SET reported = coalesce(u.reported, 0) + (p_units ->> u.unit)::numeric,
    amount = greatest(u.amount, coalesce(u.reported, 0) + (p_units ->> u.unit)::numeric), taken_on = zeke_jobs.now()
  WHERE u.job = p_job AND u.claim = p_claim AND p_units ? u.unit AND u.unit <> 'jobs' AND NOT u.settled;
END
$$;

CREATE FUNCTION zeke_jobs.rescue() RETURNS TABLE(message_id uuid, task text, deaths integer, outcome text)
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET plan_cache_mode TO 'force_custom_plan'
    AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_watched_since timestamptz := (
    SELECT min(w.beating_since) FROM zeke_jobs.worker AS w WHERE w.kind = 'worker' AND w.heartbeat_on >= v_now - w.lost_after);
  v_lost uuid[];
  v_rowless uuid[];
  v_taken uuid[];
BEGIN
  v_lost := ARRAY(
    SELECT w.id FROM zeke_jobs.worker AS w
    WHERE w.heartbeat_on < v_now - w.lost_after AND (v_watched_since IS NULL OR v_watched_since <= v_now - w.lost_after)
    ORDER BY w.id
    FOR UPDATE SKIP LOCKED
  );
  -- Workers without a row, but with claimed jobs, did not end in an orderly way. Wait a minute, because their rows may not be committed yet.
  v_rowless := ARRAY(
    SELECT DISTINCT q.worker FROM zeke_jobs.queue AS q
    WHERE q.state = 'consumed' AND q.claimed_on < v_now - interval '1 minute'
      AND NOT EXISTS (SELECT 1 FROM zeke_jobs.worker AS w WHERE w.id = q.worker)
  );
  IF cardinality(v_lost || v_rowless) = 0 THEN
    RETURN;
  END IF;
  v_taken := ARRAY(
    SELECT q.message_id FROM zeke_jobs.queue AS q
    WHERE q.state = 'consumed' AND q.worker = ANY (v_lost || v_rowless)
    FOR UPDATE SKIP LOCKED
  );
  RETURN QUERY
    WITH held AS (
      SELECT q.message_id, q.deaths > 0 AND q.group_size > 1 AS among_suspects,
        count(*) OVER (PARTITION BY q.worker)::integer AS suspects
      FROM zeke_jobs.queue AS q
      WHERE q.state = 'consumed' AND q.worker = ANY (v_lost || v_rowless)
    ),
    lost AS (
      SELECT q.message_id, h.suspects, w.host, w.pid, w.heartbeat_on, c.deaths, c.attempt, c.attempt_base,
        NOT h.among_suspects AS counts,
        CASE
          WHEN q.cancelled_on IS NOT NULL THEN 'cancelled'
          WHEN c.deaths >= 3 THEN 'quarantined'
          WHEN c.attempt - c.attempt_base > coalesce(r.most, 0) THEN 'failed'
          ELSE 'rescued'
        END AS outcome
      FROM held AS h
      JOIN zeke_jobs.queue AS q ON q.message_id = h.message_id
      LEFT JOIN zeke_jobs.worker AS w ON w.id = q.worker
      LEFT JOIN LATERAL zeke_jobs.find_task(q.task) AS t ON true
      CROSS JOIN LATERAL (SELECT coalesce((q.message #>> '{options,retry,limit}')::integer, t.retry_limit) AS most) AS r
      CROSS JOIN LATERAL (
        SELECT q.deaths + (NOT h.among_suspects)::integer AS deaths, q.attempt + (q.started_on IS NULL)::integer AS attempt,
          q.attempt_base + (h.among_suspects OR h.suspects > 1 AND r.most > 0)::integer AS attempt_base) AS c
      WHERE q.message_id = ANY (v_taken)
    ),
    ended AS (
      UPDATE zeke_jobs.queue AS q
      SET state = CASE WHEN l.outcome = 'rescued' THEN 'queued' ELSE 'rejected' END::zeke_jobs.state,
        worker = NULL, ahead = false, mtime = v_now, attempt = l.attempt, attempt_base = l.attempt_base, deaths = l.deaths,
        group_size = (l.suspects + 1) / 2,
        completed_on = CASE WHEN l.outcome <> 'rescued' THEN v_now END,
        attempts = q.attempts || jsonb_strip_nulls(jsonb_build_object(
          'attempt', l.attempt, 'outcome', 'died', 'worker', q.worker, 'revision', q.revision,
          -- A job that waited for a slot may have started or not.
          'started_on', CASE WHEN NOT q.waits THEN coalesce(q.started_on, q.claimed_on) END, 'ended_on', v_now,
          'error', jsonb_build_object(
            'type', 'WorkerDied',
            'message', format('the worker process on %s (pid %s) last proved life at %s; %s%s', coalesce(l.host, '?'),
              coalesce(l.pid::text, '?'),
              coalesce(to_char(l.heartbeat_on AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'a time that is no longer known'),
              CASE
                WHEN NOT l.counts THEN 'it ran several suspects, so this death counts for none of them'
                WHEN l.suspects > 1 THEN format('death %s of this job, one of %s that may have been the cause', l.deaths, l.suspects)
                ELSE format('death %s of this job', l.deaths) END,
              CASE l.outcome WHEN 'quarantined' THEN ', quarantined' WHEN 'failed' THEN ', no retries left' ELSE '' END))))
      FROM lost AS l
      WHERE q.message_id = l.message_id
      RETURNING q.message_id, q.task, q.deaths, l.outcome, q.awaited
    ),
    announced AS (
      SELECT pg_notify('zeke_jobs.done', e.message_id::text) FROM ended AS e
      WHERE e.awaited AND e.outcome <> 'rescued'
    )
    SELECT e.message_id, e.task, e.deaths, e.outcome FROM ended AS e WHERE (SELECT count(*) FROM announced) >= 0;
  PERFORM zeke_jobs.settle(v_taken, 'cut off');
  DELETE FROM zeke_jobs.worker AS w WHERE w.id = ANY (v_lost);
  PERFORM zeke_jobs.ring(n.queue) FROM (SELECT DISTINCT t.queue FROM zeke_jobs.task AS t) AS n;
END
$$;

CREATE FUNCTION zeke_jobs.resume(p_target text, p_by text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  DELETE FROM zeke_jobs.pause AS p WHERE p.target = p_target;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM zeke_jobs.ring_for_target(p_target);
  PERFORM zeke_jobs.note('resume', p_target, p_by, NULL);
  RETURN true;
END
$$;

CREATE FUNCTION zeke_jobs.retry(p_id uuid, p_task text, p_status text, p_newer double precision, p_limit integer, p_by text) RETURNS TABLE(id uuid, status zeke_jobs.job_status)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    AS $$
#variable_conflict use_column
DECLARE
  v_jobs uuid[];
BEGIN
  v_jobs := ARRAY(
    SELECT q.message_id
    FROM zeke_jobs.queue AS q
    WHERE (q.message_id = p_id AND (q.state = 'rejected' OR q.state = 'queued' AND q.attempt > 0))
      OR (
        p_id IS NULL
        AND q.state = 'rejected'
        AND (p_task IS NULL OR q.task = (SELECT coalesce(max(t.id), p_task) FROM zeke_jobs.find_task(p_task) AS t))
        AND (q.cancelled_on IS NOT NULL) = (p_status = 'cancelled')
        AND (p_newer IS NULL OR q.completed_on > zeke_jobs.now() - make_interval(secs => p_newer))
      )
    ORDER BY q.completed_on
    LIMIT p_limit
    FOR UPDATE);
  IF v_jobs = '{}' THEN
    RETURN;
  END IF;
  PERFORM zeke_jobs.note(
    'retry', coalesce('job/' || p_id, 'task/' || p_task, 'all'), p_by,
    CASE WHEN p_id IS NULL THEN p_status || coalesce(' within ' || p_newer || ' s', '') END, v_jobs);
  RETURN QUERY SELECT r.id, r.status FROM zeke_jobs.retry_unnoted(v_jobs) AS r;
END
$$;

CREATE FUNCTION zeke_jobs.retry_batch(p_batch text, p_by text) RETURNS SETOF uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
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

CREATE FUNCTION zeke_jobs.retry_rule(p_retry jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
  SELECT CASE coalesce(jsonb_typeof(p_retry), 'null')
    WHEN 'null' THEN NULL WHEN 'object' THEN p_retry ELSE jsonb_build_object('limit', p_retry) END
$$;

CREATE FUNCTION zeke_jobs.retry_unnoted(p_jobs uuid[]) RETURNS TABLE(id uuid, status zeke_jobs.job_status)
    LANGUAGE sql
    AS $$
  WITH retried AS (
    UPDATE zeke_jobs.queue AS q
    SET
      state = 'queued',
      attempt_base = q.attempt,
      deaths = 0,
      run_at = zeke_jobs.now(),
      mtime = zeke_jobs.now(),
      worker = NULL,
      started_on = NULL,
      completed_on = NULL,
      expires_on = NULL,
      cancelled_on = NULL,
      cancelled_by = NULL,
      cancel_reason = NULL,
      waiting_for = NULL,
      progress = NULL,
      result = NULL
    WHERE q.message_id = ANY (p_jobs)
    RETURNING q.message_id, q.queue_name, zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on) AS status
  ),
  rung AS (
    SELECT zeke_jobs.ring(r.queue_name)
    FROM (SELECT DISTINCT queue_name FROM retried) AS r
  )
  SELECT r.message_id, r.status FROM retried AS r WHERE (SELECT count(*) FROM rung) >= 0
$$;

CREATE FUNCTION zeke_jobs.ring(p_queue text) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
  -- Choose the first process by a hash, so that all jobs of a transaction wake the same one.
  v_first uuid := (
    SELECT w.id FROM zeke_jobs.worker AS w WHERE p_queue = ANY (w.idle)
    ORDER BY uuid_hash_extended(w.id, pg_current_xact_id()::text::bigint) LIMIT 1);
BEGIN
  IF v_first IS NOT NULL THEN
    PERFORM pg_notify('zeke_jobs.' || p_queue, v_first::text);
  END IF;
END
$$;

CREATE FUNCTION zeke_jobs.ring_for_freed(p_tasks text[], p_ringer uuid DEFAULT NULL::uuid) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM zeke_jobs.worker AS w WHERE w.limited <> '{}' AND w.id IS DISTINCT FROM p_ringer) THEN
    PERFORM pg_notify('zeke_jobs.' || f.queue, CASE WHEN f.is_looked_at THEN 'later' ELSE '' END)
    FROM (
      SELECT o.queue, bool_or(w.id IS NOT DISTINCT FROM p_ringer) AS is_looked_at, bool_or(w.id IS DISTINCT FROM p_ringer) AS is_awaited
      FROM zeke_jobs.worker AS w
      JOIN zeke_jobs.task AS o ON o.id = ANY (w.limited)
      -- If a task was renamed after the claim, its job ended under the former name.
      JOIN zeke_jobs.task AS t ON t.id || t.aliases && p_tasks AND (t.id = o.id OR t.gates && o.gates)
      GROUP BY o.queue
    ) AS f
    WHERE f.is_awaited;
  END IF;
END
$$;

CREATE FUNCTION zeke_jobs.ring_for_new() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM zeke_jobs.worker WHERE idle <> '{}') THEN
    PERFORM zeke_jobs.ring(n.queue_name) FROM (SELECT DISTINCT queue_name FROM new_rows) AS n;
  END IF;
  RETURN NULL;
END
$$;

CREATE FUNCTION zeke_jobs.ring_for_target(p_target text) RETURNS void
    LANGUAGE sql
    AS $$
  SELECT zeke_jobs.ring(q.queue)
  FROM (
    SELECT DISTINCT t.queue FROM zeke_jobs.task AS t
    WHERE p_target IN ('task/' || t.id, 'queue/' || t.queue) OR p_target = ANY (t.gates)
  ) AS q
$$;

CREATE FUNCTION zeke_jobs.room(p_task zeke_jobs.task) RETURNS bigint
    LANGUAGE sql STABLE
    AS $$
  SELECT (p_task).max_queued - count(*)
  FROM (
    SELECT 1
    FROM zeke_jobs.queue AS q
    WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = (p_task).queue AND q.task = (p_task).id
    LIMIT (p_task).max_queued
  ) AS queued
$$;

CREATE FUNCTION zeke_jobs.runs_suspect(p_worker uuid) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
  SELECT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.worker = p_worker AND q.deaths > 0)
$$;

CREATE FUNCTION zeke_jobs.seconds_of(p_duration text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (zeke_jobs.length_of(p_duration) < '68 years'::interval) THEN (EXTRACT(epoch FROM zeke_jobs.length_of(p_duration)))::integer WHEN (zeke_jobs.length_of(p_duration) IS NOT NULL) THEN 2147483647 ELSE NULL::integer END;

CREATE FUNCTION zeke_jobs.secrets_in(p_payload jsonb, p_fields text[]) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $_$
DECLARE
  v_found text[] := '{}';
  v_field text;
BEGIN
  FOREACH v_field IN ARRAY p_fields LOOP
    v_found := v_found || zeke_jobs.leaves(p_payload, string_to_array(v_field, '.'));
  END LOOP;
  RETURN (
    SELECT array_agg(f.text ORDER BY length(f.text) DESC)
    FROM unnest(v_found) AS l (text)
    CROSS JOIN LATERAL unnest(ARRAY[l.text, substr(to_jsonb(l.text)::text, 2, length(to_jsonb(l.text)::text) - 2)]) AS f (text)
    WHERE length(f.text) > 15 OR length(f.text) >= 8 AND f.text !~ '^[A-Za-z_./-]*$');
END
$_$;

CREATE FUNCTION zeke_jobs.send(task text, payload jsonb DEFAULT '{}'::jsonb, options jsonb DEFAULT '{}'::jsonb) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    AS $$
DECLARE
  c_options CONSTANT text[] := ARRAY[
    'batch', 'delay', 'expires', 'id', 'idempotency_key', 'keep', 'key', 'parent', 'priority', 'retry', 'run_at', 'scheduled_for',
    'timeout', 'traceparent', 'unique', 'unique_key', 'units'];
  v_task zeke_jobs.task := zeke_jobs.find_task(send.task);
  v_payload jsonb;
  v_fault text;
  v_wrong text;
  v_sent record;
BEGIN
  IF v_task.id IS NULL THEN
    RAISE EXCEPTION 'expected the name of a task, got %', coalesce(quote_literal(send.task), 'NULL')
      USING ERRCODE = 'undefined_object',
        HINT = coalesce(
          'Tasks: ' || (SELECT string_agg(t.id, ', ' ORDER BY t.id) FROM zeke_jobs.task AS t),
          'The catalogue is empty; the first worker that starts, or zeke-jobs apply, fills it.');
  END IF;
  v_wrong := (SELECT k.name FROM jsonb_object_keys(send.options) AS k (name) WHERE k.name <> ALL (c_options) LIMIT 1);
  IF v_wrong IS NOT NULL THEN
    RAISE EXCEPTION 'expected options among %, got %', array_to_string(c_options, ', '), quote_literal(v_wrong)
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  -- Before the renaming, which recurses as deep as the payload is nested.
  v_fault := zeke_jobs.unfit_payload(send.payload);
  IF v_fault IS NULL THEN
    v_payload := zeke_jobs.rename_keys(send.payload, v_task.payload_schema, v_task.payload_schema, false);
    v_fault := zeke_jobs.payload_fault(v_payload, v_task.payload_schema);
  END IF;
  IF v_fault IS NOT NULL THEN
    RAISE EXCEPTION 'payload of %: %', v_task.id, v_fault USING ERRCODE = 'invalid_parameter_value';
  END IF;
  SELECT * INTO v_sent FROM zeke_jobs.enqueue(v_task.id, NULL, v_payload, send.options);
  CASE v_sent.outcome
    WHEN 'full' THEN
      RAISE EXCEPTION 'expected fewer than % queued jobs of %, got as many', v_task.max_queued, v_task.id
        USING ERRCODE = 'configuration_limit_exceeded';
    WHEN 'closed' THEN
      RAISE EXCEPTION 'expected a batch that is new or open, got %, which was closed', quote_literal(send.options ->> 'batch')
        USING ERRCODE = 'object_not_in_prerequisite_state';
    WHEN 'beyond' THEN
      RAISE EXCEPTION 'expected retry, timeout and keep within per_send of %, got %', v_task.id, send.options
        USING ERRCODE = 'invalid_parameter_value', HINT = 'It allows: ' || (v_task.definition ->> 'per_send');
    WHEN 'taken' THEN
      RAISE EXCEPTION 'expected an id of its own, got % of another task''s job', v_sent.job_id
        USING ERRCODE = 'unique_violation';
    ELSE
      RETURN v_sent.job_id;
  END CASE;
END
$$;

CREATE FUNCTION zeke_jobs.set_purge() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  NEW.purge_on := NEW.completed_on + NEW.keep;
  RETURN NEW;
END
$$;

CREATE FUNCTION zeke_jobs.settle(p_ids uuid[], p_how text DEFAULT 'completed'::text) RETURNS void
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_known record;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM zeke_jobs.meter_use AS u WHERE u.job = ANY (p_ids) AND NOT u.settled) THEN
    RETURN;
  END IF;
  IF p_how = 'returned' THEN
    WITH given_back AS (
      DELETE FROM zeke_jobs.meter_use AS u WHERE u.job = ANY (p_ids) AND NOT u.settled RETURNING u.gate, u.key
    )
    INSERT INTO zeke_jobs.key_wait (task, key, due_on)
    SELECT substr(g.gate, length('task/') + 1), g.key, v_now FROM given_back AS g WHERE g.key <> '';
    RETURN;
  END IF;
  FOR v_known IN
    WITH ended AS (
      UPDATE zeke_jobs.meter_use AS u
      SET settled = true,
        amount = CASE
          WHEN u.unit = 'jobs' OR p_how = 'cut off' THEN u.amount
          WHEN p_how = 'deferred' OR p_how = 'raised' AND u.lasts IS NULL THEN coalesce(u.reported, 0)
          ELSE coalesce(u.reported, u.amount) END,
        ends_on = CASE WHEN u.lasts IS NULL THEN u.ends_on ELSE u.lasts + CASE
          WHEN u.unit = 'jobs' THEN coalesce(q.started_on, CASE WHEN p_how = 'cut off' THEN v_now ELSE u.taken_on END)
          WHEN p_how = 'cut off' THEN v_now
          WHEN u.reported IS NOT NULL THEN u.taken_on
          ELSE coalesce(q.started_on, u.taken_on) END END
      FROM zeke_jobs.queue AS q
      -- Compare the jobs with the ids, too: zeke_jobs.complete switches nested loops off, and the join is hashed.
      WHERE u.job = ANY (p_ids) AND q.message_id = ANY (p_ids) AND q.message_id = u.job AND NOT u.settled
      RETURNING q.task, u.unit, u.reported
    )
    SELECT t.id AS task, e.unit, avg(e.reported) AS average FROM ended AS e CROSS JOIN LATERAL zeke_jobs.find_task(e.task) AS t
    WHERE e.reported IS NOT NULL AND p_how <> 'cut off' AND t.id IS NOT NULL GROUP BY t.id, e.unit
    ORDER BY t.id, e.unit -- so that two transactions that add the first rows do not deadlock
  LOOP
    UPDATE zeke_jobs.unit_average AS a
    SET average = a.average + (v_known.average - a.average) / least(a.jobs + 1, 20), jobs = least(a.jobs + 1, 20)
    WHERE a.ctid = (
      SELECT o.ctid FROM zeke_jobs.unit_average AS o
      WHERE o.task = v_known.task AND o.unit = v_known.unit FOR UPDATE SKIP LOCKED);
    -- Insert only a new row. If the row is locked, another transaction is updating it, and an INSERT would wait for that in spite of ON CONFLICT.
    IF NOT FOUND AND NOT EXISTS (SELECT 1 FROM zeke_jobs.unit_average AS a WHERE a.task = v_known.task AND a.unit = v_known.unit) THEN
      INSERT INTO zeke_jobs.unit_average (task, unit, average, jobs) VALUES (v_known.task, v_known.unit, v_known.average, 1)
      ON CONFLICT DO NOTHING;
    END IF;
  END LOOP;
END
$$;

CREATE FUNCTION zeke_jobs.shape(p_schema jsonb, p_root jsonb, p_depth integer DEFAULT 0) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET jit TO 'off'
    AS $_$
DECLARE
  v_shape jsonb := '{}';
  v_branch jsonb;
  v_part jsonb;
BEGIN
  IF jsonb_typeof(p_schema) IS DISTINCT FROM 'object' OR p_depth > 16 THEN
    RETURN v_shape;
  END IF;
  FOR v_branch IN
    SELECT p_root #> string_to_array(substr(p_schema ->> '$ref', 3), '/') WHERE p_schema ? '$ref'
    UNION ALL
    SELECT b.value
    FROM unnest(ARRAY['anyOf', 'oneOf', 'allOf']) AS k (keyword),
      jsonb_array_elements(CASE jsonb_typeof(p_schema -> k.keyword) WHEN 'array' THEN p_schema -> k.keyword ELSE '[]' END) AS b (value)
  LOOP
    v_part := zeke_jobs.shape(v_branch, p_root, p_depth + 1);
    v_shape := v_shape || v_part
      || jsonb_build_object('properties', coalesce(v_shape -> 'properties', '{}') || coalesce(v_part -> 'properties', '{}'));
  END LOOP;
  IF jsonb_typeof(p_schema -> 'properties') = 'object' THEN
    v_shape := v_shape
      || jsonb_build_object('properties', coalesce(v_shape -> 'properties', '{}') || (p_schema -> 'properties'));
  END IF;
  IF p_schema ? 'items' THEN
    v_shape := v_shape || jsonb_build_object('items', p_schema -> 'items');
  END IF;
  IF p_schema ? 'additionalProperties' THEN
    v_shape := v_shape || jsonb_build_object('additionalProperties', p_schema -> 'additionalProperties');
  END IF;
  RETURN v_shape;
END
$_$;

CREATE FUNCTION zeke_jobs.share_out(p_due zeke_jobs.candidate[], p_open integer[], p_rooms zeke_jobs.room[], p_left integer, p_free integer, p_short text[], p_more integer[], OUT chosen integer[], OUT quotas integer[], OUT ahead boolean) RETURNS record
    LANGUAGE plpgsql
    AS $$
DECLARE
  v_gates text[] := ARRAY(SELECT r.gate FROM unnest(p_rooms) AS r);
  v_shares integer[] := ARRAY(SELECT r.share FROM unnest(p_rooms) AS r);
  v_by_units text[] := ARRAY(SELECT r.gate FROM unnest(p_rooms) AS r WHERE r.by_units AND r.gate LIKE 'limit/%');
  v_free integer := p_free;
  v_share integer;
  v_rest integer;
  v_quota integer;
  v_ready integer[];
  v_one zeke_jobs.candidate;
  v_long boolean;
  v_longs integer;
  v_gate text;
  v_at integer;
BEGIN
  chosen := '{}';
  quotas := '{}';
  v_ready := ARRAY(
    SELECT o.i FROM unnest(p_open) WITH ORDINALITY AS o (i, n)
    WHERE (p_short IS NULL OR v_free > 0 OR p_due[o.i].task = ANY (p_short)) AND NOT EXISTS (
      SELECT 1 FROM unnest(p_due[o.i].gates) AS g (name) WHERE v_shares[array_position(v_gates, g.name)] <= 0)
    ORDER BY o.n);
  ahead := cardinality(v_ready) = 0;
  IF ahead THEN
    v_ready := ARRAY(
      SELECT o.i FROM unnest(p_open) WITH ORDINALITY AS o (i, n)
      WHERE p_more[array_position(p_short, p_due[o.i].task)] > 0 AND p_due[o.i].per_key IS NULL AND NOT EXISTS (
        SELECT 1 FROM unnest(p_rooms) AS r
        WHERE r.gate = ANY (p_due[o.i].gates) AND (r.gate NOT LIKE 'task/%' OR r.is_metered OR r.room <> r.used))
      ORDER BY o.n);
    IF cardinality(v_ready) = 0 THEN
      RETURN;
    END IF;
  END IF;
  v_share := p_left / cardinality(v_ready);
  v_rest := p_left % cardinality(v_ready);
  v_longs := (SELECT count(*) FROM unnest(v_ready) AS o (i) WHERE p_due[o.i].task <> ALL (p_short));
  FOR v_turn IN 1 .. cardinality(v_ready) LOOP
    v_one := p_due[v_ready[v_turn]];
    v_long := v_one.task <> ALL (p_short);
    v_quota := v_share + CASE WHEN v_rest > 0 THEN 1 ELSE 0 END;
    IF ahead THEN
      v_quota := least(v_quota, p_more[array_position(p_short, v_one.task)]);
    ELSE
      IF v_long THEN
        v_quota := least(v_quota, ceil(v_free::numeric / v_longs));
        v_longs := v_longs - 1;
      END IF;
      FOREACH v_gate IN ARRAY v_one.gates LOOP
        v_quota := least(v_quota, v_shares[array_position(v_gates, v_gate)]);
        CONTINUE WHEN v_gate NOT LIKE 'limit/%';
        -- A shared limit is divided among its tasks whose turn is still to come. If it counts units, each of several tasks gets one job a round.
        IF v_gate = ANY (v_by_units) AND v_quota > 1 THEN
          v_quota := least(v_quota, (SELECT CASE WHEN count(*) > 1 THEN 1 END FROM unnest(v_ready) AS o (i) WHERE v_gate = ANY (p_due[o.i].gates)));
        END IF;
        IF v_quota > 1 THEN
          v_quota := least(v_quota, ceil(v_shares[array_position(v_gates, v_gate)]::numeric / (
            SELECT count(*) FROM unnest(v_ready[v_turn:]) AS o (i) WHERE v_gate = ANY (p_due[o.i].gates))));
        END IF;
      END LOOP;
    END IF;
    CONTINUE WHEN v_quota <= 0;
    v_rest := v_rest - CASE WHEN v_quota > v_share THEN 1 ELSE 0 END;
    IF v_long THEN
      v_free := v_free - v_quota;
    END IF;
    IF NOT ahead THEN
      FOREACH v_gate IN ARRAY v_one.gates LOOP
        v_at := array_position(v_gates, v_gate);
        v_shares[v_at] := v_shares[v_at] - v_quota;
      END LOOP;
    END IF;
    chosen := chosen || v_ready[v_turn];
    quotas := quotas || v_quota;
  END LOOP;
END
$$;

CREATE FUNCTION zeke_jobs.startable_suspects(p_queues text[], p_tasks text[], p_now timestamp with time zone) RETURNS TABLE(message_id uuid, group_size integer)
    LANGUAGE plpgsql ROWS 64
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
#variable_conflict use_column
DECLARE
  v_tasks text[] := ARRAY(
    SELECT DISTINCT q.task FROM zeke_jobs.queue AS q
    WHERE q.state = 'queued' AND q.deaths > 0 AND q.queue_name = ANY (p_queues) AND q.run_at <= p_now AND q.task = ANY (p_tasks));
BEGIN
  IF cardinality(v_tasks) = 0 THEN
    RETURN;
  END IF;
  v_tasks := ARRAY(
    SELECT t.id FROM zeke_jobs.task AS t
    WHERE t.id = ANY (v_tasks) AND NOT t.paused
      AND NOT EXISTS (SELECT 1 FROM zeke_jobs.pause AS p WHERE p.target = 'task/' || t.id OR p.target = ANY (t.gates))
      AND NOT EXISTS (SELECT 1 FROM zeke_jobs.gate_rooms(t.gates, p_now) AS r WHERE r.room < 1));
  RETURN QUERY
    SELECT q.message_id, q.group_size
    FROM zeke_jobs.queue AS q JOIN zeke_jobs.task AS t ON t.id = q.task
    WHERE q.state = 'queued' AND q.deaths > 0 AND q.queue_name = ANY (p_queues) AND q.run_at <= p_now AND t.id = ANY (v_tasks)
      AND NOT EXISTS (SELECT 1 FROM zeke_jobs.pause AS p WHERE p.target = 'queue/' || q.queue_name)
      AND (t.per_key IS NULL OR q.key IS NULL OR t.per_key > (
        SELECT sum((SELECT count(*) FROM zeke_jobs.queue AS a WHERE a.state = 'consumed' AND a.task = n.name AND a.key = q.key))
        FROM unnest(t.id || t.aliases) AS n (name)))
      AND (NOT t.metered OR zeke_jobs.key_has_room(t.id, q.key, p_now) AND zeke_jobs.units_fit(t, q.units, p_now))
      AND (q.order_hold IS NULL OR q.ctid = zeke_jobs.first_in_line(q.task, q.key))
    ORDER BY q.run_at, q.seq
    LIMIT 64;
END
$$;

CREATE FUNCTION zeke_jobs.status_of(p_state zeke_jobs.state, p_attempt integer, p_cancelled_on timestamp with time zone, p_waits boolean DEFAULT false) RETURNS zeke_jobs.job_status
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (CASE WHEN ((p_state = 'queued'::zeke_jobs.state) OR ((p_state = 'consumed'::zeke_jobs.state) AND p_waits AND (p_cancelled_on IS NULL))) THEN CASE WHEN (p_attempt = 0) THEN 'created'::text ELSE 'retry'::text END WHEN (p_state = 'consumed'::zeke_jobs.state) THEN 'active'::text WHEN (p_state = 'done'::zeke_jobs.state) THEN 'completed'::text ELSE CASE WHEN (p_cancelled_on IS NULL) THEN 'failed'::text ELSE 'cancelled'::text END END)::zeke_jobs.job_status;

CREATE FUNCTION zeke_jobs.statuses_of(p_change text, p_filter jsonb) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
  SELECT CASE jsonb_typeof(p_filter -> 'status')
    WHEN 'string' THEN ARRAY[p_filter ->> 'status']
    WHEN 'array' THEN ARRAY(SELECT jsonb_array_elements_text(p_filter -> 'status'))
    ELSE CASE p_change WHEN 'retry' THEN ARRAY['failed'] WHEN 'cancel' THEN ARRAY['created', 'retry', 'active']
      ELSE ARRAY['created', 'retry'] END
  END
$$;

CREATE FUNCTION zeke_jobs.take(p_one zeke_jobs.candidate, p_places tid[], OUT places tid[], OUT blocked text[]) RETURNS record
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_variable
DECLARE
  v_now timestamptz := zeke_jobs.now();
BEGIN
  places := p_places;
  blocked := '{}';
  IF EXISTS (SELECT 1 FROM zeke_jobs.meter AS m WHERE m.gate = ANY (p_one.gates) AND NOT m.per_key) THEN
    WITH meter AS MATERIALIZED (
      SELECT m.gate, m.unit, m.amount AS most, m.amount - zeke_jobs.taken(m.gate, m.unit, '', v_now) AS room,
        coalesce(a.average, (t.units ->> m.unit)::numeric, 0) AS estimate, zeke_jobs.counts_for(m.period) AS lasts,
        -- Units count until their job has ended; money until the day ends.
        CASE WHEN m.zone IS NULL THEN 'infinity' ELSE ((v_now AT TIME ZONE m.zone)::date + 1)::timestamp AT TIME ZONE m.zone END AS ends_on
      FROM zeke_jobs.meter AS m JOIN zeke_jobs.task AS t ON t.id = p_one.task
      LEFT JOIN zeke_jobs.unit_average AS a ON a.task = t.id AND a.unit = m.unit
      WHERE m.gate = ANY (p_one.gates) AND NOT m.per_key
    ),
    need AS MATERIALIZED (
      SELECT p.n, p.place, q.message_id, q.claim, m.gate, m.unit, m.lasts, m.ends_on, m.room, x.need,
        sum(x.need) OVER (PARTITION BY m.gate, m.unit ORDER BY p.n) AS needed
      FROM unnest(p_places) WITH ORDINALITY AS p (place, n) JOIN zeke_jobs.queue AS q ON q.ctid = p.place
      CROSS JOIN meter AS m
      CROSS JOIN LATERAL (SELECT least(m.most, coalesce((q.units ->> m.unit)::numeric, m.estimate)) AS need) AS x
    ),
    short AS MATERIALIZED (
      SELECT n.n, n.gate, n.lasts FROM need AS n WHERE n.needed > n.room OR n.needed - n.need >= n.room
    ),
    noted AS (
      INSERT INTO zeke_jobs.meter_use (gate, unit, job, claim, taken_on, ends_on, lasts, amount)
      SELECT n.gate, n.unit, n.message_id, n.claim + 1, v_now, n.ends_on, n.lasts, n.need FROM need AS n
      WHERE n.n < ALL (SELECT s.n FROM short AS s)
    )
    SELECT coalesce((SELECT array_agg(p.place ORDER BY p.n) FROM unnest(p_places) WITH ORDINALITY AS p (place, n)
        WHERE p.n < ALL (SELECT s.n FROM short AS s)), '{}'),
      ARRAY(
        SELECT DISTINCT x.name FROM short AS s CROSS JOIN LATERAL (VALUES (s.gate), ('units of ' || s.gate)) AS x (name)
        WHERE s.n <= ALL (SELECT o.n FROM short AS o) AND (x.name = s.gate OR s.lasts IS NOT NULL))
    INTO places, blocked;
  END IF;
  INSERT INTO zeke_jobs.meter_use (gate, unit, key, job, claim, taken_on, ends_on, lasts, amount)
  SELECT r.gate, 'jobs', CASE WHEN r.per_key THEN q.key ELSE '' END, q.message_id, q.claim + 1, v_now,
    -- Until the start is known, it is assumed 250 ms after the claim.
    v_now + zeke_jobs.counts_for(r.period) + interval '250 ms', zeke_jobs.counts_for(r.period), 1
  FROM (
    SELECT m.gate, m.period, true AS per_key FROM zeke_jobs.meter AS m WHERE m.gate = ANY (p_one.gates) AND m.per_key
    UNION ALL
    SELECT g.name, g.rate_period, false FROM zeke_jobs.gate AS g WHERE g.name = ANY (p_one.gates) AND g.rate_count IS NOT NULL
  ) AS r
  CROSS JOIN unnest(places) AS p (place) JOIN zeke_jobs.queue AS q ON q.ctid = p.place;
END
$$;

CREATE FUNCTION zeke_jobs.take_lease(p_name text, p_limit integer, p_worker uuid, p_job uuid, p_claim bigint, OUT outcome text, OUT holder uuid, OUT task text, OUT since timestamp with time zone) RETURNS record
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_nestloop TO 'on'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET plan_cache_mode TO 'force_generic_plan'
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

CREATE FUNCTION zeke_jobs.take_lock(p_name text) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
  PERFORM 1 FROM zeke_jobs.lock AS l WHERE l.name = p_name FOR UPDATE;
  IF NOT FOUND THEN
    -- Waits for another session that inserts the same lock.
    INSERT INTO zeke_jobs.lock (name) VALUES (p_name) ON CONFLICT DO NOTHING;
    PERFORM 1 FROM zeke_jobs.lock AS l WHERE l.name = p_name FOR UPDATE;
  END IF;
END
$$;

CREATE FUNCTION zeke_jobs.take_place(p_job uuid, p_task zeke_jobs.task, p_payload jsonb, p_options jsonb, p_now timestamp with time zone, p_run_at timestamp with time zone, p_expires timestamp with time zone, p_how text, p_at_most interval) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
DECLARE
  v_was text := current_setting('zeke_jobs.gathering', true);
  v_queue text;
BEGIN
  PERFORM set_config('zeke_jobs.gathering', 'on', true); -- marks this update as ours, not a stock producer's upsert
  UPDATE zeke_jobs.queue AS q
  SET message = zeke_jobs.message(
      p_task.queue, p_task.id, q.message_id, p_payload, (p_options - 'batch') || jsonb_strip_nulls(jsonb_build_object('batch', q.batch)), p_now),
    run_at = greatest(
      CASE WHEN q.attempt > 0 THEN q.run_at ELSE '-infinity' END,
      least(CASE p_how WHEN 'postpone' THEN greatest(q.run_at, p_run_at) ELSE p_run_at END, q.created_on + p_at_most)),
    priority = coalesce((p_options ->> 'priority')::integer, q.priority),
    expires_on = coalesce(p_expires, q.expires_on),
    keep = coalesce(zeke_jobs.length_of(p_options -> 'keep'), q.keep),
    units = coalesce(p_options -> 'units', q.units),
    sensitive = nullif(p_task.sensitive, '{}'),
    mtime = p_now
  WHERE q.message_id = p_job AND q.state = 'queued'
  RETURNING q.queue_name INTO v_queue;
  PERFORM set_config('zeke_jobs.gathering', coalesce(v_was, ''), true);
  IF v_queue IS NULL THEN
    RETURN false;
  END IF;
  DELETE FROM zeke_jobs.step AS s WHERE s.job = p_job;
  DELETE FROM zeke_jobs.wait AS w WHERE w.job = p_job;
  -- Claims skipped the job while this transaction held its row.
  PERFORM zeke_jobs.ring(v_queue);
  RETURN true;
END
$$;

CREATE FUNCTION zeke_jobs.taken(p_gate text, p_unit text, p_key text, p_now timestamp with time zone) RETURNS numeric
    LANGUAGE plpgsql
    AS $$
BEGIN
  RETURN (
    SELECT coalesce(sum(u.amount), 0) FROM zeke_jobs.meter_use AS u
    WHERE u.gate = p_gate AND u.unit = p_unit AND u.key = p_key AND u.ends_on > p_now);
END
$$;

CREATE FUNCTION zeke_jobs.takes_jobs(p_batch text, p_parent uuid) RETURNS boolean
    LANGUAGE plpgsql
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

CREATE FUNCTION zeke_jobs.task_names() RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT n.name FROM zeke_jobs.task AS t CROSS JOIN LATERAL unnest(t.id || t.aliases) AS n (name) ORDER BY n.name
$$;

CREATE FUNCTION zeke_jobs.tell_failure() RETURNS trigger
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

CREATE FUNCTION zeke_jobs.tell_producer() RETURNS trigger
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

CREATE FUNCTION zeke_jobs.throttle(p_limit text, p_seconds double precision, p_job uuid, p_why text) RETURNS timestamp with time zone
    LANGUAGE plpgsql
    AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_began timestamptz := (SELECT coalesce(q.started_on, q.claimed_on) FROM zeke_jobs.queue AS q WHERE q.message_id = p_job);
  v_until timestamptz;
BEGIN
  UPDATE zeke_jobs.gate AS g
  SET closed_until = greatest(g.closed_until, v_now + p_seconds * interval '1 second'),
    closed_by = CASE WHEN g.tripped_on IS NULL THEN 'throttled' ELSE g.closed_by END,
    closed_why = CASE WHEN g.tripped_on IS NULL THEN p_why ELSE g.closed_why END,
    ceiling = CASE WHEN g.lowered_on > v_began THEN g.ceiling ELSE greatest(g.least, zeke_jobs.concurrency_of(g, v_now) / 2) END,
    lowered_on = CASE WHEN g.lowered_on > v_began THEN g.lowered_on ELSE v_now END
  WHERE g.name = 'limit/' || p_limit
  RETURNING g.closed_until INTO v_until;
  RETURN v_until;
END
$$;

CREATE FUNCTION zeke_jobs.try_open_batch(p_batch text, p_task text, p_payload jsonb, p_after_failure text) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT zeke_jobs.make_batch(p_batch, jsonb_build_object('task', p_task, 'payload', p_payload), p_after_failure, true, NULL)
    OR zeke_jobs.takes_jobs(p_batch, NULL)
$$;

CREATE FUNCTION zeke_jobs.turn_breakers(p_gates text[], p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
  v_gate zeke_jobs.gate;
  v_ends record;
BEGIN
  FOR v_gate IN
    SELECT g.* FROM zeke_jobs.gate AS g WHERE g.name = ANY (p_gates) AND g.breaker_pause IS NOT NULL ORDER BY g.name
  LOOP
    IF v_gate.tripped_on IS NULL THEN
      SELECT count(*) FILTER (WHERE e.failed) AS failed, count(*) AS ended INTO v_ends FROM zeke_jobs.breaker_end AS e
      WHERE e.gate = v_gate.name AND e.ended_on > p_now - v_gate.breaker_within;
      CONTINUE WHEN v_ends.failed < coalesce(v_gate.breaker_failures, greatest(10, v_gate.breaker_share * v_ends.ended));
      UPDATE zeke_jobs.gate AS g
      SET tripped_on = p_now, closed_until = greatest(g.closed_until, p_now + g.breaker_pause), closed_by = 'breaker', probe = NULL,
        closed_why = format('%s jobs failed within %s', v_ends.failed, g.breaker_within)
      WHERE g.name = v_gate.name;
      -- The claiming worker logs it.
      RAISE WARNING 'breaker of % opens: % jobs failed', v_gate.name, v_ends.failed;
    ELSIF v_gate.probe IS NOT NULL THEN
      -- An attempt that began before the pause may end after it, but is no probe.
      SELECT e.failed, e.ended_on INTO v_ends
      FROM zeke_jobs.breaker_end AS e JOIN zeke_jobs.queue AS q ON q.message_id = e.job
      WHERE e.gate = v_gate.name AND e.job = v_gate.probe AND e.ended_on >= greatest(v_gate.closed_until, q.claimed_on)
      ORDER BY e.ended_on DESC LIMIT 1;
      IF v_ends.failed THEN
        UPDATE zeke_jobs.gate AS g
        SET probe = NULL, closed_until = v_ends.ended_on + g.breaker_pause, closed_by = 'breaker',
          closed_why = 'the last job that probed failed'
        WHERE g.name = v_gate.name;
        RAISE WARNING 'breaker of % stays open: a job that probed failed', v_gate.name;
      ELSIF NOT v_ends.failed THEN
        UPDATE zeke_jobs.gate AS g
        SET tripped_on = NULL, probe = NULL, closed_until = NULL, closed_by = NULL, closed_why = NULL
        WHERE g.name = v_gate.name;
        DELETE FROM zeke_jobs.breaker_end AS e WHERE e.gate = v_gate.name;
        RAISE WARNING 'breaker of % closes: a job that probed succeeded', v_gate.name;
      ELSIF NOT zeke_jobs.probes(v_gate) THEN
        UPDATE zeke_jobs.gate AS g SET probe = NULL WHERE g.name = v_gate.name; -- the probe was returned, cancelled or lost
      END IF;
    END IF;
  END LOOP;
END
$$;

CREATE FUNCTION zeke_jobs.unfit_filter(p_change text, p_filter jsonb) RETURNS text
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
  c_keys CONSTANT text[] := ARRAY['batch', 'error', 'id', 'key', 'newer', 'older', 'parent', 'queue', 'status', 'task', 'until'];
  v_statuses text[] := CASE p_change
    WHEN 'cancel' THEN ARRAY['created', 'retry', 'active', 'failed'] WHEN 'retry' THEN ARRAY['failed', 'cancelled']
    WHEN 'prioritise' THEN ARRAY['created', 'retry'] WHEN 'reschedule' THEN ARRAY['created', 'retry'] END;
  v_wrong text;
BEGIN
  IF v_statuses IS NULL THEN
    RETURN format('expected cancel, retry, prioritise or reschedule, got %L', p_change);
  END IF;
  v_wrong := (SELECT k.name FROM jsonb_object_keys(p_filter) AS k (name) WHERE k.name <> ALL (c_keys) LIMIT 1);
  IF v_wrong IS NOT NULL OR jsonb_strip_nulls(p_filter) - 'until' = '{}' THEN
    RETURN format('expected a filter of %s, got %s', array_to_string(c_keys, ', '), coalesce(v_wrong, 'none'));
  END IF;
  v_wrong := (SELECT s.name FROM unnest(zeke_jobs.statuses_of(p_change, p_filter)) AS s (name) WHERE s.name <> ALL (v_statuses) LIMIT 1);
  IF v_wrong IS NOT NULL THEN
    RETURN format('expected status %s of jobs to %s, got %s', array_to_string(v_statuses, ', '), p_change, v_wrong);
  END IF;
  RETURN NULL;
END
$$;

CREATE FUNCTION zeke_jobs.unfit_json(p_value jsonb, p_size integer) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $_$
  SELECT CASE
    WHEN p_value @? 'strict $.**{100} ? (@.type() == "object" || @.type() == "array")'
      THEN 'expected at most 100 lists and objects inside each other, got more'
    WHEN p_size > 308 AND p_value @? 'strict $.** ? (@ > 1.7976931348623157e308 || @ < -1.7976931348623157e308)'
      THEN 'expected numbers of at most 1.7976931348623157e+308, got a larger one'
  END
$_$;

CREATE FUNCTION zeke_jobs.unfit_message(p_message jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
DECLARE
  v_rest jsonb;
  v_unfit text;
BEGIN
  IF jsonb_typeof(p_message) <> 'object' THEN
    RETURN format('expected a message as object, got %s', jsonb_typeof(p_message));
  END IF;
  SELECT format('expected %s of a message as %s, got %s', f.name, f.type, coalesce(jsonb_typeof(f.value), 'none')) INTO v_unfit
  FROM (VALUES
    ('actor_name', 'string', p_message -> 'actor_name', false), ('args', 'array', p_message -> 'args', true),
    ('kwargs', 'object', p_message -> 'kwargs', true), ('options', 'object', p_message -> 'options', true),
    ('message_timestamp', 'number', p_message -> 'message_timestamp', true), ('eta', 'number', p_message #> '{options,eta}', true)
  ) AS f (name, type, value, may_be_absent)
  WHERE coalesce(jsonb_typeof(f.value), 'null') <> f.type AND NOT (f.may_be_absent AND coalesce(f.value, 'null') = 'null')
  LIMIT 1;
  IF v_unfit IS NOT NULL THEN
    RETURN v_unfit;
  END IF;
  v_rest := p_message - 'kwargs';
  RETURN coalesce(
    zeke_jobs.unfit_options(jsonb_strip_nulls(jsonb_build_object(
      'traceparent', coalesce(p_message #> '{options,traceparent}', 'null'), 'retry', p_message #> '{options,retry}',
      'timeout', p_message #> '{options,timeout}'))),
    zeke_jobs.unfit_json(v_rest, octet_length(v_rest::text)),
    zeke_jobs.unfit_payload(coalesce(nullif(p_message -> 'kwargs', 'null'), '{}')));
END
$$;

CREATE FUNCTION zeke_jobs.unfit_options(p_options jsonb) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
  SELECT CASE
    WHEN p_options ->> 'key' = '' THEN 'expected key of 1 to 1024 bytes, got 0'
    WHEN octet_length(p_options ->> 'key') > 1024 OR octet_length(p_options ->> 'idempotency_key') > 1024
      OR octet_length(p_options ->> 'unique_key') > 1024
      THEN 'expected key, unique_key and idempotency_key of at most 1024 bytes, got more'
    WHEN jsonb_typeof(p_options -> 'traceparent') NOT IN ('string', 'null') OR octet_length(p_options ->> 'traceparent') > 256
      THEN format('expected traceparent as text of at most 256 bytes, got %s', jsonb_typeof(p_options -> 'traceparent'))
    WHEN p_options ?| ARRAY['retry', 'timeout', 'keep'] AND zeke_jobs.unfit_wishes(p_options) IS NOT NULL
      THEN zeke_jobs.unfit_wishes(p_options)
    WHEN jsonb_typeof(p_options -> 'carried') NOT IN ('object', 'null') OR octet_length(p_options ->> 'carried') > 16384
      THEN format('expected carried as an object of at most 16 KiB, got %s', jsonb_typeof(p_options -> 'carried'))
    WHEN p_options ? 'carried' THEN zeke_jobs.unfit_json(p_options -> 'carried', octet_length(p_options ->> 'carried'))
  END
$$;

CREATE FUNCTION zeke_jobs.unfit_payload(p_payload jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
DECLARE
  v_size integer;
BEGIN
  -- Most payloads are too short for any fault below: a hundred levels take two hundred brackets.
  IF jsonb_typeof(p_payload) = 'object' AND octet_length(p_payload::text) < 200 THEN
    RETURN NULL;
  END IF;
  IF jsonb_typeof(p_payload) IS DISTINCT FROM 'object' THEN
    RETURN format('expected a JSON object, got %s', coalesce(jsonb_typeof(p_payload), 'NULL'));
  END IF;
  v_size := zeke_jobs.json_size(p_payload);
  IF v_size > 1048576 THEN
    RETURN format('expected at most 1 MiB, got %s bytes', v_size);
  END IF;
  RETURN zeke_jobs.unfit_json(p_payload, v_size);
END
$$;

CREATE FUNCTION zeke_jobs.unfit_units(p_task text, p_units jsonb) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  v_most jsonb := zeke_jobs.units_of(p_task);
BEGIN
  IF jsonb_typeof(p_units) <> 'object' THEN
    RETURN format('expected units as an object, got %s', jsonb_typeof(p_units));
  END IF;
  RETURN (
    SELECT CASE
      WHEN NOT v_most ? u.key THEN format('expected a unit that a limit of %s counts, got %s', p_task, u.key)
      WHEN jsonb_typeof(u.value) <> 'number' OR u.value < '0' THEN format('expected %s as a number of at least 0, got %s', u.key, u.value)
      ELSE format('expected at most the %s %s that a limit of %s allows, got %s', v_most ->> u.key, u.key, p_task, u.value) END
    FROM jsonb_each(p_units) AS u
    WHERE NOT v_most ? u.key OR jsonb_typeof(u.value) <> 'number' OR u.value < '0' OR u.value > v_most -> u.key
    LIMIT 1);
END
$$;

CREATE FUNCTION zeke_jobs.unfit_wishes(p_options jsonb) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    AS $$
DECLARE
  v_retry jsonb := zeke_jobs.retry_rule(p_options -> 'retry');
  v_wrong text;
BEGIN
  v_wrong := (SELECT k.name FROM jsonb_object_keys(v_retry) AS k (name) WHERE k.name NOT IN ('limit', 'delay', 'max_delay') LIMIT 1);
  IF v_wrong IS NOT NULL THEN
    RETURN format('expected retry with limit, delay and max_delay, got %s', v_wrong);
  END IF;
  IF (v_retry ->> 'limit')::numeric NOT BETWEEN 0 AND 1000 OR (v_retry ->> 'limit')::numeric % 1 <> 0 THEN
    RETURN format('expected 0 to 1000 retries, got %s', v_retry ->> 'limit');
  END IF;
  v_wrong := (
    SELECT w.name FROM (VALUES
      ('retry.delay', v_retry -> 'delay', interval '0'), ('retry.max_delay', v_retry -> 'max_delay', interval '0'),
      ('timeout', p_options -> 'timeout', interval '1 millisecond'), ('keep', p_options -> 'keep', interval '0')
    ) AS w (name, given, least)
    WHERE zeke_jobs.length_of(w.given) NOT BETWEEN w.least AND interval '36525 days' LIMIT 1);
  IF v_wrong IS NOT NULL THEN
    RETURN format('expected %s of 0 seconds to 100 years, got another length', v_wrong);
  END IF;
  RETURN NULL;
EXCEPTION WHEN data_exception THEN
  RETURN format('expected retry as a number or an object, timeout and keep as seconds or intervals, got %s',
    p_options - (SELECT array_agg(k.name) FROM jsonb_object_keys(p_options) AS k (name) WHERE k.name NOT IN ('retry', 'timeout', 'keep')));
END
$$;

CREATE FUNCTION zeke_jobs.unique_key(p_task zeke_jobs.task, p_fields text[], p_payload jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
  SELECT (p_task).id || ' ' || left(encode(sha256(convert_to(coalesce(
    (SELECT jsonb_object_agg(f, coalesce(p_payload -> f, (p_task).payload_schema #> ARRAY['properties', f, 'default']))
     FROM unnest(p_fields) AS f),
    p_payload)::text, 'UTF8')), 'hex'), 32)
$$;

CREATE FUNCTION zeke_jobs.unique_rule(p_task zeke_jobs.task, p_option jsonb, OUT fields text[], OUT held_while text, OUT period interval) RETURNS record
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
BEGIN
  fields := p_task.unique_fields;
  held_while := coalesce(p_task.unique_while, 'queued');
  period := p_task.unique_period;
  CASE coalesce(jsonb_typeof(p_option), 'null')
    WHEN 'null' THEN
      RETURN;
    WHEN 'boolean' THEN
      fields := CASE WHEN p_option::boolean THEN coalesce(fields, '{}') END;
      RETURN;
    WHEN 'string' THEN
      fields := ARRAY[p_option #>> '{}'];
    WHEN 'array' THEN
      fields := ARRAY(SELECT jsonb_array_elements_text(p_option));
    WHEN 'object' THEN
      IF p_option ? 'fields' THEN
        fields := ARRAY(SELECT jsonb_array_elements_text(p_option -> 'fields'));
      END IF;
      period := coalesce((p_option ->> 'period')::interval, period);
      held_while := coalesce(p_option ->> 'while', CASE WHEN p_option ? 'period' THEN 'period' END, held_while);
    ELSE
      RAISE EXCEPTION 'expected unique as a field, a list of fields or {"fields", "while", "period"}, got %', p_option
        USING ERRCODE = 'invalid_parameter_value';
  END CASE;
  fields := ARRAY(
    SELECT coalesce(
      (SELECT p.name FROM jsonb_object_keys(p_task.payload_schema -> 'properties') AS p (name)
       WHERE f = p.name OR f = zeke_jobs.camel(p.name)),
      f)
    FROM unnest(fields) AS f);
  IF held_while NOT IN ('queued', 'active', 'period') OR held_while = 'period' AND period IS NULL THEN
    RAISE EXCEPTION 'expected unique while queued, active or for a period, got %', p_option
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
END
$$;

CREATE FUNCTION zeke_jobs.units_fit(p_task zeke_jobs.task, p_units jsonb, p_now timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
  RETURN NOT EXISTS (
    SELECT 1 FROM zeke_jobs.meter AS m
    LEFT JOIN zeke_jobs.unit_average AS a ON a.task = p_task.id AND a.unit = m.unit
    CROSS JOIN LATERAL (SELECT m.amount - zeke_jobs.taken(m.gate, m.unit, '', p_now) AS room) AS r
    WHERE m.gate = ANY (p_task.gates) AND NOT m.per_key AND (r.room <= 0 OR r.room < least(
      m.amount, coalesce((p_units ->> m.unit)::numeric, a.average, (p_task.units ->> m.unit)::numeric, 0))));
END
$$;

CREATE FUNCTION zeke_jobs.units_of(p_task text) RETURNS jsonb
    LANGUAGE sql STABLE
    AS $$
  SELECT coalesce(jsonb_object_agg(m.unit, m.most), '{}')
  FROM (
    SELECT m.unit, min(m.amount) AS most
    FROM zeke_jobs.task AS t JOIN zeke_jobs.meter AS m ON m.gate = ANY (t.gates) AND NOT m.per_key
    WHERE t.id = p_task GROUP BY m.unit) AS m
$$;

CREATE FUNCTION zeke_jobs.unsee() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  NEW.key_seen := false;
  RETURN NEW;
END
$$;

CREATE FUNCTION zeke_jobs.value_of_change(p_change text, p_value jsonb, p_now timestamp with time zone) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    AS $$
BEGIN
  IF p_change = 'prioritise' AND jsonb_typeof(p_value -> 'priority') IS DISTINCT FROM 'number' THEN
    RAISE EXCEPTION 'expected priority as a number, got %', p_value USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF p_change <> 'reschedule' THEN
    RETURN p_value;
  END IF;
  IF p_value ->> 'run_at' IS NULL AND p_value ->> 'delay' IS NULL THEN
    RAISE EXCEPTION 'expected run_at or delay, got %', p_value USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN jsonb_build_object(
    'run_at', zeke_jobs.moment(p_value, 'run_at', p_now, zeke_jobs.moment(p_value, 'delay', p_now, NULL)));
END
$$;

CREATE FUNCTION zeke_jobs.wait_for(p_worker uuid, p_id uuid, p_claim bigint, p_event text, p_delay double precision, p_after double precision, p_revision integer, p_took double precision) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_wait zeke_jobs.wait;
BEGIN
  -- Lock the event before the job's row, in the same order as deliver_event.
  PERFORM zeke_jobs.lock_event(p_event);
  PERFORM 1 FROM zeke_jobs.queue AS q WHERE q.message_id = p_id AND q.claim = p_claim AND q.worker = p_worker FOR UPDATE;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
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
END
$$;

CREATE FUNCTION zeke_jobs.with_counts(p_payload jsonb, p_batch text) RETURNS jsonb
    LANGUAGE sql STABLE
    AS $_$
  SELECT coalesce(jsonb_object_agg(f.name, CASE
    WHEN jsonb_typeof(f.value) = 'object' AND f.value ? '$batch' THEN coalesce(to_jsonb(s) -> (f.value ->> '$batch'), 'null')
    ELSE f.value END), '{}')
  FROM jsonb_each(p_payload) AS f (name, value)
  LEFT JOIN (
    SELECT b.id, b.jobs, b.completed, b.failed, b.cancelled FROM zeke_jobs.batch_state AS b WHERE b.id = p_batch) AS s ON true
$_$;

CREATE FUNCTION zeke_jobs.write_limits(p_gates jsonb) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
  v_tasks text[];
BEGIN
  LOCK TABLE zeke_jobs.gate IN EXCLUSIVE MODE;
  INSERT INTO zeke_jobs.gate AS g (name, concurrency, rate_count, rate_period, metered, least, raise_every,
    breaker_failures, breaker_share, breaker_within, breaker_pause)
  SELECT w.name, w.concurrency, w.rate_count, w.rate_period, coalesce(w.metered, false), w.least, w.raise_every,
    w.breaker_failures, w.breaker_share, w.breaker_within, w.breaker_pause
  FROM jsonb_to_recordset(p_gates) AS w (name text, concurrency integer, rate_count integer, rate_period interval, metered boolean,
    least integer, raise_every interval, breaker_failures integer, breaker_share double precision, breaker_within interval,
    breaker_pause interval)
  ORDER BY w.name
  ON CONFLICT (name) DO UPDATE
  SET concurrency = excluded.concurrency, rate_count = excluded.rate_count, rate_period = excluded.rate_period,
    metered = excluded.metered, least = excluded.least, raise_every = excluded.raise_every,
    breaker_failures = excluded.breaker_failures, breaker_share = excluded.breaker_share,
    breaker_within = excluded.breaker_within, breaker_pause = excluded.breaker_pause,
    -- If a limit loses its breaker, the pause of this breaker ends.
    tripped_on = CASE WHEN excluded.breaker_pause IS NOT NULL THEN g.tripped_on END,
    closed_until = CASE WHEN excluded.breaker_pause IS NOT NULL OR g.tripped_on IS NULL THEN g.closed_until END,
    closed_by = CASE WHEN excluded.breaker_pause IS NOT NULL OR g.tripped_on IS NULL THEN g.closed_by END
  WHERE (g.concurrency, g.rate_count, g.rate_period, g.metered, g.least, g.raise_every, g.breaker_failures, g.breaker_share,
      g.breaker_within, g.breaker_pause)
    IS DISTINCT FROM (excluded.concurrency, excluded.rate_count, excluded.rate_period, excluded.metered, excluded.least,
      excluded.raise_every, excluded.breaker_failures, excluded.breaker_share, excluded.breaker_within, excluded.breaker_pause);
  -- Starts under a task's former name count for its new name, for the period of the new rate. Skip rows of jobs that are just ending: a worker may
  -- have locked them while it waits for the limits.
  UPDATE zeke_jobs.meter_use AS u
  SET gate = w.name
  FROM jsonb_to_recordset(p_gates) AS w (name text, former text[])
  WHERE u.ctid = ANY (ARRAY(
    SELECT o.ctid FROM zeke_jobs.meter_use AS o WHERE o.gate = ANY (w.former) FOR UPDATE SKIP LOCKED));
  DELETE FROM zeke_jobs.meter AS m
  WHERE NOT EXISTS (
    SELECT 1 FROM jsonb_to_recordset(p_gates) AS w (name text, meters jsonb)
    CROSS JOIN LATERAL jsonb_to_recordset(w.meters) AS n (unit text, per_key boolean)
    WHERE w.name = m.gate AND n.unit = m.unit AND n.per_key = m.per_key);
  WITH written AS (
    INSERT INTO zeke_jobs.meter AS m (gate, unit, per_key, amount, period, zone)
    SELECT w.name, n.unit, n.per_key, n.amount, n.period, n.zone
    FROM jsonb_to_recordset(p_gates) AS w (name text, meters jsonb)
    CROSS JOIN LATERAL jsonb_to_recordset(w.meters) AS n (unit text, per_key boolean, amount numeric, period interval, zone text)
    ON CONFLICT ON CONSTRAINT meter_pkey DO UPDATE SET amount = excluded.amount, period = excluded.period, zone = excluded.zone
    WHERE (m.amount, m.period, m.zone) IS DISTINCT FROM (excluded.amount, excluded.period, excluded.zone)
    RETURNING m.gate, m.per_key
  )
  SELECT array_agg(substr(w.gate, length('task/') + 1)) FILTER (WHERE w.per_key) INTO v_tasks FROM written AS w;
  UPDATE zeke_jobs.meter_use AS u
  SET lasts = r.lasts, ends_on = u.ends_on + (r.lasts - u.lasts)
  FROM (
    SELECT g.name AS gate, 'jobs' AS unit, false AS per_key, zeke_jobs.counts_for(g.rate_period) AS lasts FROM zeke_jobs.gate AS g
    UNION ALL
    SELECT m.gate, m.unit, m.per_key, zeke_jobs.counts_for(m.period) FROM zeke_jobs.meter AS m
  ) AS r
  WHERE u.ctid = ANY (ARRAY(
    SELECT o.ctid FROM zeke_jobs.meter_use AS o
    WHERE o.gate = r.gate AND o.unit = r.unit AND (o.key <> '') = r.per_key AND o.lasts <> r.lasts
    FOR UPDATE SKIP LOCKED));
  DELETE FROM zeke_jobs.gate AS g
  WHERE NOT EXISTS (SELECT 1 FROM jsonb_to_recordset(p_gates) AS w (name text) WHERE w.name = g.name);
  DELETE FROM zeke_jobs.meter_use AS u
  WHERE u.ctid = ANY (ARRAY(
    SELECT o.ctid FROM zeke_jobs.meter_use AS o WHERE NOT EXISTS (SELECT 1 FROM zeke_jobs.gate AS g WHERE g.name = o.gate)
    FOR UPDATE SKIP LOCKED));
  PERFORM zeke_jobs.renew_key_waits(v_tasks);
END
$$;

CREATE FUNCTION zeke_jobs.write_tasks(p_revision integer, p_tasks jsonb) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
  INSERT INTO zeke_jobs.task AS t (id, aliases, queue, description, definition, payload_schema, priority, per_key, gates,
    retry_limit, max_queued, order_hold, unique_fields, unique_while, unique_period, sensitive, cron, paused, metered, units, revision)
  SELECT w.id, w.aliases, w.queue, w.description, w.definition, w.payload_schema, w.priority, w.per_key, w.gates,
    w.retry_limit, w.max_queued, w.order_hold, w.unique_fields, w.unique_while, w.unique_period, w.sensitive, w.cron, w.paused, coalesce(w.metered, false), coalesce(w.units, '{}'),
    p_revision
  FROM jsonb_to_recordset(p_tasks) AS w (id text, aliases text[], queue text, description text, definition jsonb,
    payload_schema jsonb, priority integer, per_key integer, gates text[], retry_limit integer, max_queued integer, order_hold boolean,
    unique_fields text[], unique_while text, unique_period interval, sensitive text[], cron jsonb, paused boolean,
    metered boolean, units jsonb)
  ON CONFLICT (id) DO UPDATE
  SET aliases = excluded.aliases, queue = excluded.queue, description = excluded.description,
    definition = excluded.definition, payload_schema = excluded.payload_schema, priority = excluded.priority,
    per_key = excluded.per_key, gates = excluded.gates, retry_limit = excluded.retry_limit,
    max_queued = excluded.max_queued, order_hold = excluded.order_hold, unique_fields = excluded.unique_fields, unique_while = excluded.unique_while,
    unique_period = excluded.unique_period, sensitive = excluded.sensitive, cron = excluded.cron,
    paused = excluded.paused, metered = excluded.metered, units = excluded.units, revision = excluded.revision
  WHERE (t.aliases, t.queue, t.description, t.definition, t.payload_schema, t.priority, t.per_key, t.gates, t.retry_limit,
      t.max_queued, t.order_hold, t.unique_fields, t.unique_while, t.unique_period, t.sensitive, t.cron, t.paused, t.metered,
      t.units)
    IS DISTINCT FROM (excluded.aliases, excluded.queue, excluded.description, excluded.definition,
      excluded.payload_schema, excluded.priority, excluded.per_key, excluded.gates, excluded.retry_limit,
      excluded.max_queued, excluded.order_hold, excluded.unique_fields, excluded.unique_while, excluded.unique_period, excluded.sensitive,
      excluded.cron, excluded.paused, excluded.metered, excluded.units);
  DELETE FROM zeke_jobs.task AS t
  WHERE NOT EXISTS (SELECT 1 FROM jsonb_to_recordset(p_tasks) AS w (id text) WHERE w.id = t.id);
  -- Averages under a task's former name count for its new name. Skip locked rows, as in write_limits.
  WITH former AS (
    DELETE FROM zeke_jobs.unit_average AS a
    WHERE a.ctid = ANY (ARRAY(
      SELECT o.ctid FROM zeke_jobs.unit_average AS o JOIN jsonb_to_recordset(p_tasks) AS w (aliases text[]) ON o.task = ANY (w.aliases)
      FOR UPDATE OF o SKIP LOCKED))
    RETURNING a.*
  )
  INSERT INTO zeke_jobs.unit_average (task, unit, average, jobs)
  SELECT w.id, f.unit, f.average, f.jobs
  FROM former AS f JOIN jsonb_to_recordset(p_tasks) AS w (id text, aliases text[]) ON f.task = ANY (w.aliases)
  ON CONFLICT DO NOTHING;
END
$$;

CREATE TABLE zeke_jobs.history (
    id uuid NOT NULL,
    name text NOT NULL,
    state zeke_jobs.job_status NOT NULL,
    queue text NOT NULL,
    priority integer NOT NULL,
    key text,
    attempt integer NOT NULL,
    deaths integer NOT NULL,
    parent uuid,
    scheduled_for timestamp with time zone,
    revision integer,
    run_at timestamp with time zone NOT NULL,
    created_on timestamp with time zone NOT NULL,
    started_on timestamp with time zone,
    completed_on timestamp with time zone NOT NULL,
    purged_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    cost numeric,
    currency text,
    is_sensitive boolean DEFAULT false NOT NULL,
    seq bigint,
    claimed_on timestamp with time zone,
    expires_on timestamp with time zone,
    attempts jsonb,
    batch text
);

COMMENT ON TABLE zeke_jobs.history IS 'Jobs whose rows were removed at the end of their retention.';

COMMENT ON COLUMN zeke_jobs.history.cost IS 'What the job cost, where somebody knows; NULL is unknown, not nothing.';

COMMENT ON COLUMN zeke_jobs.history.currency IS 'What the cost is counted in, as ISO 4217 has it; NULL while the cost is.';

COMMENT ON COLUMN zeke_jobs.history.is_sensitive IS 'Its key quoted a sensitive field of its payload: views mask it.';

COMMENT ON COLUMN zeke_jobs.history.seq IS 'Order of arrival.';

COMMENT ON COLUMN zeke_jobs.history.claimed_on IS 'When the last attempt was claimed.';

COMMENT ON COLUMN zeke_jobs.history.expires_on IS 'Cancelled if it had not started by then.';

COMMENT ON COLUMN zeke_jobs.history.attempts IS 'Every attempt that did not complete: times, outcome, type of error; NULL is unknown.';

COMMENT ON COLUMN zeke_jobs.history.batch IS 'The batch that it belonged to.';

CREATE VIEW pgboss.archive AS
 SELECT h.id,
    h.name,
    h.priority,
    NULL::jsonb AS data,
    h.state,
    COALESCE(t.retry_limit, 0) AS retry_limit,
    GREATEST((h.attempt - 1), 0) AS retry_count,
    h.run_at AS start_after,
    h.started_on,
    h.created_on,
    h.completed_on,
    h.purged_on AS archived_on,
    NULL::jsonb AS output,
    COALESCE(t.retry_limit, 0) AS retrylimit,
    GREATEST((h.attempt - 1), 0) AS retrycount,
    h.run_at AS startafter,
    h.started_on AS startedon,
    h.created_on AS createdon,
    h.completed_on AS completedon,
    h.purged_on AS archivedon
   FROM (zeke_jobs.history h
     LEFT JOIN zeke_jobs.task t ON ((t.id = h.name)));

COMMENT ON VIEW pgboss.archive IS 'Jobs whose rows were removed. data and output are NULL: they went with the rows.';

CREATE VIEW zeke_jobs.job AS
 SELECT q.message_id AS id,
    q.task AS name,
    zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on, q.waits) AS state,
    q.queue_name AS queue,
    q.priority,
        CASE
            WHEN (s.fields IS NULL) THEN (q.message -> 'kwargs'::text)
            ELSE zeke_jobs.mask((q.message -> 'kwargs'::text), s.fields)
        END AS data,
        CASE
            WHEN ((q.state <> 'done'::zeke_jobs.state) OR (q.result = 'null'::jsonb)) THEN NULL::jsonb
            WHEN (s.fields IS NULL) THEN q.result
            ELSE zeke_jobs.mask(q.result, s.fields, (q.message -> 'kwargs'::text))
        END AS output,
        CASE
            WHEN ((q.state = 'rejected'::zeke_jobs.state) AND (q.cancelled_on IS NOT NULL)) THEN jsonb_build_object('type', 'Cancelled', 'message', COALESCE(
            CASE
                WHEN (s.fields IS NULL) THEN q.cancel_reason
                ELSE zeke_jobs.mask_text(q.cancel_reason, (q.message -> 'kwargs'::text), s.fields)
            END, 'cancelled'::text))
            WHEN ((q.state = 'rejected'::zeke_jobs.state) OR ((q.attempt > 0) AND (q.state = 'queued'::zeke_jobs.state))) THEN ( SELECT
                    CASE
                        WHEN s.grown THEN jsonb_build_object('type', (a.value #> '{error,type}'::text[]), 'message', '***')
                        ELSE (a.value -> 'error'::text)
                    END AS "case"
               FROM jsonb_array_elements(
                    CASE jsonb_typeof(q.attempts)
                        WHEN 'array'::text THEN q.attempts
                        ELSE '[]'::jsonb
                    END) WITH ORDINALITY a(value, n)
              WHERE (a.value ? 'error'::text)
              ORDER BY a.n DESC
             LIMIT 1)
            ELSE NULL::jsonb
        END AS error,
    GREATEST((q.attempt - 1), 0) AS retry_count,
    COALESCE(zeke_jobs.integer_of((q.message #> '{options,retry,limit}'::text[])), t.retry_limit, 0) AS retry_limit,
    q.attempt,
        CASE
            WHEN s.grown THEN zeke_jobs.brief_attempts(q.attempts)
            ELSE q.attempts
        END AS attempts,
    q.deaths,
        CASE
            WHEN (s.grown AND (jsonb_typeof(q.progress) = 'object'::text)) THEN (q.progress || '{"note": "***"}'::jsonb)
            ELSE q.progress
        END AS progress,
        CASE
            WHEN s.grown THEN
            CASE
                WHEN (q.waiting_for IS NOT NULL) THEN '***'::text
                ELSE NULL::text
            END
            WHEN (s.fields IS NULL) THEN q.waiting_for
            ELSE zeke_jobs.mask_text(q.waiting_for, (q.message -> 'kwargs'::text), s.fields)
        END AS waiting_for,
        CASE
            WHEN (s.fields IS NULL) THEN q.key
            ELSE zeke_jobs.mask_text(q.key, (q.message -> 'kwargs'::text), s.fields)
        END AS key,
        CASE
            WHEN (s.fields IS NULL) THEN q.unique_key
            ELSE zeke_jobs.mask_text(q.unique_key, (q.message -> 'kwargs'::text), s.fields)
        END AS unique_key,
        CASE
            WHEN (s.fields IS NULL) THEN q.idempotency_key
            ELSE zeke_jobs.mask_text(q.idempotency_key, (q.message -> 'kwargs'::text), s.fields)
        END AS idempotency_key,
    q.parent,
    q.scheduled_for,
    q.revision,
    q.worker,
    q.run_at AS start_after,
    q.expires_on,
    q.created_on,
    q.started_on,
    q.completed_on,
    q.cancelled_on,
        CASE
            WHEN (s.fields IS NULL) THEN q.cancel_reason
            ELSE zeke_jobs.mask_text(q.cancel_reason, (q.message -> 'kwargs'::text), s.fields)
        END AS cancel_reason,
    q.cost,
    q.currency,
        CASE
            WHEN (s.fields IS NULL) THEN q.batch
            ELSE zeke_jobs.mask_text(q.batch, (q.message -> 'kwargs'::text), s.fields)
        END AS batch
   FROM ((zeke_jobs.queue q
     LEFT JOIN zeke_jobs.task t ON ((t.id = q.task)))
     CROSS JOIN LATERAL ( SELECT NULLIF((q.sensitive || n.fields), '{}'::text[]) AS fields,
            (NOT (n.fields <@ COALESCE(q.sensitive, '{}'::text[]))) AS grown
           FROM ( SELECT COALESCE(t.sensitive, ( SELECT a.sensitive
                           FROM zeke_jobs.task a
                          WHERE (q.task = ANY (a.aliases))
                         LIMIT 1), '{}'::text[]) AS fields) n) s);

COMMENT ON VIEW zeke_jobs.job IS 'All jobs, in the words of pg-boss. Sensitive fields are masked.';

CREATE VIEW pgboss.job AS
 SELECT j.id,
    j.name,
    j.priority,
    zeke_jobs.rename_keys(j.data, t.payload_schema, t.payload_schema, true) AS data,
    j.state,
    j.retry_limit,
    j.retry_count,
    zeke_jobs.seconds_of((t.definition #>> '{retry,delay}'::text[])) AS retry_delay,
    COALESCE(((t.definition #> '{retry,factor}'::text[]) > '1'::jsonb), false) AS retry_backoff,
    j.start_after,
    j.started_on,
    j.unique_key AS singleton_key,
    NULL::timestamp with time zone AS singleton_on,
    zeke_jobs.length_of((t.definition ->> 'timeout'::text)) AS expire_in,
    j.created_on,
    j.completed_on,
    (j.completed_on + zeke_jobs.length_of((t.definition #>> ARRAY['keep'::text, (j.state)::text]))) AS keep_until,
        CASE
            WHEN (j.state = ANY (ARRAY['failed'::zeke_jobs.job_status, 'cancelled'::zeke_jobs.job_status, 'retry'::zeke_jobs.job_status])) THEN j.error
            ELSE j.output
        END AS output,
    NULL::text AS dead_letter,
    'standard'::text AS policy,
    zeke_jobs.seconds_of((t.definition #>> '{retry,max_delay}'::text[])) AS retry_delay_max,
    zeke_jobs.seconds_of((t.definition ->> 'timeout'::text)) AS expire_seconds,
    zeke_jobs.seconds_of((t.definition #>> '{keep,completed}'::text[])) AS deletion_seconds,
    NULL::text AS group_id,
    NULL::text AS group_tier,
    NULL::timestamp with time zone AS heartbeat_on,
    NULL::integer AS heartbeat_seconds,
    false AS blocked,
    false AS blocking,
    0 AS pending_dependencies,
    NULL::text AS source_name,
    NULL::uuid AS source_id,
    NULL::timestamp with time zone AS source_created_on,
    NULL::integer AS source_retry_count,
    j.retry_limit AS retrylimit,
    j.retry_count AS retrycount,
    zeke_jobs.seconds_of((t.definition #>> '{retry,delay}'::text[])) AS retrydelay,
    COALESCE(((t.definition #> '{retry,factor}'::text[]) > '1'::jsonb), false) AS retrybackoff,
    j.start_after AS startafter,
    j.started_on AS startedon,
    j.unique_key AS singletonkey,
    NULL::timestamp with time zone AS singletonon,
    zeke_jobs.length_of((t.definition ->> 'timeout'::text)) AS expirein,
    j.created_on AS createdon,
    j.completed_on AS completedon,
    (j.completed_on + zeke_jobs.length_of((t.definition #>> ARRAY['keep'::text, (j.state)::text]))) AS keepuntil,
    false AS on_complete
   FROM (zeke_jobs.job j
     LEFT JOIN zeke_jobs.task t ON ((t.id = j.name)));

COMMENT ON VIEW pgboss.job IS 'zeke_jobs.job with the columns of pg-boss, both in snake_case and as its version 9 spelled them; data in camelCase.';

CREATE TABLE zeke_jobs.revision (
    number integer NOT NULL,
    digest text NOT NULL,
    source text NOT NULL,
    applied_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    applied_by text NOT NULL,
    message text DEFAULT ''::text NOT NULL,
    origin text DEFAULT 'boot'::text NOT NULL,
    overrides jsonb DEFAULT '[]'::jsonb NOT NULL,
    CONSTRAINT revision_origin CHECK ((origin = ANY (ARRAY['boot'::text, 'apply'::text, 'rollback'::text, 'set'::text, 'revert'::text])))
);

COMMENT ON TABLE zeke_jobs.revision IS 'Every jobs.yaml that was put in force; the highest number is in force.';

COMMENT ON COLUMN zeke_jobs.revision.origin IS 'What made it: a booting process, a command, or an override whose time was over.';

COMMENT ON COLUMN zeke_jobs.revision.overrides IS 'What is set beside the text: path, value, by, why, set_on; until or drains say when it ends by itself, beneath what comes back then.';

CREATE VIEW pgboss.queue AS
 SELECT t.id AS name,
    'standard'::text AS policy,
    t.retry_limit,
    zeke_jobs.seconds_of((t.definition #>> '{retry,delay}'::text[])) AS retry_delay,
    COALESCE(((t.definition #> '{retry,factor}'::text[]) > '1'::jsonb), false) AS retry_backoff,
    zeke_jobs.seconds_of((t.definition #>> '{retry,max_delay}'::text[])) AS retry_delay_max,
    zeke_jobs.seconds_of((t.definition ->> 'timeout'::text)) AS expire_seconds,
    NULL::integer AS retention_seconds,
    zeke_jobs.seconds_of((t.definition #>> '{keep,completed}'::text[])) AS deletion_seconds,
    NULL::text AS dead_letter,
    false AS partition,
    'job'::text AS table_name,
    COALESCE(c.deferred, 0) AS deferred_count,
    COALESCE(c.queued, 0) AS queued_count,
    COALESCE((c.queued - c.deferred), 0) AS ready_count,
    0 AS warning_queued,
    COALESCE(c.active, 0) AS active_count,
    COALESCE(c.failed, 0) AS failed_count,
    COALESCE(c.total, 0) AS total_count,
    NULL::text[] AS singletons_active,
    NULL::integer AS heartbeat_seconds,
    NULL::timestamp with time zone AS monitor_on,
    NULL::timestamp with time zone AS maintain_on,
    r.applied_on AS created_on,
    r.applied_on AS updated_on
   FROM ((zeke_jobs.task t
     LEFT JOIN zeke_jobs.revision r ON ((r.number = t.revision)))
     LEFT JOIN ( SELECT q.task,
            (count(*) FILTER (WHERE ((q.state = 'queued'::zeke_jobs.state) OR q.waits)))::integer AS queued,
            (count(*) FILTER (WHERE ((q.state = 'queued'::zeke_jobs.state) AND (q.run_at > zeke_jobs.now()))))::integer AS deferred,
            (count(*) FILTER (WHERE ((q.state = 'consumed'::zeke_jobs.state) AND (NOT q.waits))))::integer AS active,
            (count(*) FILTER (WHERE ((q.state = 'rejected'::zeke_jobs.state) AND (q.cancelled_on IS NULL))))::integer AS failed,
            (count(*))::integer AS total
           FROM zeke_jobs.queue q
          GROUP BY q.task) c ON ((c.task = t.id)));

COMMENT ON VIEW pgboss.queue IS 'Each task, with the columns of pg-boss''s queue.';

CREATE TABLE zeke_jobs.pause (
    target text NOT NULL,
    paused_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    paused_by text NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    CONSTRAINT pause_target CHECK ((target ~ '^(task|queue|limit|schedule)/.+'::text))
);

COMMENT ON TABLE zeke_jobs.pause IS 'What people paused: task/ID, queue/NAME, limit/NAME, schedule/ID. Outlives restarts and revisions.';

CREATE TABLE zeke_jobs.stored_schedule (
    name text NOT NULL,
    task text NOT NULL,
    cron jsonb NOT NULL,
    key text,
    put_by text,
    put_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    CONSTRAINT stored_schedule_name CHECK (((name ~ '^[^/]+/.+'::text) AND (octet_length(name) <= 200)))
);

COMMENT ON TABLE zeke_jobs.stored_schedule IS 'Schedules that programs put; zeke_jobs.schedule has these and those of jobs.yaml.';

COMMENT ON COLUMN zeke_jobs.stored_schedule.cron IS 'As zeke_jobs.task.cron.';

COMMENT ON COLUMN zeke_jobs.stored_schedule.put_on IS 'When it was put as it is now: no tick before that is sent.';

CREATE VIEW zeke_jobs.planned AS
 SELECT t.id AS schedule,
    t.id AS task,
    t.cron,
    t.sensitive,
    (t.id || t.aliases) AS names,
    NULL::text AS key,
    NULL::text AS put_by,
    r.applied_on AS begun_on
   FROM (zeke_jobs.task t
     LEFT JOIN zeke_jobs.revision r ON ((r.number = t.revision)))
  WHERE (jsonb_typeof(t.cron) = 'object'::text)
UNION ALL
 SELECT ((t.id || '/'::text) || (c.value ->> 'name'::text)) AS schedule,
    t.id AS task,
    (c.value - '{name,key}'::text[]) AS cron,
    t.sensitive,
    ARRAY( SELECT ((n.name || '/'::text) || (c.value ->> 'name'::text))
           FROM unnest((t.id || t.aliases)) n(name)) AS names,
    (c.value ->> 'key'::text) AS key,
    NULL::text AS put_by,
    r.applied_on AS begun_on
   FROM ((zeke_jobs.task t
     LEFT JOIN zeke_jobs.revision r ON ((r.number = t.revision)))
     CROSS JOIN LATERAL jsonb_array_elements(
        CASE jsonb_typeof(t.cron)
            WHEN 'array'::text THEN t.cron
            ELSE '[]'::jsonb
        END) c(value))
  WHERE (jsonb_typeof(c.value) = 'object'::text)
UNION ALL
 SELECT s.name AS schedule,
    t.id AS task,
    s.cron,
    t.sensitive,
    ARRAY[s.name] AS names,
    s.key,
    COALESCE(s.put_by, 'a program'::text) AS put_by,
    s.put_on AS begun_on
   FROM (zeke_jobs.stored_schedule s
     CROSS JOIN LATERAL ( SELECT o.id,
            o.sensitive
           FROM zeke_jobs.task o
          WHERE ((o.id = s.task) OR (s.task = ANY (o.aliases)))
          ORDER BY (o.id = s.task) DESC
         LIMIT 1) t)
  WHERE ((jsonb_typeof(s.cron) = 'object'::text) AND (NOT (EXISTS ( SELECT 1
           FROM (zeke_jobs.task o
             CROSS JOIN LATERAL jsonb_array_elements(
                CASE jsonb_typeof(o.cron)
                    WHEN 'array'::text THEN o.cron
                    ELSE '[]'::jsonb
                END) c(value))
          WHERE (s.name = ((o.id || '/'::text) || (c.value ->> 'name'::text)))))));

COMMENT ON VIEW zeke_jobs.planned IS 'The schedules in force as the scheduler reads them: nothing masked, so no role but operators and workers may read it.';

CREATE TABLE zeke_jobs.schedule_state (
    task text NOT NULL,
    cron text NOT NULL,
    timezone text NOT NULL,
    decided_to timestamp with time zone NOT NULL,
    next_tick timestamp with time zone,
    created_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL
);

COMMENT ON TABLE zeke_jobs.schedule_state IS 'How far each schedule has come. Its row is the lock under which ticks are decided.';

COMMENT ON COLUMN zeke_jobs.schedule_state.cron IS 'The line, and timezone the zone, that decided_to and next_tick belong to.';

COMMENT ON COLUMN zeke_jobs.schedule_state.decided_to IS 'All ticks up to here are decided.';

CREATE TABLE zeke_jobs.tick (
    task text NOT NULL,
    scheduled_for timestamp with time zone NOT NULL,
    outcome text NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    origin text DEFAULT 'schedule'::text NOT NULL,
    job uuid,
    decided_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    CONSTRAINT tick_origin CHECK ((origin = ANY (ARRAY['schedule'::text, 'backfill'::text]))),
    CONSTRAINT tick_outcome CHECK ((outcome = ANY (ARRAY['sent'::text, 'skipped'::text])))
);

COMMENT ON TABLE zeke_jobs.tick IS 'Each tick that was decided: sent, or skipped and why.';

COMMENT ON COLUMN zeke_jobs.tick.origin IS 'Who decided: the schedule in time, or a person later by a backfill.';

COMMENT ON COLUMN zeke_jobs.tick.job IS 'The job that was sent, or the one because of which none was.';

CREATE VIEW zeke_jobs.schedule AS
 SELECT t.task,
    (t.cron ->> 'at'::text) AS cron,
    (t.cron ->> 'timezone'::text) AS timezone,
    zeke_jobs.mask((t.cron -> 'payload'::text), t.sensitive) AS payload,
    (t.cron - '{at,timezone,payload,paused}'::text[]) AS options,
    l.scheduled_for AS last_tick,
    l.outcome AS last_outcome,
    l.reason AS last_reason,
    l.job AS last_job,
        CASE
            WHEN (l.outcome = 'skipped'::text) THEN 'skipped'::text
            WHEN (q.message_id IS NULL) THEN (h.state)::text
            ELSE (zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on, q.waits))::text
        END AS last_result,
        CASE
            WHEN ((s.cron = (t.cron ->> 'at'::text)) AND (s.timezone = (t.cron ->> 'timezone'::text))) THEN s.next_tick
            ELSE NULL::timestamp with time zone
        END AS next_tick,
    ((p.target IS NOT NULL) OR ((t.cron -> 'paused'::text) = 'true'::jsonb)) AS paused,
    COALESCE(p.paused_by,
        CASE
            WHEN ((t.cron -> 'paused'::text) = 'true'::jsonb) THEN COALESCE(t.put_by, 'jobs.yaml'::text)
            ELSE NULL::text
        END) AS paused_by,
    COALESCE(p.paused_on,
        CASE
            WHEN ((t.cron -> 'paused'::text) = 'true'::jsonb) THEN t.begun_on
            ELSE NULL::timestamp with time zone
        END) AS paused_on,
    p.reason AS pause_reason,
    LEAST(s.created_on, t.begun_on) AS created_on,
    COALESCE(t.begun_on, s.created_on) AS updated_on,
    t.schedule,
    t.key
   FROM (((((zeke_jobs.planned t
     LEFT JOIN zeke_jobs.schedule_state s ON ((s.task = t.schedule)))
     LEFT JOIN zeke_jobs.pause p ON ((p.target = ('schedule/'::text || t.schedule))))
     LEFT JOIN LATERAL ( SELECT k.scheduled_for,
            k.outcome,
            k.reason,
            k.job
           FROM zeke_jobs.tick k
          WHERE (k.task = t.schedule)
          ORDER BY k.scheduled_for DESC
         LIMIT 1) l ON (true))
     LEFT JOIN zeke_jobs.queue q ON ((q.message_id = l.job)))
     LEFT JOIN zeke_jobs.history h ON ((h.id = l.job)));

COMMENT ON VIEW zeke_jobs.schedule IS 'Schedules in force, with their last and next ticks.';

CREATE VIEW pgboss.schedule AS
 SELECT s.task AS name,
    COALESCE(NULLIF(s.schedule, s.task), ''::text) AS key,
    s.cron,
    s.timezone,
    zeke_jobs.rename_keys(s.payload, t.payload_schema, t.payload_schema, true) AS data,
    s.options,
    s.created_on,
    s.updated_on
   FROM (zeke_jobs.schedule s
     LEFT JOIN zeke_jobs.task t ON ((t.id = s.task)));

COMMENT ON VIEW pgboss.schedule IS 'zeke_jobs.schedule with the columns of pg-boss.';

CREATE TABLE zeke_jobs.schedule_beat (
    singleton boolean DEFAULT true NOT NULL,
    beat_on timestamp with time zone NOT NULL,
    scheduler uuid NOT NULL,
    CONSTRAINT schedule_beat_singleton CHECK (singleton)
);

COMMENT ON TABLE zeke_jobs.schedule_beat IS 'The last beat of any scheduler that got through all schedules.';

CREATE VIEW pgboss.version AS
 SELECT 26 AS version,
    ( SELECT b.beat_on
           FROM zeke_jobs.schedule_beat b) AS cron_on;

COMMENT ON VIEW pgboss.version IS 'The number of the schema of pg-boss whose columns these views have at least, and when a scheduler was last at work.';

CREATE TABLE zeke_jobs.audit (
    number bigint NOT NULL,
    done_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    login text DEFAULT SESSION_USER NOT NULL,
    said_by text,
    action text NOT NULL,
    target text NOT NULL,
    reason text,
    jobs uuid[]
);

COMMENT ON TABLE zeke_jobs.audit IS 'Who changed what by hand. Rows are added and never changed; they go after 400 days.';

COMMENT ON COLUMN zeke_jobs.audit.login IS 'The database user, as the server knows it; behind a pooler that of the pool.';

COMMENT ON COLUMN zeke_jobs.audit.said_by IS 'Who the caller said it was: user@host of a command line.';

COMMENT ON COLUMN zeke_jobs.audit.jobs IS 'The jobs that were changed.';

ALTER TABLE zeke_jobs.audit ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME zeke_jobs.audit_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE zeke_jobs.batch (
    id text NOT NULL,
    task text,
    payload jsonb,
    after_failure text DEFAULT 'send'::text NOT NULL,
    parts integer DEFAULT 0 NOT NULL,
    first_job uuid,
    created_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    cancelled_on timestamp with time zone,
    ended_on timestamp with time zone,
    then_job uuid,
    then_outcome text,
    CONSTRAINT batch_after_failure CHECK ((after_failure = ANY (ARRAY['send'::text, 'hold'::text])))
)
WITH (fillfactor='50');

COMMENT ON TABLE zeke_jobs.batch IS 'Batches of jobs. When the last job has ended, one job is sent, in the transaction of that end.';

COMMENT ON COLUMN zeke_jobs.batch.task IS 'The task of the job that is sent at the end; NULL: none.';

COMMENT ON COLUMN zeke_jobs.batch.parts IS 'How many rows of batch_part count jobs that hold the end up. At 0 the batch ends.';

COMMENT ON COLUMN zeke_jobs.batch.first_job IS 'The first job of the send that made it: by it a repeated send is recognised.';

COMMENT ON COLUMN zeke_jobs.batch.then_outcome IS 'What became of the send at the end: created, or why there is no job.';

CREATE UNLOGGED TABLE zeke_jobs.batch_change (
    xact xid8 DEFAULT pg_current_xact_id() NOT NULL,
    batch text NOT NULL,
    part smallint NOT NULL,
    open integer DEFAULT 0 NOT NULL,
    unfinished integer DEFAULT 0 NOT NULL,
    completed integer DEFAULT 0 NOT NULL,
    failed integer DEFAULT 0 NOT NULL,
    cancelled integer DEFAULT 0 NOT NULL,
    cancels boolean DEFAULT false NOT NULL
);

COMMENT ON TABLE zeke_jobs.batch_change IS 'What the running transactions change in the counters of batches: added up at each commit, so that no counter is locked before. Empty but for them.';

COMMENT ON COLUMN zeke_jobs.batch_change.cancels IS 'The batch as a whole was cancelled: nothing is sent at its end.';

CREATE TABLE zeke_jobs.batch_open (
    batch text NOT NULL
);

COMMENT ON TABLE zeke_jobs.batch_open IS 'Batches that were opened and are not closed: they take jobs of any sender, and do not end.';

CREATE TABLE zeke_jobs.batch_part (
    batch text NOT NULL,
    part smallint NOT NULL,
    open integer NOT NULL,
    unfinished integer NOT NULL,
    completed integer NOT NULL,
    failed integer NOT NULL,
    cancelled integer NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE zeke_jobs.batch_part IS 'The counters of a batch, in sixteen parts by the jobs'' ids, so that few ends wait for one row.';

COMMENT ON COLUMN zeke_jobs.batch_part.open IS '1 while whoever opened the batch has not closed it; in part 0.';

CREATE VIEW zeke_jobs.batch_state AS
 SELECT b.id,
        CASE
            WHEN (b.cancelled_on IS NOT NULL) THEN 'cancelled'::text
            WHEN (b.ended_on IS NOT NULL) THEN 'ended'::text
            WHEN (EXISTS ( SELECT 1
               FROM zeke_jobs.batch_open o
              WHERE (o.batch = b.id))) THEN 'open'::text
            WHEN ((p.unfinished = 0) AND (p.failed > 0)) THEN 'held'::text
            ELSE 'running'::text
        END AS state,
    (((p.unfinished + p.completed) + p.failed) + p.cancelled) AS jobs,
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
   FROM (zeke_jobs.batch b
     CROSS JOIN LATERAL ( SELECT COALESCE(sum(c.unfinished), (0)::bigint) AS unfinished,
            COALESCE(sum(c.completed), (0)::bigint) AS completed,
            COALESCE(sum(c.failed), (0)::bigint) AS failed,
            COALESCE(sum(c.cancelled), (0)::bigint) AS cancelled
           FROM zeke_jobs.batch_part c
          WHERE (c.batch = b.id)) p);

COMMENT ON VIEW zeke_jobs.batch_state IS 'Batches, and how many of their jobs are unfinished, completed, failed and cancelled.';

CREATE TABLE zeke_jobs.breach (
    task text NOT NULL,
    since timestamp with time zone NOT NULL,
    noted_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL
);

COMMENT ON TABLE zeke_jobs.breach IS 'Tasks whose oldest due job waited longer than max_wait when a scheduler last looked.';

COMMENT ON COLUMN zeke_jobs.breach.since IS 'When that job had waited for max_wait.';

CREATE TABLE zeke_jobs.breaker_end (
    gate text NOT NULL,
    ended_on timestamp with time zone NOT NULL,
    failed boolean NOT NULL,
    job uuid NOT NULL
);

COMMENT ON TABLE zeke_jobs.breaker_end IS 'Ends of jobs that a breaker counts, kept for its time.';

CREATE TABLE zeke_jobs.event (
    name text NOT NULL,
    data jsonb NOT NULL,
    emitted_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL
);

COMMENT ON TABLE zeke_jobs.event IS 'Events of the last thirty days, for jobs that come to wait for them later.';

CREATE VIEW zeke_jobs.finished AS
 SELECT q.message_id AS id,
    q.task AS name,
    zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on) AS state,
    q.queue_name AS queue,
    q.priority,
        CASE
            WHEN (s.fields IS NULL) THEN q.key
            ELSE zeke_jobs.mask_text(q.key, (q.message -> 'kwargs'::text), s.fields)
        END AS key,
    q.attempt,
    q.deaths,
    q.parent,
    q.scheduled_for,
    q.revision,
    q.run_at,
    q.created_on,
    q.started_on,
    q.completed_on,
    NULL::timestamp with time zone AS purged_on,
    q.cost,
    q.currency
   FROM ((zeke_jobs.queue q
     LEFT JOIN zeke_jobs.task t ON ((t.id = q.task)))
     CROSS JOIN LATERAL ( SELECT NULLIF((q.sensitive || n.fields), '{}'::text[]) AS fields,
            (NOT (n.fields <@ COALESCE(q.sensitive, '{}'::text[]))) AS grown
           FROM ( SELECT COALESCE(t.sensitive, ( SELECT a.sensitive
                           FROM zeke_jobs.task a
                          WHERE (q.task = ANY (a.aliases))
                         LIMIT 1), '{}'::text[]) AS fields) n) s)
  WHERE (q.state = ANY (ARRAY['done'::zeke_jobs.state, 'rejected'::zeke_jobs.state]))
UNION ALL
 SELECT h.id,
    h.name,
    h.state,
    h.queue,
    h.priority,
        CASE
            WHEN h.is_sensitive THEN '***'::text
            ELSE h.key
        END AS key,
    h.attempt,
    h.deaths,
    h.parent,
    h.scheduled_for,
    h.revision,
    h.run_at,
    h.created_on,
    h.started_on,
    h.completed_on,
    h.purged_on,
    h.cost,
    h.currency
   FROM zeke_jobs.history h
  WHERE (NOT (EXISTS ( SELECT 1
           FROM zeke_jobs.queue q
          WHERE (q.message_id = h.id))));

COMMENT ON VIEW zeke_jobs.finished IS 'Ended jobs: the rows that are kept, and the history of removed rows for ninety days.';

CREATE TABLE zeke_jobs.kept_slot (
    worker uuid NOT NULL,
    task text NOT NULL,
    count integer NOT NULL,
    said bigint NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE zeke_jobs.kept_slot IS 'Slots of limits that workers keep for jobs they claimed ahead, beside the jobs that are counted by their rows.';

COMMENT ON COLUMN zeke_jobs.kept_slot.said IS 'Grows with each word of the worker; an older one that comes later changes nothing.';

CREATE TABLE zeke_jobs.meter (
    gate text NOT NULL,
    unit text NOT NULL,
    per_key boolean DEFAULT false NOT NULL,
    amount numeric NOT NULL,
    period interval,
    zone text,
    CONSTRAINT meter_window CHECK (((period IS NULL) <> (zone IS NULL)))
);

COMMENT ON TABLE zeke_jobs.meter IS 'What a gate lets through within a window, beside the rate in its own row: jobs of one key, units, money. Unit jobs counts jobs.';

COMMENT ON COLUMN zeke_jobs.meter.period IS 'The length of a sliding window; a meter without one begins anew each day in its zone.';

CREATE TABLE zeke_jobs.meter_use (
    gate text NOT NULL,
    unit text NOT NULL,
    key text DEFAULT ''::text NOT NULL,
    job uuid,
    claim bigint,
    taken_on timestamp with time zone NOT NULL,
    ends_on timestamp with time zone NOT NULL,
    lasts interval,
    amount numeric NOT NULL,
    reported numeric,
    settled boolean DEFAULT false NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0');

COMMENT ON TABLE zeke_jobs.meter_use IS 'Amounts that jobs took from meters; each counts until ends_on.';

COMMENT ON COLUMN zeke_jobs.meter_use.lasts IS 'How long it counts from the start of the job, or from the report of the amount.';

COMMENT ON COLUMN zeke_jobs.meter_use.amount IS 'What counts: the estimate, then what the job reported.';

COMMENT ON COLUMN zeke_jobs.meter_use.settled IS 'The attempt has ended: the amount is final.';

CREATE VIEW zeke_jobs.task_active AS
 SELECT id AS task,
    gates,
    (( SELECT sum((( SELECT count(*) AS count
                   FROM zeke_jobs.queue q
                  WHERE ((q.state = 'consumed'::zeke_jobs.state) AND (q.task = n.name) AND (NOT q.ahead))) + ( SELECT COALESCE(sum(s.count), (0)::bigint) AS "coalesce"
                   FROM zeke_jobs.kept_slot s
                  WHERE (s.task = n.name)))) AS sum
           FROM unnest((t.id || t.aliases)) n(name)))::bigint AS active
   FROM zeke_jobs.task t;

COMMENT ON VIEW zeke_jobs.task_active IS 'How many jobs of each task hold a slot of its limits.';

CREATE VIEW zeke_jobs.gate_use AS
 SELECT g.name,
    zeke_jobs.concurrency_of(g.*, zeke_jobs.now()) AS concurrency,
    g.concurrency AS full_concurrency,
    (COALESCE(a.active, (0)::numeric))::bigint AS active,
    g.rate_count,
    g.rate_period,
        CASE
            WHEN (g.rate_count IS NOT NULL) THEN r.used
            ELSE NULL::bigint
        END AS used,
        CASE
            WHEN (r.used >= g.rate_count) THEN r.free_on
            ELSE NULL::timestamp with time zone
        END AS free_on,
        CASE
            WHEN c.closed THEN COALESCE(g.closed_by, 'breaker'::text)
            ELSE NULL::text
        END AS closed_by,
        CASE
            WHEN c.closed THEN g.closed_until
            ELSE NULL::timestamp with time zone
        END AS closed_until,
        CASE
            WHEN c.closed THEN g.closed_why
            ELSE NULL::text
        END AS closed_why,
    g.probe,
    ( SELECT jsonb_agg(jsonb_build_object('unit', m.unit, 'per_key', m.per_key, 'amount', m.amount, 'seconds', EXTRACT(epoch FROM m.period), 'zone', m.zone, 'used',
                CASE
                    WHEN (NOT m.per_key) THEN ( SELECT COALESCE(sum(u.amount), (0)::numeric) AS "coalesce"
                       FROM zeke_jobs.meter_use u
                      WHERE ((u.gate = m.gate) AND (u.unit = m.unit) AND (u.key = ''::text) AND (u.ends_on > zeke_jobs.now())))
                    ELSE NULL::numeric
                END) ORDER BY m.unit, m.per_key) AS jsonb_agg
           FROM zeke_jobs.meter m
          WHERE (m.gate = g.name)) AS meters
   FROM (((zeke_jobs.gate g
     CROSS JOIN LATERAL ( SELECT ((g.closed_until > zeke_jobs.now()) OR ((g.tripped_on IS NOT NULL) AND (( SELECT e.failed
                   FROM (zeke_jobs.breaker_end e
                     JOIN zeke_jobs.queue q ON ((q.message_id = e.job)))
                  WHERE ((e.gate = g.name) AND (e.job = g.probe) AND (e.ended_on >= GREATEST(g.closed_until, q.claimed_on)))
                  ORDER BY e.ended_on DESC
                 LIMIT 1) IS NOT FALSE))) AS closed) c)
     CROSS JOIN LATERAL ( SELECT sum(a_1.active) AS active
           FROM zeke_jobs.task_active a_1
          WHERE (g.name = ANY (a_1.gates))) a)
     CROSS JOIN LATERAL ( SELECT (COALESCE(sum(u.amount), (0)::numeric))::bigint AS used,
            min(
                CASE
                    WHEN u.settled THEN u.ends_on
                    ELSE (u.taken_on + u.lasts)
                END) AS free_on
           FROM zeke_jobs.meter_use u
          WHERE ((u.gate = g.name) AND (u.unit = 'jobs'::text) AND (u.key = ''::text) AND (u.ends_on > zeke_jobs.now()))) r);

COMMENT ON VIEW zeke_jobs.gate_use IS 'How full each limit is; free_on is when one that is at its rate lets the next job start.';

CREATE TABLE zeke_jobs.imported (
    source text NOT NULL,
    name text NOT NULL,
    source_id uuid NOT NULL,
    job uuid NOT NULL,
    imported_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL
);

COMMENT ON TABLE zeke_jobs.imported IS 'Jobs that were taken over from another job system, so that none is taken twice.';

COMMENT ON COLUMN zeke_jobs.imported.source IS 'The system and its schema, as in pg-boss/pgboss.';

COMMENT ON COLUMN zeke_jobs.imported.name IS 'The name of its queue there.';

CREATE TABLE zeke_jobs.installation (
    singleton boolean DEFAULT true NOT NULL,
    name text NOT NULL,
    created_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    CONSTRAINT installation_singleton CHECK (singleton)
);

COMMENT ON TABLE zeke_jobs.installation IS 'The name of the environment that owns this database.';

CREATE TABLE zeke_jobs.job_log (
    job uuid NOT NULL,
    claim bigint NOT NULL,
    attempt integer NOT NULL,
    lines text NOT NULL,
    dropped integer NOT NULL,
    written_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL
);

COMMENT ON TABLE zeke_jobs.job_log IS 'The last lines that each attempt of a job logged, by the number of its claim.';

COMMENT ON COLUMN zeke_jobs.job_log.dropped IS 'How many earlier lines were not kept.';

CREATE TABLE zeke_jobs.step (
    job uuid NOT NULL,
    name text NOT NULL,
    result jsonb NOT NULL,
    kept_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL
);

COMMENT ON TABLE zeke_jobs.step IS 'Results of steps (ctx.step), kept as long as the row of their job.';

CREATE VIEW zeke_jobs.job_step AS
 SELECT p.job,
        CASE
            WHEN (s.fields IS NULL) THEN p.name
            ELSE zeke_jobs.mask_text(p.name, (q.message -> 'kwargs'::text), s.fields)
        END AS name,
    p.kept_on
   FROM (((zeke_jobs.step p
     LEFT JOIN zeke_jobs.queue q ON ((q.message_id = p.job)))
     LEFT JOIN zeke_jobs.task t ON ((t.id = q.task)))
     CROSS JOIN LATERAL ( SELECT NULLIF((q.sensitive || n.fields), '{}'::text[]) AS fields,
            (NOT (n.fields <@ COALESCE(q.sensitive, '{}'::text[]))) AS grown
           FROM ( SELECT COALESCE(t.sensitive, ( SELECT a.sensitive
                           FROM zeke_jobs.task a
                          WHERE (q.task = ANY (a.aliases))
                         LIMIT 1), '{}'::text[]) AS fields) n) s);

COMMENT ON VIEW zeke_jobs.job_step IS 'The finished steps of jobs, without their results, which may be secret.';

CREATE TABLE zeke_jobs.key_cursor (
    task text NOT NULL,
    key_cursor text NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE zeke_jobs.key_cursor IS 'Where the next claim of a task with a per-key limit begins to look.';

CREATE TABLE zeke_jobs.key_wait (
    task text NOT NULL,
    priority integer,
    key text NOT NULL,
    due_on timestamp with time zone NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0');

COMMENT ON TABLE zeke_jobs.key_wait IS 'Keys of tasks with a rate per key that have waiting jobs (queue.key_seen). Claims write it, under the lock of the task''s gate.';

COMMENT ON COLUMN zeke_jobs.key_wait.priority IS 'Of those jobs. NULL: a start of the key was given back, and the next claim looks at all its rows.';

COMMENT ON COLUMN zeke_jobs.key_wait.due_on IS 'When one of the jobs may start, as far as the rate of its key is concerned.';

CREATE TABLE zeke_jobs.lock (
    name text NOT NULL
);

COMMENT ON TABLE zeke_jobs.lock IS 'Names under which one process at a time does something; see zeke_jobs.take_lock.';

CREATE TABLE zeke_jobs.migration (
    package text NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    breaking boolean DEFAULT false NOT NULL,
    applied_on timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    made text[] DEFAULT '{}'::text[] NOT NULL,
    version text
);

CREATE TABLE zeke_jobs.worker (
    id uuid NOT NULL,
    kind text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    queues text[] DEFAULT '{}'::text[] NOT NULL,
    tasks text[] DEFAULT '{}'::text[] NOT NULL,
    threads integer DEFAULT 0 NOT NULL,
    busy integer DEFAULT 0 NOT NULL,
    idle text[] DEFAULT '{}'::text[] NOT NULL,
    limited text[] DEFAULT '{}'::text[] NOT NULL,
    alone boolean DEFAULT false NOT NULL,
    stopping boolean DEFAULT false NOT NULL,
    revision integer DEFAULT 0 NOT NULL,
    file_revision integer,
    started_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    heartbeat_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    lost_after interval DEFAULT '00:00:20'::interval NOT NULL,
    refusal text,
    beating_since timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    CONSTRAINT worker_kind CHECK ((kind = ANY (ARRAY['worker'::text, 'scheduler'::text])))
)
WITH (fillfactor='50');

COMMENT ON TABLE zeke_jobs.worker IS 'One row per live process.';

COMMENT ON COLUMN zeke_jobs.worker.idle IS 'Queues at whose doorbell it waits: the next send rings it.';

COMMENT ON COLUMN zeke_jobs.worker.limited IS 'Tasks of which it found jobs due that a limit held back: who frees a slot rings it.';

COMMENT ON COLUMN zeke_jobs.worker.alone IS 'Makes itself empty to run jobs during which a worker died, and nothing else.';

COMMENT ON COLUMN zeke_jobs.worker.revision IS 'Revision of jobs.yaml that it runs by; file_revision is that of its own file.';

COMMENT ON COLUMN zeke_jobs.worker.lost_after IS 'Without a heartbeat for so long, others return its jobs to the queue.';

COMMENT ON COLUMN zeke_jobs.worker.refusal IS 'Why it does not run by the revision in force; NULL when it does.';

COMMENT ON COLUMN zeke_jobs.worker.beating_since IS 'Since when it has proved life without a gap for which others would have given it up.';

CREATE VIEW zeke_jobs.process_state AS
 SELECT p.kind,
    p.state,
    count(w.id) AS processes,
    COALESCE(sum(w.threads), (0)::bigint) AS threads
   FROM (( SELECT k.kind,
            s.state
           FROM (unnest(ARRAY['worker'::text, 'scheduler'::text]) k(kind)
             CROSS JOIN unnest(ARRAY['live'::text, 'stopping'::text, 'lost'::text]) s(state))) p
     LEFT JOIN ( SELECT w_1.id,
            w_1.kind,
            w_1.threads,
                CASE
                    WHEN (w_1.heartbeat_on < (zeke_jobs.now() - w_1.lost_after)) THEN 'lost'::text
                    WHEN w_1.stopping THEN 'stopping'::text
                    ELSE 'live'::text
                END AS state
           FROM zeke_jobs.worker w_1) w ON (((w.kind = p.kind) AND (w.state = p.state))))
  GROUP BY p.kind, p.state;

COMMENT ON VIEW zeke_jobs.process_state IS 'How many workers and schedulers are live, stopping, or have not proved life for too long.';

ALTER TABLE zeke_jobs.queue ALTER COLUMN seq ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME zeke_jobs.queue_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE zeke_jobs.retention (
    singleton boolean DEFAULT true NOT NULL,
    due_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    CONSTRAINT retention_singleton CHECK (singleton)
);

COMMENT ON TABLE zeke_jobs.retention IS 'Whose turn it is to purge: the first process that moves due_on on.';

ALTER TABLE zeke_jobs.revision ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME zeke_jobs.revision_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW zeke_jobs.schedule_lag AS
 SELECT s.schedule AS task,
    s.paused,
        CASE
            WHEN s.paused THEN '00:00:00'::interval
            ELSE GREATEST('00:00:00'::interval, (zeke_jobs.now() - s.next_tick))
        END AS lag,
    (zeke_jobs.now() - b.beat_on) AS silence
   FROM (zeke_jobs.schedule s
     LEFT JOIN zeke_jobs.schedule_beat b ON (true));

COMMENT ON VIEW zeke_jobs.schedule_lag IS 'How long the next tick of each schedule is overdue, and how long no scheduler got through all of them.';

CREATE VIEW zeke_jobs.task_cost AS
 SELECT task,
    currency,
    sum(cost) AS cost
   FROM ( SELECT q.task,
            q.currency,
            q.cost
           FROM zeke_jobs.queue q
          WHERE ((q.cost IS NOT NULL) AND ((q.completed_on IS NULL) OR (q.completed_on > (zeke_jobs.now() - '1 day'::interval))))
        UNION ALL
         SELECT h.name,
            h.currency,
            h.cost
           FROM zeke_jobs.history h
          WHERE ((h.cost IS NOT NULL) AND (h.completed_on > (zeke_jobs.now() - '1 day'::interval)))) c
  GROUP BY task, currency;

COMMENT ON VIEW zeke_jobs.task_cost IS 'The costs that jobs reported: jobs that ended within the last day, and jobs that have not ended.';

CREATE VIEW zeke_jobs.task_depth AS
 SELECT id AS task,
    queue,
    zeke_jobs.depth(queue, id, 2147483647) AS queued,
    ( SELECT a.active
           FROM zeke_jobs.task_active a
          WHERE (a.task = t.id)) AS active,
    zeke_jobs.integer_of((definition #> '{concurrency,limit}'::text[])) AS active_limit
   FROM zeke_jobs.task t;

COMMENT ON VIEW zeke_jobs.task_depth IS 'Queued and active jobs of each task, counted exactly: reads an index entry for each queued job.';

CREATE VIEW zeke_jobs.task_failed AS
 SELECT id AS task,
    queue,
    ( SELECT count(*) AS count
           FROM ( SELECT 1 AS "?column?"
                   FROM zeke_jobs.queue q
                  WHERE ((q.state = 'rejected'::zeke_jobs.state) AND (q.cancelled_on IS NULL) AND (q.task = t.id) AND (q.completed_on > (zeke_jobs.now() - '01:00:00'::interval)))
                 LIMIT 10000) failed) AS failed
   FROM zeke_jobs.task t;

COMMENT ON VIEW zeke_jobs.task_failed IS 'Jobs of each task that failed for good within the last hour, counted up to 10,000.';

CREATE VIEW zeke_jobs.task_pace AS
 SELECT t.id AS task,
    t.queue,
    p.done_per_minute,
    p.failed_per_minute,
    p.mean,
    p.p50,
    p.p95,
    p.sample
   FROM (zeke_jobs.task t
     CROSS JOIN LATERAL zeke_jobs.pace(t.id, 500) p(done_per_minute, failed_per_minute, mean, p50, p95, sample));

COMMENT ON VIEW zeke_jobs.task_pace IS 'Ends within the last minute, and seconds that handlers took for the newest 500 completed jobs of the last hour.';

CREATE VIEW zeke_jobs.task_pause AS
 SELECT t.id AS task,
    p.target,
    p.paused_by,
    p.paused_on,
    p.reason
   FROM (zeke_jobs.task t
     JOIN zeke_jobs.pause p ON (((p.target = ('task/'::text || t.id)) OR (p.target = ('queue/'::text || t.queue)) OR (p.target = ANY (t.gates)))))
UNION ALL
 SELECT t.id AS task,
        CASE
            WHEN (((t.definition -> 'paused'::text) = 'true'::jsonb) OR (NOT (EXISTS ( SELECT 1
               FROM unnest(t.gates) g(name)
              WHERE starts_with(g.name, 'limit/'::text))))) THEN ('task/'::text || t.id)
            ELSE ( SELECT string_agg(g.name, ' or '::text ORDER BY g.name) AS string_agg
               FROM unnest(t.gates) g(name)
              WHERE starts_with(g.name, 'limit/'::text))
        END AS target,
    'jobs.yaml'::text AS paused_by,
    r.applied_on AS paused_on,
    ''::text AS reason
   FROM (zeke_jobs.task t
     LEFT JOIN zeke_jobs.revision r ON ((r.number = t.revision)))
  WHERE t.paused;

COMMENT ON VIEW zeke_jobs.task_pause IS 'Each pause that holds back jobs of a task: by people, and by jobs.yaml.';

CREATE VIEW zeke_jobs.task_served AS
 SELECT t.id AS task,
    t.queue,
    count(w.id) AS processes,
    COALESCE(sum(w.threads), (0)::bigint) AS threads
   FROM (zeke_jobs.task t
     LEFT JOIN zeke_jobs.worker w ON (((w.kind = 'worker'::text) AND (NOT w.stopping) AND (t.queue = ANY (w.queues)) AND (t.id = ANY (w.tasks)) AND (w.heartbeat_on >= (zeke_jobs.now() - w.lost_after)))))
  GROUP BY t.id, t.queue;

COMMENT ON VIEW zeke_jobs.task_served IS 'Live worker processes that would run a job of each task, and their threads.';

CREATE VIEW zeke_jobs.task_wait AS
 SELECT t.id AS task,
    t.queue,
    zeke_jobs.length_of((t.definition ->> 'max_wait'::text)) AS max_wait,
    o.due AS oldest_due,
    (zeke_jobs.now() - o.due) AS wait,
    p.paused,
    COALESCE(((NOT p.paused) AND ((zeke_jobs.now() - o.due) > zeke_jobs.length_of((t.definition ->> 'max_wait'::text)))), false) AS is_late
   FROM ((zeke_jobs.task t
     CROSS JOIN LATERAL ( SELECT zeke_jobs.oldest_due(t.queue, t.id) AS due) o)
     CROSS JOIN LATERAL ( SELECT (EXISTS ( SELECT 1
                   FROM zeke_jobs.task_pause p_1
                  WHERE (p_1.task = t.id))) AS paused) p);

COMMENT ON VIEW zeke_jobs.task_wait IS 'How long the oldest due job of each task waits, and whether that is longer than max_wait; while paused it is not.';

CREATE TABLE zeke_jobs.unique_holder (
    unique_key text NOT NULL,
    job uuid NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE zeke_jobs.unique_holder IS 'The newest job of each unique key. One that is gone holds nothing.';

CREATE TABLE zeke_jobs.unit_average (
    task text NOT NULL,
    unit text NOT NULL,
    average numeric NOT NULL,
    jobs integer NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE zeke_jobs.unit_average IS 'What recent jobs of a task used of a unit, or cost: the estimate for the next ones.';

CREATE TABLE zeke_jobs.wait (
    job uuid NOT NULL,
    event text NOT NULL,
    until timestamp with time zone NOT NULL,
    data jsonb,
    came_on timestamp with time zone
);

COMMENT ON TABLE zeke_jobs.wait IS 'For which events jobs wait or have waited, kept as long as the row of their job.';

COMMENT ON COLUMN zeke_jobs.wait.until IS 'When the job goes on without the event.';

COMMENT ON COLUMN zeke_jobs.wait.data IS 'What came with the event.';

ALTER TABLE ONLY zeke_jobs.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (number);

ALTER TABLE ONLY zeke_jobs.batch_open
    ADD CONSTRAINT batch_open_pkey PRIMARY KEY (batch);

ALTER TABLE ONLY zeke_jobs.batch_part
    ADD CONSTRAINT batch_part_pkey PRIMARY KEY (batch, part);

ALTER TABLE ONLY zeke_jobs.batch
    ADD CONSTRAINT batch_pkey PRIMARY KEY (id);

ALTER TABLE ONLY zeke_jobs.breach
    ADD CONSTRAINT breach_pkey PRIMARY KEY (task);

ALTER TABLE ONLY zeke_jobs.event
    ADD CONSTRAINT event_pkey PRIMARY KEY (name);

ALTER TABLE ONLY zeke_jobs.gate
    ADD CONSTRAINT gate_pkey PRIMARY KEY (name);

ALTER TABLE ONLY zeke_jobs.history
    ADD CONSTRAINT history_pkey PRIMARY KEY (id);

ALTER TABLE ONLY zeke_jobs.imported
    ADD CONSTRAINT imported_pkey PRIMARY KEY (source, source_id, name);

ALTER TABLE ONLY zeke_jobs.installation
    ADD CONSTRAINT installation_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY zeke_jobs.job_log
    ADD CONSTRAINT job_log_pkey PRIMARY KEY (job, claim);

ALTER TABLE ONLY zeke_jobs.kept_slot
    ADD CONSTRAINT kept_slot_pkey PRIMARY KEY (worker, task);

ALTER TABLE ONLY zeke_jobs.key_cursor
    ADD CONSTRAINT key_cursor_pkey PRIMARY KEY (task);

ALTER TABLE ONLY zeke_jobs.key_wait
    ADD CONSTRAINT key_wait_key UNIQUE (task, key, priority);

ALTER TABLE ONLY zeke_jobs.lease
    ADD CONSTRAINT lease_pkey PRIMARY KEY (name, job);

ALTER TABLE ONLY zeke_jobs.lock
    ADD CONSTRAINT lock_pkey PRIMARY KEY (name);

ALTER TABLE ONLY zeke_jobs.meter
    ADD CONSTRAINT meter_pkey PRIMARY KEY (gate, unit, per_key);

ALTER TABLE ONLY zeke_jobs.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (package, name);

ALTER TABLE ONLY zeke_jobs.pause
    ADD CONSTRAINT pause_pkey PRIMARY KEY (target);

ALTER TABLE ONLY zeke_jobs.queue
    ADD CONSTRAINT queue_pkey PRIMARY KEY (message_id);

ALTER TABLE ONLY zeke_jobs.retention
    ADD CONSTRAINT retention_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY zeke_jobs.revision
    ADD CONSTRAINT revision_pkey PRIMARY KEY (number);

ALTER TABLE ONLY zeke_jobs.schedule_beat
    ADD CONSTRAINT schedule_beat_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY zeke_jobs.schedule_state
    ADD CONSTRAINT schedule_state_pkey PRIMARY KEY (task);

ALTER TABLE ONLY zeke_jobs.step
    ADD CONSTRAINT step_pkey PRIMARY KEY (job, name);

ALTER TABLE ONLY zeke_jobs.stored_schedule
    ADD CONSTRAINT stored_schedule_pkey PRIMARY KEY (name);

ALTER TABLE ONLY zeke_jobs.task
    ADD CONSTRAINT task_pkey PRIMARY KEY (id);

ALTER TABLE ONLY zeke_jobs.tick
    ADD CONSTRAINT tick_pkey PRIMARY KEY (task, scheduled_for);

ALTER TABLE ONLY zeke_jobs.unique_holder
    ADD CONSTRAINT unique_holder_pkey PRIMARY KEY (unique_key);

ALTER TABLE ONLY zeke_jobs.unit_average
    ADD CONSTRAINT unit_average_pkey PRIMARY KEY (task, unit);

ALTER TABLE ONLY zeke_jobs.wait
    ADD CONSTRAINT wait_pkey PRIMARY KEY (job, event);

ALTER TABLE ONLY zeke_jobs.worker
    ADD CONSTRAINT worker_pkey PRIMARY KEY (id);

CREATE INDEX audit_done ON zeke_jobs.audit USING btree (done_on);

CREATE INDEX batch_change_xact ON zeke_jobs.batch_change USING btree (xact);

CREATE INDEX batch_unended ON zeke_jobs.batch USING btree (created_on) WHERE ((ended_on IS NULL) AND (cancelled_on IS NULL));

CREATE INDEX breaker_end_window ON zeke_jobs.breaker_end USING btree (gate, ended_on);

CREATE INDEX event_emitted ON zeke_jobs.event USING btree (emitted_on);

CREATE INDEX history_cost ON zeke_jobs.history USING btree (completed_on) WHERE (cost IS NOT NULL);

CREATE INDEX history_purged ON zeke_jobs.history USING btree (purged_on);

CREATE INDEX history_task ON zeke_jobs.history USING btree (name, completed_on);

CREATE INDEX key_wait_due ON zeke_jobs.key_wait USING btree (task, priority, due_on, key);

CREATE INDEX meter_use_ends ON zeke_jobs.meter_use USING btree (gate, ends_on);

CREATE INDEX meter_use_job ON zeke_jobs.meter_use USING btree (job) WHERE (job IS NOT NULL);

CREATE INDEX meter_use_window ON zeke_jobs.meter_use USING btree (gate, unit, key, ends_on);

CREATE INDEX queue_active ON zeke_jobs.queue USING btree (task, key) WHERE (state = 'consumed'::zeke_jobs.state);

CREATE INDEX queue_batch ON zeke_jobs.queue USING btree (batch) WHERE (batch IS NOT NULL);

CREATE INDEX queue_cancelled ON zeke_jobs.queue USING btree (task, completed_on) WHERE ((state = 'rejected'::zeke_jobs.state) AND (cancelled_on IS NOT NULL));

CREATE INDEX queue_cancelling ON zeke_jobs.queue USING btree (worker) WHERE ((worker IS NOT NULL) AND (cancelled_on IS NOT NULL));

CREATE INDEX queue_completed ON zeke_jobs.queue USING btree (task, completed_on) WHERE (state = 'done'::zeke_jobs.state);

CREATE INDEX queue_cost ON zeke_jobs.queue USING btree (completed_on) WHERE (cost IS NOT NULL);

CREATE INDEX queue_created ON zeke_jobs.queue USING btree (created_on);

CREATE INDEX queue_expiring ON zeke_jobs.queue USING btree (expires_on) WHERE ((state = 'queued'::zeke_jobs.state) AND (attempt = 0) AND (expires_on IS NOT NULL));

CREATE INDEX queue_failed ON zeke_jobs.queue USING btree (task, completed_on) WHERE ((state = 'rejected'::zeke_jobs.state) AND (cancelled_on IS NULL));

CREATE UNIQUE INDEX queue_idempotency ON zeke_jobs.queue USING btree (task, idempotency_key) WHERE (idempotency_key IS NOT NULL);

CREATE INDEX queue_line ON zeke_jobs.queue USING btree (task, key, seq) WHERE ((order_hold IS NOT NULL) AND ((state = ANY (ARRAY['queued'::zeke_jobs.state, 'consumed'::zeke_jobs.state])) OR (order_hold AND (state = 'rejected'::zeke_jobs.state) AND (cancelled_on IS NULL))));

CREATE INDEX queue_parent ON zeke_jobs.queue USING btree (parent) WHERE (parent IS NOT NULL);

CREATE INDEX queue_purge ON zeke_jobs.queue USING btree (purge_on) WHERE (purge_on IS NOT NULL);

CREATE INDEX queue_ready ON zeke_jobs.queue USING btree (queue_name, task, priority DESC, run_at, seq) WHERE ((state = 'queued'::zeke_jobs.state) AND (deaths = 0));

CREATE INDEX queue_ready_key ON zeke_jobs.queue USING btree (queue_name, task, key, priority DESC, run_at, seq) WHERE ((state = 'queued'::zeke_jobs.state) AND (deaths < 1) AND (key IS NOT NULL));

CREATE INDEX queue_suspect ON zeke_jobs.queue USING btree (queue_name, run_at) WHERE ((state = 'queued'::zeke_jobs.state) AND (deaths > 0));

CREATE UNIQUE INDEX queue_tick ON zeke_jobs.queue USING btree (task, scheduled_for, COALESCE(schedule, ''::text)) WHERE (scheduled_for IS NOT NULL);

CREATE INDEX queue_unseen ON zeke_jobs.queue USING btree (queue_name, task, priority DESC, run_at, seq) WHERE ((state = 'queued'::zeke_jobs.state) AND (deaths < 1) AND (key IS NOT NULL) AND (NOT key_seen));

CREATE INDEX revision_digest ON zeke_jobs.revision USING btree (digest);

CREATE INDEX task_metered ON zeke_jobs.task USING btree (id) WHERE metered;

CREATE INDEX tick_decided ON zeke_jobs.tick USING btree (decided_on);

CREATE INDEX wait_event ON zeke_jobs.wait USING btree (event) WHERE (came_on IS NULL);

CREATE TRIGGER audit_append BEFORE DELETE OR UPDATE ON zeke_jobs.audit FOR EACH ROW EXECUTE FUNCTION zeke_jobs.refuse_to_rewrite();

CREATE TRIGGER audit_keep BEFORE TRUNCATE ON zeke_jobs.audit FOR EACH STATEMENT EXECUTE FUNCTION zeke_jobs.refuse_to_rewrite();

CREATE CONSTRAINT TRIGGER batch_add_up AFTER INSERT ON zeke_jobs.batch_change DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((current_setting('zeke_jobs.adds_up'::text, true) IS DISTINCT FROM (pg_current_xact_id())::text)) EXECUTE FUNCTION zeke_jobs.add_up_batches();

CREATE CONSTRAINT TRIGGER event_deliver AFTER INSERT OR UPDATE ON zeke_jobs.event DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION zeke_jobs.deliver_event();

CREATE TRIGGER queue_adopt_insert BEFORE INSERT ON zeke_jobs.queue FOR EACH ROW WHEN ((new.revision IS NULL)) EXECUTE FUNCTION zeke_jobs.adopt();

CREATE TRIGGER queue_adopt_update BEFORE UPDATE OF message ON zeke_jobs.queue FOR EACH ROW WHEN ((current_setting('zeke_jobs.gathering'::text, true) IS DISTINCT FROM 'on'::text)) EXECUTE FUNCTION zeke_jobs.adopt();

CREATE TRIGGER queue_batch_delete AFTER DELETE ON zeke_jobs.queue FOR EACH ROW WHEN (((old.batch IS NOT NULL) AND (old.state = ANY (ARRAY['queued'::zeke_jobs.state, 'consumed'::zeke_jobs.state])))) EXECUTE FUNCTION zeke_jobs.count_in_batch();

CREATE TRIGGER queue_batch_insert AFTER INSERT ON zeke_jobs.queue FOR EACH ROW WHEN ((new.batch IS NOT NULL)) EXECUTE FUNCTION zeke_jobs.count_in_batch();

CREATE TRIGGER queue_batch_update AFTER UPDATE OF state, cancelled_on ON zeke_jobs.queue FOR EACH ROW WHEN (((old.batch IS NOT NULL) AND ((old.state = ANY (ARRAY['done'::zeke_jobs.state, 'rejected'::zeke_jobs.state])) OR (new.state = ANY (ARRAY['done'::zeke_jobs.state, 'rejected'::zeke_jobs.state]))))) EXECUTE FUNCTION zeke_jobs.count_in_batch();

CREATE TRIGGER queue_ended AFTER UPDATE OF state ON zeke_jobs.queue FOR EACH ROW WHEN ((new.awaited AND (new.state = ANY (ARRAY['done'::zeke_jobs.state, 'rejected'::zeke_jobs.state])) AND (old.state <> ALL (ARRAY['done'::zeke_jobs.state, 'rejected'::zeke_jobs.state])))) EXECUTE FUNCTION zeke_jobs.tell_producer();

CREATE TRIGGER queue_failed AFTER UPDATE OF state ON zeke_jobs.queue FOR EACH ROW WHEN (((new.state = 'rejected'::zeke_jobs.state) AND (old.state <> 'rejected'::zeke_jobs.state) AND (new.cancelled_on IS NULL))) EXECUTE FUNCTION zeke_jobs.tell_failure();

CREATE TRIGGER queue_keep BEFORE UPDATE OF completed_on ON zeke_jobs.queue FOR EACH ROW WHEN ((new.keep IS NOT NULL)) EXECUTE FUNCTION zeke_jobs.set_purge();

CREATE TRIGGER queue_log AFTER DELETE ON zeke_jobs.queue REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION zeke_jobs.remove_log();

CREATE TRIGGER queue_ring AFTER INSERT ON zeke_jobs.queue REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION zeke_jobs.ring_for_new();

CREATE TRIGGER queue_telling_batch AFTER INSERT ON zeke_jobs.queue FOR EACH ROW WHEN (((new.batch IS NOT NULL) AND (new.sensitive IS NOT NULL))) EXECUTE FUNCTION zeke_jobs.refuse_telling_batch();

CREATE TRIGGER queue_unsee BEFORE UPDATE OF state, run_at, priority, key, message, queue_name, order_hold ON zeke_jobs.queue FOR EACH ROW WHEN (old.key_seen) EXECUTE FUNCTION zeke_jobs.unsee();

CREATE TRIGGER revision_announce AFTER INSERT ON zeke_jobs.revision FOR EACH ROW EXECUTE FUNCTION zeke_jobs.announce_revision();

CREATE TRIGGER task_keys_insert AFTER INSERT ON zeke_jobs.task FOR EACH ROW WHEN ((new.per_key IS NOT NULL)) EXECUTE FUNCTION zeke_jobs.give_keys();

CREATE TRIGGER task_keys_update AFTER UPDATE ON zeke_jobs.task FOR EACH ROW WHEN (((new.per_key IS NOT NULL) AND (old.per_key IS NULL))) EXECUTE FUNCTION zeke_jobs.give_keys();

CREATE TRIGGER task_order_insert AFTER INSERT ON zeke_jobs.task FOR EACH ROW WHEN ((new.order_hold IS NOT NULL)) EXECUTE FUNCTION zeke_jobs.give_order();

CREATE TRIGGER task_order_update AFTER UPDATE ON zeke_jobs.task FOR EACH ROW WHEN ((new.order_hold IS DISTINCT FROM old.order_hold)) EXECUTE FUNCTION zeke_jobs.give_order();

CREATE TRIGGER worker_beating BEFORE UPDATE OF heartbeat_on ON zeke_jobs.worker FOR EACH ROW WHEN ((new.heartbeat_on > (old.heartbeat_on + old.lost_after))) EXECUTE FUNCTION zeke_jobs.begin_beating();

ALTER TABLE ONLY zeke_jobs.batch_part
    ADD CONSTRAINT batch_part_batch FOREIGN KEY (batch) REFERENCES zeke_jobs.batch(id) ON DELETE CASCADE;

ALTER TABLE ONLY zeke_jobs.breaker_end
    ADD CONSTRAINT breaker_end_gate FOREIGN KEY (gate) REFERENCES zeke_jobs.gate(name) ON DELETE CASCADE;

ALTER TABLE ONLY zeke_jobs.kept_slot
    ADD CONSTRAINT kept_slot_worker FOREIGN KEY (worker) REFERENCES zeke_jobs.worker(id) ON DELETE CASCADE;

ALTER TABLE ONLY zeke_jobs.meter
    ADD CONSTRAINT meter_gate FOREIGN KEY (gate) REFERENCES zeke_jobs.gate(name) ON DELETE CASCADE;
