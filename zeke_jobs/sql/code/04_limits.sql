-- How much room the limits leave, and which slots are taken.

-- Record the slots that a worker keeps, unless its row is gone because it was declared lost.
CREATE OR REPLACE FUNCTION zeke_jobs.keep_slots(p_worker uuid, p_tasks text[], p_counts integer[], p_said bigint) RETURNS void
LANGUAGE plpgsql VOLATILE
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

-- The number of jobs of each task that hold a slot of its limits. Count each name by itself: for a join, a planner without statistics
-- would read the active jobs of all tasks. Jobs claimed before a rename are active under the former name.
CREATE OR REPLACE VIEW zeke_jobs.task_active AS
SELECT
  t.id AS task,
  t.gates,
  (SELECT sum(
     (SELECT count(*) FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.task = n.name AND NOT q.ahead)
     + (SELECT coalesce(sum(s.count), 0) FROM zeke_jobs.kept_slot AS s WHERE s.task = n.name))
   FROM unnest(t.id || t.aliases) AS n (name))::bigint AS active
FROM zeke_jobs.task AS t;
COMMENT ON VIEW zeke_jobs.task_active IS 'How many jobs of each task hold a slot of its limits.';

-- A gate's concurrency after throttling: the last throttling halved it, and each raise_every since then adds one.
CREATE OR REPLACE FUNCTION zeke_jobs.concurrency_of(p_gate zeke_jobs.gate, p_now timestamptz) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  -- If the clock was set back, the last throttling is in the future.
  SELECT CASE WHEN (p_gate).concurrency IS NOT NULL THEN least((p_gate).concurrency, (p_gate).ceiling + floor(greatest(
    0, extract(epoch FROM p_now - (p_gate).lowered_on) / extract(epoch FROM (p_gate).raise_every)))::integer) END
$$;

-- The use of a meter within its window; for a gate's rate, the unit is jobs and the key empty.
CREATE OR REPLACE FUNCTION zeke_jobs.taken(p_gate text, p_unit text, p_key text, p_now timestamptz) RETURNS numeric
LANGUAGE plpgsql VOLATILE -- and not sql: only plpgsql keeps its plans
AS $$
BEGIN
  RETURN (
    SELECT coalesce(sum(u.amount), 0) FROM zeke_jobs.meter_use AS u
    WHERE u.gate = p_gate AND u.unit = p_unit AND u.key = p_key AND u.ends_on > p_now);
END
$$;

-- Whether the task's rate per key lets one more job of this key start.
CREATE OR REPLACE FUNCTION zeke_jobs.key_has_room(p_task text, p_key text, p_now timestamptz) RETURNS boolean
LANGUAGE plpgsql VOLATILE -- as zeke_jobs.taken
AS $$
BEGIN
  RETURN p_key IS NULL OR NOT EXISTS (
    SELECT 1 FROM zeke_jobs.meter AS m
    WHERE m.gate = 'task/' || p_task AND m.unit = 'jobs' AND m.per_key
      AND zeke_jobs.taken(m.gate, 'jobs', p_key, p_now) >= m.amount);
END
$$;

-- Whether the task's limits have the units and the money that this job takes at its start (as zeke_jobs.take).
CREATE OR REPLACE FUNCTION zeke_jobs.units_fit(p_task zeke_jobs.task, p_units jsonb, p_now timestamptz) RETURNS boolean
LANGUAGE plpgsql VOLATILE -- as zeke_jobs.taken
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

-- How long a start counts for a rate: longer than the period by a four-hundredth of it, but by a quarter of a second at most, because a handler
-- acts a little after its start.
CREATE OR REPLACE FUNCTION zeke_jobs.counts_for(p_period interval) RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT p_period + least(p_period / 400, interval '250 ms') $$;

-- Whether the job that probes for the breaker of a gate is active.
CREATE OR REPLACE FUNCTION zeke_jobs.probes(p_gate zeke_jobs.gate) RETURNS boolean
LANGUAGE sql STABLE
AS $$ SELECT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = (p_gate).probe AND q.state = 'consumed') $$;

-- Gates with the number of jobs that each still lets start: NULL if only its meters decide, negative if its limit was lowered. Call it with the
-- gates' rows locked, in a later statement than the lock: the locking statement reads a snapshot from before the lock, and would let too many
-- start.
CREATE OR REPLACE FUNCTION zeke_jobs.gate_rooms(p_gates text[], p_now timestamptz) RETURNS TABLE (gate zeke_jobs.gate, room integer)
LANGUAGE sql STABLE -- so that it becomes a part of the calling statement, whose plan is kept
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

