-- Rates per key: a claim finds the keys whose rate lets a job through, however many others wait.

-- A job that waits for its key becomes new to claims again when it changes: when it is claimed and comes back, or gets another time, priority or
-- task.
CREATE OR REPLACE FUNCTION zeke_jobs.unsee() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  NEW.key_seen := false;
  RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER queue_unsee BEFORE UPDATE OF state, run_at, priority, key, message, queue_name, order_hold ON zeke_jobs.queue
  FOR EACH ROW WHEN (OLD.key_seen) EXECUTE FUNCTION zeke_jobs.unsee();

-- Pick up to p_quota jobs of one task and priority, where the task has a rate per key. It looks at keys whose wait for the rate is over and at
-- keys of new jobs; the key that could start first comes first. Some five hundred keys are enough for one claim. The picked jobs are locked.
--   places: the picked jobs.
--   keys, rooms: the keys that it looked at, and how many jobs each had room for.
--   waiting: the keys among them that are in key_wait.
--   unseen: the new jobs that it looked at.
--   is_last: whether no other key could start a job.
CREATE OR REPLACE FUNCTION zeke_jobs.pick_by_rate(
  p_queue text, p_one zeke_jobs.candidate, p_quota integer, p_now timestamptz,
  OUT places tid[], OUT keys text[], OUT rooms integer[], OUT waiting text[], OUT unseen tid[], OUT is_last boolean)
LANGUAGE plpgsql VOLATILE -- with the settings of zeke_jobs.claim, which alone calls it
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

-- Record which keys must wait, and until when. A key waits if the claim takes all jobs that the key has room for. If the claim could have taken
-- more jobs (p_is_dry), a key also waits if its jobs cannot start for another reason. From now on, claims find the other jobs of waiting keys by
-- their key. p_keys to p_unseen: the answer of zeke_jobs.pick_by_rate. p_places: the jobs that the claim takes.
CREATE OR REPLACE FUNCTION zeke_jobs.note_keys(
  p_queue text, p_one zeke_jobs.candidate, p_keys text[], p_rooms integer[], p_waiting text[], p_unseen tid[], p_places tid[],
  p_is_dry boolean, p_now timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE -- with the settings of zeke_jobs.claim, which alone calls it
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

-- The earliest time at which a waiting key of this task may start a job; NULL: no key waits. Costs one probe of the index for each priority.
CREATE OR REPLACE FUNCTION zeke_jobs.next_key_on(p_task text, p_now timestamptz) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE -- and not sql: only plpgsql keeps its plans
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

-- Make all waiting keys of these tasks due again, because their rates have changed, and forget the keys of tasks without a rate per key. The
-- caller's lock holds back claims.
CREATE OR REPLACE FUNCTION zeke_jobs.renew_key_waits(p_tasks text[]) RETURNS void
LANGUAGE plpgsql VOLATILE
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
