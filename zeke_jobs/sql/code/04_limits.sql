-- These functions compute how many jobs may start now under a limit. A rate is a token bucket in one row (generic cell rate algorithm): the next job may start
-- at next_at, and each start adds step seconds to next_at. At most `slack` seconds of unused time are saved up. Within any period, at most `amount` jobs start.
-- If the rate counts units such as tokens, the jobs that start use at most `amount` units together, plus those of one more job. allowance and catch_up lengthen
-- the period, because a handler starts some time after its claim.

-- Return how many seconds may pass between a job's claim and the start of its handler before the start counts as late (zeke_jobs.started_late).
CREATE OR REPLACE FUNCTION zeke_jobs.allowance(p_period interval) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT least(extract(epoch FROM p_period) * 0.0125, 0.25)::double precision $$;

-- Return how many seconds after next_at (the time of the next start) a job may be claimed without making the rate slower.
CREATE OR REPLACE FUNCTION zeke_jobs.catch_up(p_period interval) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT least(extract(epoch FROM p_period) * 0.0125, 0.05)::double precision $$;

-- Return step, the seconds that a job (or a unit such as a token) adds to next_at. p_burst is subtracted: p_amount covers a burst and the regular starts.
CREATE OR REPLACE FUNCTION zeke_jobs.step_of(p_amount numeric, p_period interval, p_burst numeric) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (extract(epoch FROM p_period)::double precision + zeke_jobs.allowance(p_period) + zeke_jobs.catch_up(p_period))
    / greatest(p_amount - p_burst, 1)::double precision $$;

-- Make the stored limits equal to those of jobs.yaml. The lock on the table blocks all claims, so this function never waits for a locked row of the table.
CREATE OR REPLACE FUNCTION zeke_jobs.write_limits(p_buckets jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  c_new CONSTANT jsonb := '{"next_at": "-infinity", "spent": 0, "averages": {}, "key_cursor": "", "key_taken": 0}';
  -- These columns become NULL or 0 if jobs.yaml does not set them. The columns that hold the state of the limit keep their values.
  c_unset CONSTANT jsonb := '{"concurrency": null, "amount": null, "period": null, "burst": 0, "zone": null, "key_amount": null, "key_period": null,
    "least": null, "raise_every": null, "breaker_failures": null, "breaker_share": null, "breaker_within": null, "breaker_pause": null}';
  v_buckets zeke_jobs.bucket[];
BEGIN
  LOCK TABLE zeke_jobs.bucket IN EXCLUSIVE MODE;
  -- The limit of a renamed task keeps its state.
  UPDATE zeke_jobs.bucket AS b SET name = w.name
  FROM jsonb_to_recordset(p_buckets) AS w (name text, unit text, former text[])
  WHERE b.name = ANY (w.former) AND b.unit = w.unit
    AND NOT EXISTS (SELECT 1 FROM zeke_jobs.bucket AS o WHERE o.name = w.name AND o.unit = w.unit);
  UPDATE zeke_jobs.bucket_key AS k SET name = w.name
  FROM jsonb_to_recordset(p_buckets) AS w (name text, former text[]) WHERE k.name = ANY (w.former);
  v_buckets := ARRAY(
    SELECT r FROM jsonb_array_elements(p_buckets) AS w (value)
    LEFT JOIN zeke_jobs.bucket AS b ON b.name = w.value ->> 'name' AND b.unit = w.value ->> 'unit'
    CROSS JOIN LATERAL jsonb_populate_record(b, CASE WHEN b.name IS NULL THEN c_new ELSE '{}' END || c_unset || w.value) AS r);
  DELETE FROM zeke_jobs.bucket;
  INSERT INTO zeke_jobs.bucket SELECT b.* FROM unnest(v_buckets) AS b;
  UPDATE zeke_jobs.bucket AS b
  SET step = n.step, slack = zeke_jobs.catch_up(b.period) + b.burst * n.step,
    key_step = zeke_jobs.step_of(b.key_amount, b.key_period, 0),
    key_slack = CASE WHEN b.key_period IS NOT NULL THEN zeke_jobs.catch_up(b.key_period) END,
    -- If the new rate is slower, the next job may start one new, longer step after the last start.
    next_at = CASE WHEN b.step < n.step AND b.unit = 'jobs' THEN b.next_at + make_interval(secs => n.step - b.step) ELSE b.next_at END
  FROM (SELECT o.name, o.unit, zeke_jobs.step_of(o.amount, o.period, o.burst) AS step FROM zeke_jobs.bucket AS o) AS n
  WHERE b.name = n.name AND b.unit = n.unit;
  UPDATE zeke_jobs.bucket AS b SET tripped_on = NULL, closed_until = NULL, closed_by = NULL
  WHERE b.tripped_on IS NOT NULL AND b.breaker_pause IS NULL;
  DELETE FROM zeke_jobs.bucket_key AS k
  WHERE NOT EXISTS (SELECT 1 FROM zeke_jobs.bucket AS b WHERE b.name = k.name AND b.key_step IS NOT NULL);