-- The room of one gate, for doctor of the version before.
CREATE OR REPLACE FUNCTION zeke_jobs.gate_room(p_gate zeke_jobs.gate, p_now timestamptz) RETURNS integer
LANGUAGE sql STABLE
AS $$ SELECT r.room FROM zeke_jobs.gate_rooms(ARRAY[p_gate.name], p_now) AS r $$;

-- Open and close the breakers of locked gates, by the attempts that have ended. A breaker opens when the number or the share of failures
-- reaches its bound. After the pause one job at a time probes: its failure keeps the breaker open for another pause, its success closes it.
-- Each change raises a warning to the claiming worker.
CREATE OR REPLACE FUNCTION zeke_jobs.turn_breakers(p_gates text[], p_now timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE
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

-- Close a shared limit for some seconds, because its provider throttled a job, and halve its concurrency. Jobs that began before the last
-- halving do not halve it again. Returns the time at which it opens; NULL if there is no such limit.
CREATE OR REPLACE FUNCTION zeke_jobs.throttle(p_limit text, p_seconds double precision, p_job uuid, p_why text) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE
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

-- Take from the meters for locked jobs of one task, in this order, up to the first job that needs more than a meter has left; blocked has
-- the gates of such meters and, if a gate's units come back within a time, also 'units of NAME'. Each job takes an estimate of its units and
-- cost: the sender's, else the average of the task's recent jobs, else the estimate in jobs.yaml.
CREATE OR REPLACE FUNCTION zeke_jobs.take(p_one zeke_jobs.candidate, p_places tid[], OUT places tid[], OUT blocked text[])
LANGUAGE plpgsql VOLATILE -- with the settings of zeke_jobs.claim, which alone calls it
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

-- Add to the units or costs that a running job reports. A sum above the estimate counts at once.
CREATE OR REPLACE FUNCTION zeke_jobs.report(p_job uuid, p_claim bigint, p_units jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE -- as zeke_jobs.taken
SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  UPDATE zeke_jobs.meter_use AS u
  SET reported = coalesce(u.reported, 0) + (p_units ->> u.unit)::numeric,
    amount = greatest(u.amount, coalesce(u.reported, 0) + (p_units ->> u.unit)::numeric), taken_on = zeke_jobs.now()
  WHERE u.job = p_job AND u.claim = p_claim AND p_units ? u.unit AND u.unit <> 'jobs' AND NOT u.settled;
END
$$;

-- Add to a job's cost; only its holder may do so. currency: that of the job, which its first amount sets; another one adds nothing; NULL: the job
-- is no longer this worker's. Budgets in this currency count the cost; missed: the currency of a budget that does not.
CREATE OR REPLACE FUNCTION zeke_jobs.add_cost(
  p_worker uuid, p_id uuid, p_claim bigint, p_amount numeric, p_currency text, OUT currency text, OUT missed text)
LANGUAGE plpgsql VOLATILE -- as zeke_jobs.taken
SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan
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

-- Make the uses of ended attempts final: reported amounts replace the estimates, here and in the task's average. p_how is the kind of end,
-- and decides about an attempt without a report:
--   completed: the estimate counts.
--   raised: the estimate counts for units, nothing for money, because an outage would use up the whole day.
--   deferred: nothing counts.
--   cut off (by a timeout, a cancel, a stop, a death): at least the estimate counts, because the attempt could not report everything.
--   returned: nothing counts, not even the start.
CREATE OR REPLACE FUNCTION zeke_jobs.settle(p_ids uuid[], p_how text DEFAULT 'completed') RETURNS void
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET jit = off -- a rescue calls it too
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

-- Record how jobs ended, for the breakers of their tasks. Successes are recorded only where needed: for a share of failures, and of the probe.
CREATE OR REPLACE FUNCTION zeke_jobs.note_ends(p_ids uuid[], p_failed boolean) RETURNS void
LANGUAGE plpgsql VOLATILE
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

-- Delete uses and ends that no longer count under these gates, and now and then merge old uses into fewer rows.
CREATE OR REPLACE FUNCTION zeke_jobs.forget_uses(p_gates text[], p_now timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE
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

-- When a job of one of these tasks may start again, given these full or closed gates; NULL if only the end of another job can make room. With
-- 'keys of GATE' the time is now, because the claim did not look at all keys.
CREATE OR REPLACE FUNCTION zeke_jobs.opens_on(p_tasks text[], p_full text[], p_now timestamptz) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE
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

-- When a full or closed gate may let a job start; after its meters were lowered, it may stay full for longer.
CREATE OR REPLACE FUNCTION zeke_jobs.gate_opens(p_gate zeke_jobs.gate, p_now timestamptz) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE
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