END $$;

-- Return how many jobs may start now under a rate.
CREATE OR REPLACE FUNCTION zeke_jobs.ready_units(p_next_at timestamptz, p_step double precision,
  p_slack double precision, p_now timestamptz) RETURNS integer LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN p_next_at > p_now THEN 0 ELSE
    1 + least(1000000, floor(extract(epoch FROM p_now - greatest(p_next_at, p_now - make_interval(secs => p_slack))) / p_step))::integer END $$;

-- Return the new next_at of a rate after p_units are used. A unit is the start of a job or, if the rate counts units such as tokens, one of these.
CREATE OR REPLACE FUNCTION zeke_jobs.moved_on(p_next_at timestamptz, p_step double precision, p_slack double precision,
  p_units double precision, p_now timestamptz) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT greatest(p_next_at, p_now - make_interval(secs => p_slack)) + make_interval(secs => p_step * p_units) $$;

-- Count the active jobs of some tasks, with the key p_key if given. For tasks in p_chunked, the jobs of a chunk (same worker and claimed_on) count as one.
CREATE OR REPLACE FUNCTION zeke_jobs.active_of(p_tasks text[], p_chunked text[], p_key text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$ BEGIN
  IF p_chunked IS NULL THEN -- this query finds the key in the index, unlike the second query
    RETURN (SELECT count(*) FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.task = ANY (p_tasks) AND q.key = p_key);
  END IF;
  RETURN (SELECT count(*) FILTER (WHERE q.task <> ALL (p_chunked)) + count(DISTINCT (q.worker, q.claimed_on)) FILTER (WHERE q.task = ANY (p_chunked))
    FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.task = ANY (p_tasks) AND (p_key IS NULL OR q.key = p_key)); END $$;

-- Return the current concurrency of a limit. Throttling halves the concurrency; then each period of raise_every adds one, up to the full concurrency.
CREATE OR REPLACE FUNCTION zeke_jobs.concurrency_of(p_bucket zeke_jobs.bucket, p_now timestamptz) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  -- If the clock was set back, the last throttling may lie in the future. Then greatest() makes the number of periods 0.
  SELECT CASE WHEN (p_bucket).ceiling IS NULL THEN (p_bucket).concurrency ELSE least((p_bucket).concurrency, (p_bucket).ceiling + floor(greatest(
    0, extract(epoch FROM p_now - (p_bucket).lowered_on) / extract(epoch FROM (p_bucket).raise_every)))::integer) END $$;

-- For each bounded bucket of p_limits, return how many jobs may start now: the least that concurrency, rate, budget, throttling and breaker allow. opens_on is
-- when more may start, or NULL if a job must end first. A claim locks buckets in an earlier statement, because a statement takes its snapshot before its locks.
CREATE OR REPLACE FUNCTION zeke_jobs.room(p_limits text[], p_now timestamptz) RETURNS SETOF zeke_jobs.limit_room
LANGUAGE plpgsql STABLE ROWS 2 AS $$
BEGIN
  RETURN QUERY SELECT b.name, b.unit, l.least,
      CASE l.least WHEN r.probe THEN 'breaker' WHEN r.closed THEN coalesce(b.closed_by, 'throttled') WHEN r.budget THEN 'budget'
        WHEN r.rate THEN CASE b.unit WHEN 'jobs' THEN 'rate' ELSE 'units' END ELSE 'concurrency' END,
      CASE l.least WHEN r.probe THEN NULL WHEN r.closed THEN b.closed_until
        WHEN r.budget THEN least( -- if a clock change repeats midnight, Postgres takes the second midnight, but an hour after 23:00 is the first one
          l.day AT TIME ZONE b.zone, (l.day - interval '1 hour') AT TIME ZONE b.zone + interval '1 hour') WHEN r.rate THEN b.next_at END
    FROM zeke_jobs.bucket AS b CROSS JOIN LATERAL (
      SELECT CASE WHEN b.concurrency IS NOT NULL THEN zeke_jobs.concurrency_of(b, p_now) - CASE
          WHEN b.chunked IS NULL THEN (SELECT count(*) FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.task = ANY (b.tasks))
          ELSE zeke_jobs.active_of(b.tasks, b.chunked) END END::integer AS free,
        CASE WHEN b.step IS NULL THEN NULL WHEN b.unit = 'jobs' THEN zeke_jobs.ready_units(b.next_at, b.step, b.slack, p_now)
          ELSE (b.next_at <= p_now)::integer END AS rate,
        CASE WHEN b.zone IS NOT NULL THEN 1 - (b.spent >= b.amount AND b.spent_on = (p_now AT TIME ZONE b.zone)::date)::integer END AS budget,
        CASE WHEN b.closed_until > p_now THEN 0 END AS closed,
        CASE WHEN b.closed_until > p_now THEN NULL WHEN b.tripped_on IS NOT NULL THEN 1 - EXISTS (
          SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = b.probe AND q.state = 'consumed')::integer END AS probe
      OFFSET 0) AS r
    CROSS JOIN LATERAL (SELECT least(r.free, r.rate, r.budget, r.closed, r.probe), ((p_now AT TIME ZONE b.zone)::date + 1)::timestamp AS day) AS l
    WHERE b.name = ANY (p_limits) AND l.least IS NOT NULL;
END $$;

-- Apply the changes recorded in zeke_jobs.bucket_change to the buckets of p_limits. The caller has locked these buckets.
CREATE OR REPLACE FUNCTION zeke_jobs.add_up_changes(p_limits text[], p_now timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM zeke_jobs.bucket_change AS c WHERE c.name = ANY (p_limits)) THEN RETURN; END IF;
  WITH gone AS (DELETE FROM zeke_jobs.bucket_change AS c WHERE c.name = ANY (p_limits) RETURNING c.*),
  change AS MATERIALIZED (
    -- A positive delay is from a job that started late: use the longest. A negative delay is from a job put back into the queue before its start: use the sum.
    SELECT g.name, g.unit, g.key, sum(g.amount) AS amount, min(g.noted_on) AS noted_on,
      make_interval(secs => greatest(max(g.delay), 0) + sum(least(g.delay, 0))) AS delay
    FROM gone AS g GROUP BY g.name, g.unit, g.key
  ),
  keyed AS (
    UPDATE zeke_jobs.bucket_key AS k SET next_at = k.next_at + g.delay
    FROM change AS g WHERE g.key <> '' AND k.name = g.name AND k.key = g.key
  ),
  average AS (
    SELECT a.name, a.unit, jsonb_object_agg(a.task, round(coalesce(a.was + (a.used - a.was) * least(1, a.jobs / 20.0), a.used), 6)) AS averages
    FROM (
      SELECT g.name, g.unit, g.task, avg(g.used) AS used, count(*) AS jobs, max((b.averages ->> g.task)::numeric) AS was
      FROM gone AS g JOIN zeke_jobs.bucket AS b ON b.name = g.name AND b.unit = g.unit
      WHERE g.used IS NOT NULL AND g.task IS NOT NULL GROUP BY g.name, g.unit, g.task) AS a
    GROUP BY a.name, a.unit
  )
  UPDATE zeke_jobs.bucket AS b
  SET next_at = CASE WHEN b.unit = 'jobs' THEN b.next_at + g.delay
      WHEN b.step IS NULL THEN b.next_at
      ELSE zeke_jobs.moved_on(b.next_at, b.step, b.slack, g.amount, g.noted_on) END,
    spent = CASE WHEN b.zone IS NOT NULL AND b.spent_on = (p_now AT TIME ZONE b.zone)::date THEN greatest(0, b.spent + g.amount) ELSE b.spent END,
    averages = b.averages || coalesce(a.averages, '{}')
  FROM (SELECT g.* FROM change AS g WHERE g.key = '') AS g LEFT JOIN average AS a ON a.name = g.name AND a.unit = g.unit
  WHERE b.name = g.name AND b.unit = g.unit;
END $$;

-- Add claimed jobs to the counts of their limits, whose rows the caller has locked. A rate counts starts. A limit of units such as tokens counts an estimate
-- for each job: the units given at the send, else the average of recent jobs, else the estimate in jobs.yaml.
CREATE OR REPLACE FUNCTION zeke_jobs.take(p_task text, p_limits text[], p_places tid[], p_now timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_count integer := cardinality(p_places);
BEGIN
  UPDATE zeke_jobs.bucket AS b
  SET next_at = CASE WHEN b.step IS NULL THEN b.next_at ELSE zeke_jobs.moved_on(b.next_at, b.step, b.slack, v_count, p_now) END,
    probe = CASE WHEN b.tripped_on IS NULL THEN b.probe ELSE (SELECT q.message_id FROM zeke_jobs.queue AS q WHERE q.ctid = p_places[1]) END
  WHERE b.name = ANY (p_limits) AND b.unit = 'jobs' AND (b.step IS NOT NULL OR b.tripped_on IS NOT NULL);
  INSERT INTO zeke_jobs.bucket_key AS k (name, key, next_at)
  SELECT b.name, q.key, zeke_jobs.moved_on(o.next_at, b.key_step, b.key_slack, count(*), p_now)
  FROM zeke_jobs.bucket AS b CROSS JOIN unnest(p_places) AS p (place) JOIN zeke_jobs.queue AS q ON q.ctid = p.place
  LEFT JOIN zeke_jobs.bucket_key AS o ON o.name = b.name AND o.key = q.key
  WHERE b.name = ANY (p_limits) AND b.unit = 'jobs' AND b.key_step IS NOT NULL AND q.key IS NOT NULL
  GROUP BY b.name, q.key, b.key_step, b.key_slack, o.next_at
  ON CONFLICT ON CONSTRAINT bucket_key_pkey DO UPDATE SET next_at = excluded.next_at; -- the lock of the bucket protects the rows of its keys, too
  WITH used AS (
    INSERT INTO zeke_jobs.unit_use AS u (job, claim, name, unit, task, taken)
    SELECT q.message_id, q.claim + 1, b.name, b.unit, p_task, least(b.amount, coalesce(
      (q.extra #>> ARRAY['units', b.unit])::numeric, (b.averages ->> p_task)::numeric, (t.units ->> b.unit)::numeric, 0))
    FROM zeke_jobs.bucket AS b CROSS JOIN unnest(p_places) AS p (place) JOIN zeke_jobs.queue AS q ON q.ctid = p.place
    JOIN zeke_jobs.task AS t ON t.id = p_task WHERE b.name = ANY (p_limits) AND b.unit <> 'jobs'
    ON CONFLICT ON CONSTRAINT unit_use_pkey DO UPDATE SET claim = excluded.claim, taken = excluded.taken, reported = NULL
    RETURNING u.name, u.unit, u.taken
  )
  UPDATE zeke_jobs.bucket AS b
  SET next_at = CASE WHEN b.step IS NULL THEN b.next_at ELSE zeke_jobs.moved_on(b.next_at, b.step, b.slack, s.taken, p_now) END,
    spent = CASE WHEN b.zone IS NULL THEN 0 WHEN b.spent_on = (p_now AT TIME ZONE b.zone)::date THEN b.spent + s.taken ELSE s.taken END,
    spent_on = (p_now AT TIME ZONE b.zone)::date
  FROM (SELECT u.name, u.unit, sum(u.taken) AS taken FROM used AS u GROUP BY u.name, u.unit) AS s
  WHERE b.name = s.name AND b.unit = s.unit;
END $$;

-- If a job's handler starts late, delay the next jobs under the same rate limits by this lateness plus p_margin seconds, because the handler may start up to
-- p_margin seconds after this call. If the handler is late by a whole period of a rate, it must not start: return false.
CREATE OR REPLACE FUNCTION zeke_jobs.started_late(p_job uuid, p_margin double precision) RETURNS boolean
LANGUAGE sql VOLATILE SET enable_seqscan = off AS $$
  WITH late AS (
    SELECT b.name, r.key, r.period, extract(epoch FROM zeke_jobs.now() - q.claimed_on) + p_margin - zeke_jobs.allowance(r.period) AS delay
    FROM zeke_jobs.queue AS q JOIN zeke_jobs.task AS t ON t.id = q.task
    JOIN zeke_jobs.bucket AS b ON b.name = ANY (t.limits) AND b.unit = 'jobs'
    CROSS JOIN LATERAL (VALUES ('', b.period), (q.key, b.key_period)) AS r (key, period)
    WHERE q.message_id = p_job AND r.key IS NOT NULL
  ),
  may AS (SELECT bool_and(l.delay < extract(epoch FROM l.period)) IS NOT false AS it FROM late AS l),
  noted AS (
    INSERT INTO zeke_jobs.bucket_change (name, unit, key, delay)
    SELECT l.name, 'jobs', l.key, l.delay FROM late AS l CROSS JOIN may AS m WHERE l.delay > 0 AND m.it
  )
  SELECT m.it FROM may AS m $$;

-- Add up the units (such as tokens) or costs that an active job reports. If the sum exceeds the estimate added at the claim, add the excess to the limit now.
CREATE OR REPLACE FUNCTION zeke_jobs.report(p_job uuid, p_claim bigint, p_units jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off AS $$
BEGIN
  WITH use AS (
    SELECT u.name, u.unit, u.taken, coalesce(u.reported, 0) + (p_units ->> u.unit)::numeric AS reported
    FROM zeke_jobs.unit_use AS u WHERE u.job = p_job AND u.claim = p_claim AND p_units ? u.unit FOR UPDATE
  ),
  written AS (
    UPDATE zeke_jobs.unit_use AS u SET reported = n.reported, taken = greatest(n.taken, n.reported)
    FROM use AS n WHERE u.job = p_job AND u.name = n.name AND u.unit = n.unit
  )
  INSERT INTO zeke_jobs.bucket_change (name, unit, amount)
  SELECT n.name, n.unit, n.reported - n.taken FROM use AS n WHERE n.reported > n.taken;
END $$;

-- Add an amount to the cost of a job that the worker holds, unless earlier amounts are in another currency. Return the currency of the cost. A budget in
-- another currency does not count the amount; the column missed has the currency of such a budget of the job.
CREATE OR REPLACE FUNCTION zeke_jobs.add_cost(p_worker uuid, p_id uuid, p_claim bigint, p_amount numeric,
  p_currency text, OUT currency text, OUT missed text) LANGUAGE plpgsql VOLATILE SET enable_seqscan = off AS $$
BEGIN
  INSERT INTO zeke_jobs.cost AS c (job, task, cost, currency)
  SELECT q.message_id, q.task, p_amount, p_currency FROM zeke_jobs.queue AS q
  WHERE q.message_id = p_id AND q.claim = p_claim AND q.worker = p_worker ON CONFLICT ON CONSTRAINT cost_pkey DO UPDATE
  SET cost = c.cost + CASE WHEN c.currency = p_currency THEN p_amount ELSE 0 END, reported_on = zeke_jobs.now()
  RETURNING c.currency INTO currency;
  IF currency = p_currency THEN
    PERFORM zeke_jobs.report(p_id, p_claim, jsonb_build_object(p_currency, p_amount));
    missed := (
      SELECT min(u.unit) FROM zeke_jobs.unit_use AS u JOIN zeke_jobs.bucket AS b ON b.name = u.name AND b.unit = u.unit
      WHERE u.job = p_id AND u.claim = p_claim AND b.zone IS NOT NULL AND u.unit <> p_currency);
  END IF;
END $$;

-- Replace the estimates of ended attempts by the units (such as tokens) that the jobs reported. If an attempt reported none, its estimate counts, unless it was
-- deferred, was put back into the queue before its start, or raised an error and the limit is a budget (an outage must not use up the budget).
CREATE OR REPLACE FUNCTION zeke_jobs.settle_units(p_ids uuid[], p_how text) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF p_how = 'returned' THEN
    -- The job did not start: make next_at earlier by the step that the claim added, minus the time since the claim, when other jobs may have started.
    INSERT INTO zeke_jobs.bucket_change (name, unit, key, delay)
    SELECT b.name, 'jobs', r.key, -greatest(0, r.step - extract(epoch FROM zeke_jobs.now() - q.claimed_on))
    FROM zeke_jobs.queue AS q JOIN zeke_jobs.task AS t ON t.id = q.task AND t.on_time IS NOT NULL
    JOIN zeke_jobs.bucket AS b ON b.name = ANY (t.limits) AND b.unit = 'jobs'
    CROSS JOIN LATERAL (VALUES ('', b.step), (q.key, b.key_step)) AS r (key, step)
    WHERE q.message_id = ANY (p_ids) AND q.started_on IS NULL AND r.step IS NOT NULL AND r.key IS NOT NULL;
  END IF;
  WITH ended AS (
    DELETE FROM zeke_jobs.unit_use AS u USING zeke_jobs.queue AS q
    WHERE u.job = ANY (p_ids) AND q.message_id = ANY (p_ids) AND q.message_id = u.job
    RETURNING u.*, p_how = 'cut off' OR p_how = 'returned' AND q.started_on IS NOT NULL AS cut_off
  )
  INSERT INTO zeke_jobs.bucket_change (name, unit, task, amount, used)
  SELECT e.name, e.unit, e.task, CASE
      WHEN e.cut_off THEN greatest(e.taken, e.reported)
      WHEN p_how IN ('deferred', 'returned') OR p_how = 'raised' AND b.zone IS NOT NULL THEN coalesce(e.reported, 0)
      ELSE coalesce(e.reported, e.taken) END - e.taken,
    CASE WHEN NOT e.cut_off THEN e.reported END
  FROM ended AS e LEFT JOIN zeke_jobs.bucket AS b ON b.name = e.name AND b.unit = e.unit;
END $$;

-- Open and close the breakers of locked buckets. A breaker opens after a configured number of failures, or if at least ten attempts and a configured share of
-- all attempts failed. After a pause, one job at a time starts as a probe: success closes the breaker, failure starts another pause. Workers log each change.
CREATE OR REPLACE FUNCTION zeke_jobs.turn_breakers(p_limits text[], p_now timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_bucket zeke_jobs.bucket;
  v_ends record;
BEGIN
  FOR v_bucket IN SELECT b.* FROM zeke_jobs.bucket AS b WHERE b.name = ANY (p_limits) AND b.breaker_pause IS NOT NULL ORDER BY b.name LOOP
    IF v_bucket.tripped_on IS NULL THEN
      DELETE FROM zeke_jobs.breaker_end AS e WHERE e.name = v_bucket.name AND e.ended_on <= p_now - v_bucket.breaker_within;
      SELECT count(*) FILTER (WHERE e.failed) AS failed, count(*) AS ended INTO v_ends FROM zeke_jobs.breaker_end AS e
      WHERE e.name = v_bucket.name;
      CONTINUE WHEN v_ends.failed < coalesce(v_bucket.breaker_failures, greatest(10, v_bucket.breaker_share * v_ends.ended));
      UPDATE zeke_jobs.bucket AS b
      SET tripped_on = p_now, closed_until = greatest(b.closed_until, p_now + b.breaker_pause), closed_by = 'breaker', probe = NULL,
        closed_why = format('%s jobs failed within %s', v_ends.failed, b.breaker_within)
      WHERE b.name = v_bucket.name AND b.unit = v_bucket.unit;
      RAISE WARNING 'breaker of % opens: % jobs failed', v_bucket.name, v_ends.failed;
    ELSIF v_bucket.probe IS NOT NULL THEN
      -- An attempt of the probe counts only if it ended after the end of the breaker's pause and after the last claim of the probe.
      SELECT e.failed, e.ended_on INTO v_ends
      FROM zeke_jobs.breaker_end AS e JOIN zeke_jobs.queue AS q ON q.message_id = e.job
      WHERE e.name = v_bucket.name AND e.job = v_bucket.probe AND e.ended_on >= greatest(v_bucket.closed_until, q.claimed_on)
      ORDER BY e.ended_on DESC LIMIT 1;
      IF v_ends.failed THEN
        UPDATE zeke_jobs.bucket AS b
        SET probe = NULL, closed_until = v_ends.ended_on + b.breaker_pause, closed_by = 'breaker', closed_why = 'the last job that probed failed'
        WHERE b.name = v_bucket.name AND b.unit = v_bucket.unit;
        RAISE WARNING 'breaker of % stays open: a job that probed failed', v_bucket.name;
      ELSIF NOT v_ends.failed THEN
        UPDATE zeke_jobs.bucket AS b SET tripped_on = NULL, probe = NULL, closed_until = NULL, closed_by = NULL, closed_why = NULL
        WHERE b.name = v_bucket.name AND b.unit = v_bucket.unit;
        DELETE FROM zeke_jobs.breaker_end AS e WHERE e.name = v_bucket.name;
        RAISE WARNING 'breaker of % closes: a job that probed succeeded', v_bucket.name;
      ELSIF NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = v_bucket.probe AND q.state = 'consumed') THEN
        -- The probe was put back into the queue, cancelled or lost. Another job becomes the probe.
        UPDATE zeke_jobs.bucket AS b SET probe = NULL WHERE b.name = v_bucket.name AND b.unit = v_bucket.unit;
      END IF;
    END IF;
  END LOOP;
END $$;

-- A service throttled p_job: for p_seconds, start no job under the shared limit p_limit. Halve the concurrency, unless it was halved after the job's start.
CREATE OR REPLACE FUNCTION zeke_jobs.throttle(p_limit text, p_seconds double precision, p_job uuid, p_why text) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_began timestamptz := (SELECT coalesce(q.started_on, q.claimed_on) FROM zeke_jobs.queue AS q WHERE q.message_id = p_job);
  v_until timestamptz;
BEGIN
  UPDATE zeke_jobs.bucket AS b
  SET closed_until = greatest(b.closed_until, v_now + p_seconds * interval '1 second'),
    closed_by = CASE WHEN b.tripped_on IS NULL THEN 'throttled' ELSE b.closed_by END,
    closed_why = CASE WHEN b.tripped_on IS NULL THEN p_why ELSE b.closed_why END,
    ceiling = CASE WHEN b.lowered_on > v_began THEN b.ceiling ELSE greatest(b.least, zeke_jobs.concurrency_of(b, v_now) / 2) END,
    lowered_on = CASE WHEN b.lowered_on > v_began THEN b.lowered_on ELSE v_now END
  WHERE b.name = 'limit/' || p_limit AND b.unit = 'jobs' RETURNING b.closed_until INTO v_until;
  RETURN v_until;
END $$;
